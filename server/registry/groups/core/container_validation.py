"""Validation of containers: names, images, ports, mounts, policies."""

from collections.abc import Set

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors
from server.registry.causes import (
    duplicate,
    forbidden,
    in_range,
    invalid,
    invalids,
    not_found,
    one_of,
    required,
)
from server.registry.groups.core.env_validation import env_causes, env_from_causes
from server.registry.groups.core.port_names import port_name_errors
from server.registry.groups.core.probe_validation import lifecycle_causes, probe_causes
from server.registry.groups.core.resource_validation import resource_causes

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("FallbackToLogsOnError", "File")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def list_causes(field: str, spec: Object, volumes: Set[str]) -> list[Cause]:
    """All containers of a pod spec: at least one, names unique over init containers and containers."""
    containers = spec.get("containers") or []
    host_network = bool(spec.get("hostNetwork"))
    causes = [] if containers else [required(f"{field}.containers")]
    names: set[str] = set()
    for position, each in enumerate(containers):
        where = f"{field}.containers[{position}]"
        causes += _name_causes(where, each, names)
        causes += _container_causes(where, each, volumes, host_network=host_network)
        causes += _probe_causes(where, each)
    for position, each in enumerate(spec.get("initContainers") or ()):
        where = f"{field}.initContainers[{position}]"
        causes += _name_causes(where, each, names)
        causes += _container_causes(where, each, volumes, host_network=host_network)
        causes += _init_causes(where, each)
    return causes + _host_port_causes(field, containers)


def ephemeral_causes(field: str, spec: Object) -> list[Cause]:
    """Ephemeral containers come later, through their subresource."""
    if not spec.get("ephemeralContainers"):
        return []
    return [forbidden(field, "cannot be set on create")]


def _name_causes(field: str, each: Object, names: set[str]) -> list[Cause]:
    name = each.get("name")
    if not name:
        return [required(f"{field}.name")]
    if name in names:
        return [duplicate(f"{field}.name", name)]
    names.add(name)
    return invalids(f"{field}.name", name, label_errors(name))


def _container_causes(field: str, each: Object, volumes: Set[str], *, host_network: bool) -> list[Cause]:
    causes = _image_causes(f"{field}.image", each.get("image", ""))
    causes += one_of(
        f"{field}.terminationMessagePolicy", each.get("terminationMessagePolicy"), _MESSAGE_POLICIES
    )
    causes += one_of(f"{field}.imagePullPolicy", each.get("imagePullPolicy"), _PULL_POLICIES)
    causes += _port_causes(f"{field}.ports", each.get("ports") or [], host_network=host_network)
    causes += env_causes(f"{field}.env", each.get("env") or [])
    causes += env_from_causes(f"{field}.envFrom", each.get("envFrom") or [])
    causes += _mount_causes(f"{field}.volumeMounts", each.get("volumeMounts") or [], volumes)
    causes += resource_causes(f"{field}.resources", each.get("resources") or {})
    return causes + _security_causes(f"{field}.securityContext", each.get("securityContext") or {})


def _image_causes(field: str, image: str) -> list[Cause]:
    if not image:
        return [required(field)]
    if image != image.strip():
        return [invalid(field, image, "must not have leading or trailing whitespace")]
    return []


def _probe_causes(field: str, each: Object) -> list[Cause]:
    causes = lifecycle_causes(f"{field}.lifecycle", each.get("lifecycle") or {})
    for name in _PROBES:
        if probe := each.get(name):
            causes += probe_causes(f"{field}.{name}", probe, once=name != "readinessProbe")
    if policy := each.get("restartPolicy"):
        causes += one_of(f"{field}.restartPolicy", policy, ("Always", "Never", "OnFailure"))
    return causes


def _init_causes(field: str, each: Object) -> list[Cause]:
    if each.get("restartPolicy") == "Always":
        return _probe_causes(field, each)
    why = "may not be set for init containers without restartPolicy=Always"
    return [forbidden(f"{field}.{name}", why) for name in ("lifecycle", *_PROBES) if each.get(name)]


def _port_causes(field: str, ports: list[Object], *, host_network: bool) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for position, port in enumerate(ports):
        where = f"{field}[{position}]"
        if name := port.get("name"):
            causes += invalids(f"{where}.name", name, port_name_errors(name))
            causes += [duplicate(f"{where}.name", name)] if name in names else []
            names.add(name)
        causes += _port_number_causes(where, port, host_network=host_network)
        causes += one_of(f"{where}.protocol", port.get("protocol"), _PROTOCOLS)
    return causes


def _port_number_causes(field: str, port: Object, *, host_network: bool) -> list[Cause]:
    number, host = port.get("containerPort", 0), port.get("hostPort", 0)
    if number:
        causes = in_range(f"{field}.containerPort", number, 1, 65535)
    else:
        causes = [required(f"{field}.containerPort")]
    if host:
        causes += in_range(f"{field}.hostPort", host, 1, 65535)
    if host_network and host != number:
        causes.append(
            invalid(f"{field}.containerPort", number, "must match `hostPort` when `hostNetwork` is true")
        )
    return causes


def _host_port_causes(field: str, containers: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    taken: set[str] = set()
    for position, container in enumerate(containers):
        for number, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            used = f"{port.get('protocol')}/{port.get('hostIP', '')}/{port['hostPort']}"
            where = f"{field}.containers[{position}].ports[{number}].hostPort"
            causes += [duplicate(where, used)] if used in taken else []
            taken.add(used)
    return causes


def _mount_causes(field: str, mounts: list[Object], volumes: Set[str]) -> list[Cause]:
    causes: list[Cause] = []
    paths: set[str] = set()
    for position, mount in enumerate(mounts):
        where = f"{field}[{position}]"
        name, path = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            causes.append(required(f"{where}.name"))
        elif name not in volumes:
            causes.append(not_found(f"{where}.name", name))
        if not path:
            causes.append(required(f"{where}.mountPath"))
        elif path in paths:
            causes.append(invalid(f"{where}.mountPath", path, "must be unique"))
        paths.add(path)
        causes += _sub_path_causes(where, mount)
    return causes


def _sub_path_causes(field: str, mount: Object) -> list[Cause]:
    causes: list[Cause] = []
    if mount.get("subPath") and mount.get("subPathExpr"):
        causes.append(
            invalid(
                f"{field}.subPathExpr", mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive"
            )
        )
    for name in ("subPath", "subPathExpr"):
        if path := mount.get(name):
            causes += descending_causes(f"{field}.{name}", path)
    return causes


def descending_causes(field: str, path: str) -> list[Cause]:
    """A relative path that does not leave its directory."""
    if path.startswith("/"):
        return [invalid(field, path, "must be a relative path")]
    return _backstep_causes(field, path)


def _backstep_causes(field: str, path: str) -> list[Cause]:
    return [invalid(field, path, "must not contain '..'")] if ".." in path.split("/") else []


def _security_causes(field: str, context: Object) -> list[Cause]:
    causes: list[Cause] = []
    for name in ("runAsUser", "runAsGroup"):
        if (value := context.get(name)) is not None:
            causes += in_range(f"{field}.{name}", value, 0, 2**31 - 1)
    if context.get("allowPrivilegeEscalation") is False and context.get("privileged"):
        why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        causes.append(invalid(field, context, why))
    return causes
