"""In-place resize, the decision: whether what a pod newly asks for can be had, now, later or never.

wanted ≠ given ──> fits: given, and `resize_follow` puts it in force
               ──> Deferred: asked again when there is more room, and every few minutes
               ──> Infeasible: the node never has so much
"""

from dataclasses import replace

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object, metadata
from runtime.pods.admission.predicates import amounts, insufficient, numbers
from runtime.pods.containers.kinds import INIT, MAIN, containers_of
from runtime.pods.resize import allocation as allocations
from runtime.pods.resize.allocation import UnderWay
from runtime.pods.resize.report import DEFERRED, INFEASIBLE, PENDING, Told, message, shown
from runtime.pods.work import PodWork

AGAIN = 180.0
"""Seconds after which a deferred resize is tried without a cause."""
RESOURCES = ("cpu", "memory")


def check_resize(work: PodWork) -> None:
    """Give the pod what it newly asks for, or say why not; not in the middle of a change."""
    if work.allocation is None or "resize" in work.activities:
        return
    if work.pod is work.desired or allocations.of(work.desired) == work.allocation:
        _clear(work)
        return
    refusal = _refusal(work)
    if refusal is None:
        _accept(work)
    else:
        _put_off(work, *refusal)


def changed(before: Object, after: Object, container: Object, work: PodWork) -> set[str]:
    """Of cpu and memory, what is another for the container; what it has of its pod counts as well."""
    rules, name = work.context.rules, container["name"]
    old, new = (next(each for each in containers_of(pod) if each["name"] == name) for pod in (before, after))
    was, is_now = rules.container(before, old), rules.container(after, new)
    values = {
        "cpu": limits_of(was)[:2] != limits_of(is_now)[:2],
        "memory": limits_of(was)[2] != limits_of(is_now)[2],
    }
    return {name for name in RESOURCES if values[name] or _asked(old, name) != _asked(new, name)}


def _asked(container: Object, resource: str) -> tuple[object, object]:
    given = container.get("resources") or {}
    requests, limits = ((given.get(kind) or {}).get(resource) for kind in ("requests", "limits"))
    return requests, limits


def _refusal(work: PodWork) -> tuple[str, str] | None:
    view = work.context.node
    if view is None:
        return None
    if _swaps(work):
        return INFEASIBLE, "In-place resize of containers with swap is not supported."
    wanted, most = amounts(work.desired), numbers(view.enforced)
    for resource in ("memory", "cpu"):
        if wanted.get(resource, 0) > most.get(resource, 0):
            asked = f"{resource}, requested: {wanted[resource]}, capacity: {most.get(resource, 0)}"
            return INFEASIBLE, f"Node didn't have enough capacity: {asked}"
    others = [each.amounts for each in work.context.admitted.beside(work.identity.uid)]
    missing = insufficient(wanted, others, numbers((view.node.get("status") or {}).get("allocatable") or {}))
    return (DEFERRED, missing[0].refusal.message) if missing else None


def _swaps(work: PodWork) -> bool:
    """Whether a container's share of swap would have to change with its memory."""
    rules = work.context.rules
    return any(
        _asked(old, "memory")[0] != _asked(new, "memory")[0]
        and restart_policy(old, "memory") != "RestartContainer"
        and any(rules.swaps(pod, each) for pod, each in ((work.pod, old), (work.desired, new)))
        for old, new in zip(_resizable(work.pod), _resizable(work.desired), strict=True)
    )


def restart_policy(container: Object, resource: str) -> str:
    policies = container.get("resizePolicy") or []
    found = (each["restartPolicy"] for each in policies if each.get("resourceName") == resource)
    return str(next(found, "NotRequired"))


def _resizable(pod: Object) -> list[Object]:
    return containers_of(pod, INIT, MAIN)


def _accept(work: PodWork) -> None:
    before, after = allocations.in_force(work.desired, work.allocation), work.desired
    behind = {
        each["name"]: each.get("resources") or {}
        for each in _resizable(before)
        if _must_follow(work, before, after, each)
    }
    generation = int(metadata(after).get("generation") or 0)
    under_way = UnderWay(generation, (before.get("spec") or {}).get("resources"), behind)
    work.allocation = replace(allocations.of(after), under_way=under_way)
    work.context.files.keep(work.paths, work.allocation)
    work.pod, work.resize_error = after, ""
    work.volumes_stale = True  # files of the downward API may show resources
    work.context.admitted.raise_to(work, amounts(after))
    work.events.normal("ResizeStarted", message("started", after, generation))
    _clear(work)


def _must_follow(work: PodWork, before: Object, after: Object, container: Object) -> bool:
    """Whether the container runs, and not with what it is to have; an earlier change may be half done."""
    latest = work.view.observed.latest(container["name"])
    if latest is None or not latest.running:
        return False
    if changed(before, after, container, work):
        return True
    wanted = work.context.rules.container(after, container)
    return latest.resources is not None and limits_of(latest.resources) != limits_of(wanted)


def limits_of(resources: cri.LinuxContainerResources) -> tuple[int, int, int]:
    """Shares, quota (0 for none) and bytes of memory (0 for any)."""
    return resources.cpu_shares, max(resources.cpu_quota, 0), resources.memory_limit_in_bytes


def _put_off(work: PodWork, reason: str, why: str) -> None:
    generation = int(metadata(work.desired).get("generation") or 0)
    told = Told(PENDING, reason, why, generation)
    known = work.resize_pending == told or shown(told, (work.pod.get("status") or {}).get("conditions") or [])
    work.resize_pending = told
    if reason == DEFERRED:
        work.context.admitted.wait(work)
        work.context.alarms.set_earlier((work.identity.uid, "resize"), AGAIN)
    else:
        work.context.admitted.stop_waiting(work)
    if not known:
        work.events.warning(f"Resize{reason}", message(reason, work.desired, generation, why))


def _clear(work: PodWork) -> None:
    if work.resize_pending is not None:
        work.resize_pending = None
        work.context.admitted.stop_waiting(work)
        work.context.alarms.cancel((work.identity.uid, "resize"))
