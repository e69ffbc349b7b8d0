"""A container's environment: envFrom, env with its sources, the services' variables, in that order."""

import base64
from collections.abc import Callable, Mapping

from kubeling.objects.expansion import expand
from kubeling.objects.meta import Object, namespace
from runtime.pods.cgroups.qos import all_containers
from runtime.pods.environment import downward
from runtime.pods.environment.downward import DownwardError, PodFacts
from runtime.pods.references import CONFIG_MAP, SECRET, Reference, Sources


class ConfigError(Exception):
    """A container cannot be configured (CreateContainerConfigError); the text is the kubelet's."""


def _no_file(selector: Object) -> str | None:
    return None


def environment(
    pod: Object,
    container: Object,
    *,
    sources: Sources,
    services: Mapping[str, str],
    facts: PodFacts,
    file_value: Callable[[Object], str | None] = _no_file,
) -> dict[str, str]:
    """The container's variables; later ones may refer to earlier ones and to the services' by `$(NAME)`.

    `file_value` reads what a `fileKeyRef` means: None where the variable is not to be set.

    Raises:
        ConfigError: an object or key that is not optional is missing.
    """
    space = namespace(pod)
    found: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        found.update(_from_object(source, space, sources))
    for variable in container.get("env") or []:
        value_from = variable.get("valueFrom") or {}
        if "fileKeyRef" in value_from:
            value = file_value(value_from["fileKeyRef"])
        else:
            value = _value(variable, pod, container, {**services, **found}, sources, facts)
        if value is not None:
            found[variable["name"]] = value
    return {**found, **{key: value for key, value in services.items() if key not in found}}


def _value(
    variable: Object,
    pod: Object,
    container: Object,
    known: Mapping[str, str],
    sources: Sources,
    facts: PodFacts,
) -> str | None:
    """None when an optional source is missing: the variable is then not set."""
    value_from = variable.get("valueFrom")
    if not value_from:
        return expand(variable.get("value") or "", known)
    try:
        if "fieldRef" in value_from:
            return downward.field_value(pod, value_from["fieldRef"].get("fieldPath", ""), facts)
        if "resourceFieldRef" in value_from:
            selector = value_from["resourceFieldRef"]
            return downward.resource_value(pod, named_container(pod, selector, container), selector, facts)
    except DownwardError as error:
        raise ConfigError(str(error)) from error
    return _key(value_from, namespace(pod), sources)


def named_container(pod: Object, selector: Object, default: Object | None = None) -> Object:
    """The container that a resourceFieldRef means.

    Raises:
        DownwardError: the pod has no such container.
    """
    wanted = selector.get("containerName")
    if not wanted and default is not None:
        return default
    for container in all_containers(pod):
        if container["name"] == wanted:
            return container
    raise DownwardError(f"container {wanted} not found")


def _key(value_from: Object, space: str, sources: Sources) -> str | None:
    for field, kind in (("configMapKeyRef", CONFIG_MAP), ("secretKeyRef", SECRET)):
        selector = value_from.get(field)
        if selector:
            return _selected(selector, Reference(kind, space, selector.get("name", "")), sources)
    raise ConfigError("environment variable has a source that is not supported")


def _selected(selector: Object, reference: Reference, sources: Sources) -> str | None:
    optional = bool(selector.get("optional"))
    held = sources.get(reference)
    if held is None:
        if optional:
            return None
        raise ConfigError(reference.missing)
    values = text_data(held, reference.kind)
    key = selector.get("key", "")
    if key in values:
        return values[key]
    if optional:
        return None
    raise ConfigError(f"couldn't find key {key} in {reference.kind} {reference.namespace}/{reference.name}")


def _from_object(source: Object, space: str, sources: Sources) -> dict[str, str]:
    prefix = source.get("prefix") or ""
    for field, kind in (("configMapRef", CONFIG_MAP), ("secretRef", SECRET)):
        selector = source.get(field)
        if not selector:
            continue
        reference = Reference(kind, space, selector.get("name", ""))
        held = sources.get(reference)
        if held is None and not selector.get("optional"):
            raise ConfigError(reference.missing)
        values = text_data(held or {}, kind)
        return {prefix + key: values[key] for key in sorted(values)}
    return {}


def text_data(held: Object, kind: str) -> dict[str, str]:
    """The object's data as text: a Secret's is decoded, bytes that are no UTF-8 are kept as surrogates."""
    data = held.get("data") or {}
    if kind == CONFIG_MAP:
        return dict(data)
    return {
        key: base64.b64decode(value or "").decode(errors="surrogateescape") for key, value in data.items()
    }
