"""Validation of containers' environment: literal values and references."""

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import config_key_errors, env_name_errors, subdomain_errors
from server.registry.causes import invalid, invalids, not_supported, required

_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
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
_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)


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
    if not given:
        listed = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef`"
        return [invalid(field, "", f"must specify one of: {listed} or `fileKeyRef`")]
    if value:
        return [invalid(field, "", "may not be specified when `value` is not empty")]
    if len(given) > 1:
        return [invalid(field, "", "may not have more than one field specified at a time")]
    (name,) = given
    where = f"{field}.{name}"
    if name == "fieldRef":
        return field_ref_causes(where, source[name], ENV_FIELDS)
    if name == "resourceFieldRef":
        return _resource_causes(where, source[name])
    return _key_causes(where, source[name]) if name != "fileKeyRef" else []


def field_ref_causes(field: str, reference: Object, allowed: tuple[str, ...]) -> list[Cause]:
    """A reference to one of the pod's own fields; labels and annotations may be subscripted."""
    path = reference.get("fieldPath", "")
    if not path:
        return [required(f"{field}.fieldPath")]
    base, bracket, _ = path.partition("['")
    if bracket and path.endswith("']"):
        if base in _SUBSCRIPTED:
            return []
        return [invalid(f"{field}.fieldPath", path, "does not support subscript")]
    return [] if path in allowed else [not_supported(f"{field}.fieldPath", path, allowed)]


def _resource_causes(field: str, reference: Object) -> list[Cause]:
    resource = reference.get("resource", "")
    if not resource:
        return [required(f"{field}.resource")]
    if resource in _RESOURCES or "hugepages-" in resource:
        return []
    return [not_supported(f"{field}.resource", resource, _RESOURCES)]


def _key_causes(field: str, reference: Object) -> list[Cause]:
    name, key = reference.get("name", ""), reference.get("key", "")
    causes = invalids(f"{field}.name", name, subdomain_errors(name)) if name else []
    if not key:
        return [*causes, required(f"{field}.key")]
    return causes + invalids(f"{field}.key", key, config_key_errors(key))


def env_from_causes(field: str, sources: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    for position, each in enumerate(sources):
        where = f"{field}[{position}]"
        if prefix := each.get("prefix"):
            causes += invalids(f"{where}.prefix", prefix, env_name_errors(prefix))
        given = [name for name in ("configMapRef", "secretRef") if each.get(name) is not None]
        if not given:
            causes.append(invalid(field, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            causes.append(invalid(field, "", "may not have more than one field specified at a time"))
    return causes
