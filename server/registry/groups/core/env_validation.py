"""Validation of containers' environment: literal values and references."""

from collections.abc import Callable, Mapping

from kubeling.objects import quantity
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import (
    config_key_errors,
    env_name_errors,
    label_errors,
    qualified_name_errors,
    subdomain_errors,
)
from server.registry.causes import invalid, invalids, not_supported, required
from server.registry.groups.core.paths import local_path_causes

ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
VOLUME_FIELDS = (
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
)
_SUBSCRIPTED = ("metadata.annotations", "metadata.labels")
_FIELDS = frozenset(
    (*ENV_FIELDS, *VOLUME_FIELDS, "spec.restartPolicy", "spec.schedulerName", "spec.host", "status.phase")
)
"""All fields of pods that have names; not all of them can be referred to everywhere."""
_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_PAGES = ("limits.hugepages-", "requests.hugepages-")
_UNITS = ("1", *(f"1{unit}" for unit in "kMGTPE"), *(f"1{unit}i" for unit in "KMGTPE"))
_LONGEST_KEY = 128


def env_causes(field: str, env: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    for position, each in enumerate(env):
        where, name = f"{field}[{position}]", each.get("name", "")
        if not name:
            causes.append(required(f"{where}.name"))
        else:
            causes += invalids(f"{where}.name", name, env_name_errors(name))
        if (source := each.get("valueFrom")) is not None:
            causes += _source_causes(f"{where}.valueFrom", each.get("value", ""), source)
    return causes


def _source_causes(field: str, value: str, source: Object) -> list[Cause]:
    given = [name for name in _SOURCES if source.get(name) is not None]
    causes = [cause for name in given for cause in _SOURCES[name](f"{field}.{name}", source[name])]
    if not given:
        listed = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef`"
        causes.append(invalid(field, "", f"must specify one of: {listed} or `fileKeyRef`"))
    elif value:
        causes.append(invalid(field, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        causes.append(invalid(field, "", "may not have more than one field specified at a time"))
    return causes


def field_ref_causes(field: str, reference: Object, allowed: tuple[str, ...]) -> list[Cause]:
    """A reference to one of the pod's own fields; labels and annotations may be subscripted."""
    where, path, version = f"{field}.fieldPath", reference.get("fieldPath", ""), reference.get("apiVersion")
    if not version:
        return [required(f"{field}.apiVersion")]
    if not path:
        return [required(where)]
    if version != "v1":
        return [invalid(where, path, f"error converting fieldPath: unsupported pod version: {version}")]
    base, bracket, key = path.partition("['")
    if bracket and path.endswith("']"):
        return _subscript_causes(field, path, base, key.removesuffix("']"))
    if path not in _FIELDS:
        return [invalid(where, path, f"error converting fieldPath: field label not supported: {path}")]
    path = "spec.nodeName" if path == "spec.host" else path
    return [] if path in allowed else [not_supported(where, path, allowed)]


def _subscript_causes(field: str, path: str, base: str, key: str) -> list[Cause]:
    if base not in _SUBSCRIPTED:
        why = f"error converting fieldPath: field label does not support subscript: {path}"
        return [invalid(f"{field}.fieldPath", path, why)]
    key = key.lower() if base == "metadata.annotations" else key
    return invalids(field, key, qualified_name_errors(key))


def resource_ref_causes(field: str, reference: Object, *, in_volume: bool = False) -> list[Cause]:
    """A reference to the resources of a container; in a volume it must say of which."""
    resource = reference.get("resource", "")
    if in_volume and not reference.get("containerName"):
        causes = [required(f"{field}.containerName")]
    elif not resource:
        causes = [required(f"{field}.resource")]
    elif resource in _RESOURCES or resource.startswith(_PAGES):
        causes = []
    else:
        causes = [not_supported(f"{field}.resource", resource, _RESOURCES)]
    return causes + _divisor_causes(f"{field}.divisor", resource, reference.get("divisor", "0"))


def _divisor_causes(field: str, resource: str, divisor: str) -> list[Cause]:
    if not quantity.parse(divisor):
        return []
    kind = resource.partition(".")[2]
    supported: tuple[str, ...] = ("1m", "1")
    if kind == "cpu":
        noun = "cpu resource"
    elif kind in ("memory", "ephemeral-storage") or kind.startswith("hugepages-"):
        nouns = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}
        supported, noun = _UNITS, f"{nouns.get(kind, 'hugepages')} resource"
    else:
        return []
    if quantity.canonical(divisor) in supported:
        return []
    listed = "1m and 1" if kind == "cpu" else ", ".join(_UNITS)
    return [invalid(field, resource, f"only divisor's values {listed} are supported with the {noun}")]


def _env_field_causes(field: str, reference: Object) -> list[Cause]:
    return field_ref_causes(field, reference, ENV_FIELDS)


def _key_causes(field: str, reference: Object) -> list[Cause]:
    name, key = reference.get("name", ""), reference.get("key", "")
    causes = invalids(f"{field}.name", name, subdomain_errors(name))
    if not key:
        return [*causes, required(f"{field}.key")]
    return causes + invalids(f"{field}.key", key, config_key_errors(key))


def _file_causes(field: str, reference: Object) -> list[Cause]:
    key, path, volume = (reference.get(name, "") for name in ("key", "path", "volumeName"))
    causes: list[Cause] = []
    if not volume:
        causes.append(required(f"{field}.volumeName"))
    else:
        causes += invalids(f"{field}.volumeName", volume, label_errors(volume))
    causes += local_path_causes(f"{field}.path", path) if path else [required(f"{field}.path")]
    if not key:
        return [*causes, required(f"{field}.key")]
    errors = env_name_errors(key)
    if len(key) > _LONGEST_KEY:
        errors.append(f"must be no more than {_LONGEST_KEY} characters")
    return causes + invalids(f"{field}.key", key, errors)


_SOURCES: Mapping[str, Callable[[str, Object], list[Cause]]] = {
    "fieldRef": _env_field_causes,
    "resourceFieldRef": resource_ref_causes,
    "configMapKeyRef": _key_causes,
    "secretKeyRef": _key_causes,
    "fileKeyRef": _file_causes,
}


def env_from_causes(field: str, sources: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    for position, each in enumerate(sources):
        where = f"{field}[{position}]"
        if prefix := each.get("prefix"):
            causes += invalids(f"{where}.prefix", prefix, env_name_errors(prefix))
        given = [name for name in ("configMapRef", "secretRef") if each.get(name) is not None]
        for kind in given:
            name = each[kind].get("name", "")
            named = f"{where}.{kind}.name"
            causes += invalids(named, name, subdomain_errors(name)) if name else [required(named)]
        if not given:
            causes.append(invalid(field, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            causes.append(invalid(field, "", "may not have more than one field specified at a time"))
    return causes
