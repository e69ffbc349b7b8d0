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
    found = {key: value for key, value in before.items() if key != "resources"}
    if spec.get("resources") is not None:
        found["resources"] = spec["resources"]
    for name in _LISTS:
        new = spec.get(name) or []
        if _names(new) != _names(before.get(name)):
            found[name] = new  # which is refused
        elif new:
            found[name] = [_taken_over(*each) for each in zip(before[name], new, strict=True)]
    return found


def _names(containers: list[Any] | None) -> list[object]:
    return [each.get("name") for each in containers or ()]


def _taken_over(old: Object, given: Object) -> Object:
    found = {key: value for key, value in old.items() if key not in ("resources", "resizePolicy")}
    for name in ("resources", "resizePolicy"):
        if name in given:
            found[name] = given[name]
    return found


def resize_causes(obj: Object, old: Object) -> list[Cause]:
    spec, before = obj["spec"], old["spec"]
    if why := _refusal(old, before):
        return [forbidden("", why)]
    if causes := [each for name in _LISTS for each in _order_causes(name, spec, before)]:
        return causes
    if (old.get("status") or {}).get("qosClass", qos_class(before)) != qos_class(spec):
        why = "Pod QOS Class may not change as a result of resizing"
        causes.append(invalid("spec", (obj.get("status") or {}).get("qosClass", ""), why))
    if not _is_supported(old):
        causes.append(forbidden("spec", "Pod running on node without support for resize"))
    for field, new, was in _pairs(spec, before):
        causes += _container_causes(field, new, was)
    return causes + _pod_level_causes(spec, before)


def _order_causes(name: str, spec: Object, before: Object) -> Iterator[Cause]:
    new, old = _names(spec.get(name)), _names(before.get(name))
    if len(new) != len(old):
        yield forbidden(f"spec.{name}", "containers may not be added or removed on resize")
        return
    for position, (each, was) in enumerate(zip(new, old, strict=True)):
        if each != was:
            why = "containers may not be renamed or reordered on resize"
            yield forbidden(f"spec.{name}[{position}].name", why)


def _pod_level_causes(spec: Object, before: Object) -> list[Cause]:
    """What the pod as a whole has may be raised, lowered and added, not taken away."""
    causes = []
    for which in ("requests", "limits"):
        given, was = (_of(each, which) for each in (spec, before))
        if set(was) - set(given):
            causes.append(forbidden(f"spec.resources.{which}", f"resource {which} cannot be removed"))
    new, old = ({"resources": each.get("resources") or {}} for each in (spec, before))
    if _without_resizable(new) != _without_resizable(old):
        causes.append(forbidden("spec.resources", "only cpu and memory resources are mutable"))
    return causes


def _refusal(old: Object, before: Object) -> str:
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
    causes: list[Cause] = []
    for which in ("requests", "limits"):
        given, was = (_of(each, which) for each in (new, old))
        if set(was) - set(given):
            causes.append(forbidden(f"{field}.{which}", f"resource {which} cannot be removed"))
    if _without_resizable(new) != _without_resizable(old):
        causes.append(forbidden("spec", "only cpu and memory resources are mutable"))
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
