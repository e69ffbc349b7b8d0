"""pods/resize: cpu and memory of running containers change in place, nothing else does."""

from collections.abc import Iterator
from typing import Any

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object, annotations
from server.registry.causes import forbidden, invalid
from server.registry.groups.core.pod_qos import qos_class
from server.registry.groups.core.pod_update import MIRROR

_LISTS = ("containers", "initContainers")
_RESIZABLE = ("cpu", "memory")


def resized(spec: Object, before: Object) -> Object:
    """The old spec with the resources and resize policies that the new one has for the same containers."""
    found = dict(before)
    for name in _LISTS:
        if name in before:
            new = spec.get(name) or []
            found[name] = [_taken_over(each, new, position) for position, each in enumerate(before[name])]
    return found


def _taken_over(old: Object, new: list[Any], position: int) -> Object:
    given = new[position] if position < len(new) else {}
    if given.get("name") != old.get("name"):
        return old
    found = {key: value for key, value in old.items() if key not in ("resources", "resizePolicy")}
    for name in ("resources", "resizePolicy"):
        if name in given:
            found[name] = given[name]
    return found


def resize_causes(obj: Object, old: Object) -> list[Cause]:
    spec, before = obj["spec"], old["spec"]
    if why := _refusal(old, spec, before):
        return [forbidden("", why)]
    causes: list[Cause] = []
    if (old.get("status") or {}).get("qosClass", qos_class(before)) != qos_class(spec):
        why = "Pod QOS Class may not change as a result of resizing"
        causes.append(invalid("spec", (obj.get("status") or {}).get("qosClass", ""), why))
    if not _is_supported(old):
        causes.append(forbidden("spec", "Pod running on node without support for resize"))
    for field, new, was in _pairs(spec, before):
        causes += _container_causes(field, new, was)
    return causes


def _refusal(old: Object, spec: Object, before: Object) -> str:
    for each in (spec, before):
        resources = each.get("resources") or {}
        if resources.get("requests") or resources.get("limits"):
            return "pods with pod-level resources cannot be resized"
    if MIRROR in annotations(old):
        return "static pods cannot be resized"
    if (before.get("os") or {}).get("name") == "windows":
        return "windows pods cannot be resized"
    return ""


def _is_supported(old: Object) -> bool:
    """A node that can resize tells the resources of what it runs."""
    for each in (old.get("status") or {}).get("containerStatuses") or ():
        if (each.get("state") or {}).get("running") is not None:
            return each.get("resources") is not None
    return True


def _pairs(spec: Object, before: Object) -> Iterator[tuple[str, Object, Object]]:
    for name in ("initContainers", "containers"):
        pairs = zip(spec.get(name) or (), before.get(name) or (), strict=False)
        for position, (new, old) in enumerate(pairs):
            yield f"spec.{name}[{position}].resources", new, old


def _container_causes(field: str, new: Object, old: Object) -> list[Cause]:
    is_init = field.startswith("spec.initContainers")
    sidecar = old.get("restartPolicy") == "Always"
    if is_init and not sidecar:
        why = "resources for non-sidecar init containers are immutable"
        return [] if new == old else [forbidden("spec", why)]
    causes: list[Cause] = []
    for which in ("requests", "limits"):
        given, was = (_of(each, which) for each in (new, old))
        if set(was) - set(given):
            causes.append(forbidden(f"{field}.{which}", f"resource {which} cannot be removed"))
    if _without_resizable(new) != _without_resizable(old):
        noun = "resources for sidecar containers" if is_init else "resources"
        causes.append(forbidden("spec", f"only cpu and memory {noun} are mutable"))
    return causes


def _of(container: Object, which: str) -> Object:
    found: Object = (container.get("resources") or {}).get(which) or {}
    return found


def _without_resizable(container: Object) -> Object:
    """The container without what may be resized, to be compared."""
    rest = {
        which: {name: amount for name, amount in _of(container, which).items() if name not in _RESIZABLE}
        for which in ("requests", "limits")
    }
    return {**container, "resources": rest}
