"""What a pod as a whole requests and is limited to, from its containers, itself and its overhead.

Upstream's PodRequests and PodLimits: containers run together, init containers one by one beside the sidecars
that started before them. What the pod itself says of a resource takes the place of its containers' sum.
"""

from collections.abc import Callable, Iterable

from kubeling.objects import conditions, resource_list
from kubeling.objects.meta import Object
from kubeling.objects.resource_list import ResourceList

_Of = Callable[[Object], ResourceList]


def requests(pod: Object) -> dict[str, str]:
    """While a resize is under way, the larger of what is wanted, allotted and in force."""
    spec = pod.get("spec") or {}
    total = _own(spec, _together(spec, _counted(pod, "requests")), "requests")
    if has_own(spec):
        total |= _own_in_force(pod)
    return resource_list.add(total, spec.get("overhead") or {})


def limits(pod: Object) -> dict[str, str]:
    """Overhead adds to a limit and makes none."""
    spec = pod.get("spec") or {}
    total = _own(spec, _together(spec, _counted(pod, "limits")), "limits")
    return resource_list.add(total, resource_list.masked(spec.get("overhead") or {}, total))


def is_pod_level(name: str) -> bool:
    """Whether a pod as a whole can be given the resource."""
    return name in ("cpu", "memory") or name.startswith("hugepages-")


def has_own(spec: Object) -> bool:
    """Whether the pod as a whole says how much it takes."""
    own = spec.get("resources") or {}
    return any(is_pod_level(name) for which in ("requests", "limits") for name in own.get(which) or ())


def specified(spec: Object, which: str) -> dict[str, str]:
    """The same without overhead and without regard to what is in force."""
    return _own(spec, of_containers(spec, which), which)


def of_containers(spec: Object, which: str) -> dict[str, str]:
    """What the containers say, together."""
    return _together(spec, lambda container: _resources(container, which))


def _together(spec: Object, of: _Of) -> dict[str, str]:
    running = resource_list.total(of(each) for each in spec.get("containers") or ())
    sidecars: dict[str, str] = {}
    peak: dict[str, str] = {}
    for container in spec.get("initContainers") or ():
        own = of(container)
        if container.get("restartPolicy") == "Always":
            running, sidecars = resource_list.add(running, own), resource_list.add(sidecars, own)
            peak = resource_list.largest(peak, sidecars)
        else:
            peak = resource_list.largest(peak, resource_list.add(own, sidecars))
    return resource_list.largest(running, peak)


def _own(spec: Object, total: dict[str, str], which: str) -> dict[str, str]:
    own = (spec.get("resources") or {}).get(which) or {}
    return total | {name: amount for name, amount in own.items() if is_pod_level(name)}


def _own_in_force(pod: Object) -> dict[str, str]:
    """What the pod as a whole counts for while it is resized."""
    status: Object = pod.get("status") or {}
    held = [part for part in (_resources(status, "requests"), status.get("allocatedResources")) if part]
    if not held:
        return {}
    found = _largest([*held] if _is_infeasible(pod) else [_resources(pod["spec"], "requests"), *held])
    return {name: amount for name, amount in found.items() if is_pod_level(name)}


def _is_infeasible(pod: Object) -> bool:
    pending = conditions.find(pod, "PodResizePending")
    return pending is not None and pending.get("reason") == "Infeasible"


def _resources(holder: Object, which: str) -> ResourceList:
    return (holder.get("resources") or {}).get(which) or {}


def _counted(pod: Object, which: str) -> _Of:
    """How much a container counts for, given what its status says of a resize."""
    status = pod.get("status") or {}
    known = {
        each.get("name"): each
        for name in ("containerStatuses", "initContainerStatuses")
        for each in status.get(name) or ()
        if each.get("resources")
    }
    if not known:
        return lambda container: _resources(container, which)
    infeasible = _is_infeasible(pod)

    def of(container: Object) -> ResourceList:
        found = known.get(container["name"])
        if found is None:
            return _resources(container, which)
        parts = [] if infeasible else [_resources(container, which)]
        parts.append(_resources(found, which))
        if which == "requests":
            parts.append(found.get("allocatedResources") or {})
        return _largest(parts)

    return of


def _largest(parts: Iterable[ResourceList]) -> dict[str, str]:
    result: dict[str, str] = {}
    for part in parts:
        result = resource_list.largest(result, part)
    return result
