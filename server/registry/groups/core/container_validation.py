"""Validation of containers: names, images, ports, policies, and how the three lists differ."""

from collections.abc import Set
from dataclasses import dataclass

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors
from server.registry.causes import (
    choice,
    duplicate,
    forbidden,
    in_range,
    invalid,
    invalids,
    not_found,
    not_supported,
    required,
    too_many,
    unsupported,
)
from server.registry.groups.core.env_validation import env_causes, env_from_causes
from server.registry.groups.core.mount_validation import mount_causes
from server.registry.groups.core.port_names import port_name_errors
from server.registry.groups.core.probe_validation import lifecycle_causes, probe_causes
from server.registry.groups.core.resource_validation import resource_causes
from server.registry.groups.core.security_validation import container_security_causes
from server.registry.groups.core.volume_validation import Volumes

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_MOST_RULES, _MOST_EXIT_CODES = 20, 255
_IN_EPHEMERAL = frozenset(
    (
        *("name", "image", "command", "args", "workingDir", "envFrom", "env", "stdin", "stdinOnce", "tty"),
        *("volumeMounts", "volumeDevices", "terminationMessagePath", "terminationMessagePolicy"),
        *("imagePullPolicy", "securityContext", "targetContainerName"),
    )
)


@dataclass(frozen=True, slots=True)
class PodContext:
    """What containers must agree with in their pod."""

    volumes: Volumes
    claims: Set[str]
    host_users: bool
    restart_policy: str
    grace: int
    """Seconds."""
    os: str
    is_pod: bool
    """False in templates, where some rules wait for the pod."""


def list_causes(field: str, spec: Object, context: PodContext) -> list[Cause]:
    """All containers of a pod spec: at least one, names unique over all lists."""
    containers = spec.get("containers") or []
    names: set[str] = set()
    causes = [] if containers else [required(f"{field}.containers")]
    for position, each in enumerate(containers):
        where = f"{field}.containers[{position}]"
        causes += _container_causes(where, each, context) + _unique(where, each, names)
        causes += _lifecycle_causes(where, each, context)
        causes += _restart_causes(where, each)
    causes += _host_port_causes(f"{field}.containers", containers)
    for position, each in enumerate(spec.get("initContainers") or ()):
        where = f"{field}.initContainers[{position}]"
        causes += _container_causes(where, each, context) + _restart_causes(where, each)
        causes += _unique(where, each, names)
        causes += _host_port_causes(f"{field}.initContainers", [each])
        causes += _init_causes(where, each, context)
    if ephemeral := spec.get("ephemeralContainers"):
        causes += _ephemeral_causes(f"{field}.ephemeralContainers", ephemeral, names, context)
    return causes


def _unique(field: str, each: Object, names: set[str]) -> list[Cause]:
    name = each.get("name")
    if not name:
        return []
    if name in names:
        return [duplicate(f"{field}.name", name)]
    names.add(name)
    return []


def _container_causes(field: str, each: Object, context: PodContext) -> list[Cause]:
    name, image = each.get("name"), each.get("image", "")
    causes = invalids(f"{field}.name", name, label_errors(name)) if name else [required(f"{field}.name")]
    if not image:
        causes.append(required(f"{field}.image"))
    elif context.is_pod and image != image.strip():
        causes.append(invalid(f"{field}.image", image, "must not have leading or trailing whitespace"))
    policy = each.get("terminationMessagePolicy")
    causes += choice(f"{field}.terminationMessagePolicy", policy, _MESSAGE_POLICIES)
    if ports := each.get("ports"):
        causes += _port_causes(f"{field}.ports", ports)
    if env := each.get("env"):
        causes += env_causes(f"{field}.env", env)
    if sources := each.get("envFrom"):
        causes += env_from_causes(f"{field}.envFrom", sources)
    if each.get("volumeMounts") or each.get("volumeDevices"):
        causes += mount_causes(field, each, context.volumes)
    causes += choice(f"{field}.imagePullPolicy", each.get("imagePullPolicy"), _PULL_POLICIES)
    if resources := each.get("resources"):
        causes += resource_causes(f"{field}.resources", resources, context.claims)
    if policies := each.get("resizePolicy"):
        causes += _resize_causes(f"{field}.resizePolicy", policies, context)
    security = each.get("securityContext") or {}
    where = f"{field}.securityContext"
    return causes + container_security_causes(where, security, host_users=context.host_users)


def _lifecycle_causes(field: str, each: Object, context: PodContext) -> list[Cause]:
    causes: list[Cause] = []
    if lifecycle := each.get("lifecycle"):
        causes += lifecycle_causes(f"{field}.lifecycle", lifecycle, grace=context.grace, os=context.os)
    for name in _PROBES:
        if (probe := each.get(name)) is not None:
            causes += probe_causes(f"{field}.{name}", probe, once=name != "readinessProbe")
    return causes


def _init_causes(field: str, each: Object, context: PodContext) -> list[Cause]:
    """Probes and hooks are for those that keep running."""
    if each.get("restartPolicy") == "Always":
        return _lifecycle_causes(field, each, context)
    why = "may not be set for init containers without restartPolicy=Always"
    return [forbidden(f"{field}.{name}", why) for name in ("lifecycle", *_PROBES) if each.get(name)]


def _restart_causes(field: str, each: Object) -> list[Cause]:
    policy, rules = each.get("restartPolicy"), each.get("restartPolicyRules") or []
    causes: list[Cause] = []
    if policy is not None and policy not in _RESTART_POLICIES:
        causes.append(not_supported(f"{field}.restartPolicy", policy, _RESTART_POLICIES))
    if rules and policy is None:
        why = "must specify restartPolicy when restart rules are used"
        causes.append(required(f"{field}.restartPolicy", why))
    if len(rules) > _MOST_RULES:
        causes.append(too_many(f"{field}.restartPolicyRules", len(rules), _MOST_RULES))
    for position, rule in enumerate(rules):
        causes += _rule_causes(f"{field}.restartPolicyRules[{position}]", rule)
    return causes


def _rule_causes(field: str, rule: Object) -> list[Cause]:
    causes: list[Cause] = []
    actions = ("Restart", "RestartAllContainers")
    if rule.get("action") not in actions:
        causes.append(not_supported(f"{field}.action", rule.get("action", ""), actions))
    codes, where = rule.get("exitCodes"), f"{field}.exitCodes"
    if codes is None:
        return [*causes, required(where, "must be specified")]
    if codes.get("operator") not in ("In", "NotIn"):
        causes.append(not_supported(f"{where}.operator", codes.get("operator", ""), ("In", "NotIn")))
    values = codes.get("values") or []
    if len(values) > _MOST_EXIT_CODES:
        causes.append(too_many(f"{where}.values", len(values), _MOST_EXIT_CODES))
    return causes


def _ephemeral_causes(
    field: str, containers: list[Object], names: set[str], context: PodContext
) -> list[Cause]:
    """Debugging containers: they share names with the others but may have few of their fields."""
    causes: list[Cause] = []
    targets = frozenset(names)
    for position, each in enumerate(containers):
        where = f"{field}[{position}]"
        causes += _container_causes(where, each, context) + _unique(where, each, names)
        target = each.get("targetContainerName")
        if target and target not in targets:
            causes.append(not_found(f"{where}.targetContainerName", target))
        why = "cannot be set for an Ephemeral Container"
        causes += [
            forbidden(f"{where}.{name}", why)
            for name, value in each.items()
            if value and name not in _IN_EPHEMERAL
        ]
        for number, mount in enumerate(each.get("volumeMounts") or ()):
            place = f"{where}.volumeMounts[{number}]"
            causes += [
                forbidden(f"{place}.{name}", why) for name in ("subPath", "subPathExpr") if mount.get(name)
            ]
    return causes


def _resize_causes(field: str, policies: list[Object], context: PodContext) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for position, each in enumerate(policies):
        resource, policy = each.get("resourceName", ""), each.get("restartPolicy", "")
        if resource in seen:
            causes.append(duplicate(f"{field}[{position}]", resource))
        seen.add(resource)
        causes += choice(field, resource, ("cpu", "memory"))
        causes += choice(field, policy, ("NotRequired", "RestartContainer"))
        if context.restart_policy == "Never" and policy != "NotRequired":
            why = "must be 'NotRequired' when `restartPolicy` is 'Never'"
            causes.append(invalid(field, policy, why))
    return causes


def _port_causes(field: str, ports: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for position, port in enumerate(ports):
        where, protocol = f"{field}[{position}]", port.get("protocol")
        if name := port.get("name"):
            causes += _port_name_causes(f"{where}.name", name, names)
        if number := port.get("containerPort", 0):
            causes += in_range(f"{where}.containerPort", number, 1, 65535)
        else:
            causes.append(required(f"{where}.containerPort"))
        if host := port.get("hostPort", 0):
            causes += in_range(f"{where}.hostPort", host, 1, 65535)
        if not protocol:
            causes.append(required(f"{where}.protocol"))
        elif protocol not in _PROTOCOLS:
            causes.append(unsupported(f"{where}.protocol", protocol, _PROTOCOLS))
    return causes


def _port_name_causes(field: str, name: str, names: set[str]) -> list[Cause]:
    if errors := port_name_errors(name):
        return invalids(field, name, errors)
    if name in names:
        return [duplicate(field, name)]
    names.add(name)
    return []


def host_network_causes(field: str, spec: Object, *, is_pod: bool) -> list[Cause]:
    """On its node's network a port is the same inside and outside."""
    if not spec.get("hostNetwork"):
        return []
    why = "must match `containerPort` when `hostNetwork` is true"
    return [
        invalid(f"{field}.containers[{position}].ports[{number}].hostPort", port.get("hostPort", 0), why)
        for position, container in enumerate(spec.get("containers") or ())
        for number, port in enumerate(container.get("ports") or ())
        if (is_pod or port.get("hostPort")) and port.get("hostPort", 0) != port.get("containerPort")
    ]


def _host_port_causes(field: str, containers: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    taken: set[str] = set()
    for position, container in enumerate(containers):
        for number, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            used = f"{port.get('protocol')}/{port.get('hostIP', '')}/{port['hostPort']}"
            where = f"{field}[{position}].ports[{number}].hostPort"
            causes += [duplicate(where, used)] if used in taken else []
            taken.add(used)
    return causes
