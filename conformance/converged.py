"""Whether a namespace is at rest as its objects demand: what is missing, too many, or nobody's. Pure.

Not here: bringing it about (`conformance.chaos`), reading it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

KINDS = {
    "pods": "api/v1",
    "replicationcontrollers": "api/v1",
    "replicasets": "apis/apps/v1",
    "deployments": "apis/apps/v1",
    "statefulsets": "apis/apps/v1",
    "daemonsets": "apis/apps/v1",
    "jobs": "apis/batch/v1",
}
"""What a state is made of: each resource's group and version, as a path."""


@dataclass(frozen=True)
class State:
    """Everything of KINDS in one namespace, and the nodes."""

    objects: Mapping[str, list[Object]]
    nodes: int
    """How many run pods."""

    def owned(self, resource: str, owner: Object) -> list[Object]:
        uid = owner["metadata"]["uid"]
        return [each for each in self.objects[resource] if (controller(each) or {}).get("uid") == uid]

    def active(self, owner: Object) -> list[Object]:
        """The owner's pods that have not ended and are not about to."""
        return [pod for pod in self.owned("pods", owner) if is_active(pod)]


def controller(obj: Object) -> Object | None:
    references = obj["metadata"].get("ownerReferences") or ()
    return next((each for each in references if each.get("controller")), None)


def is_active(pod: Object) -> bool:
    ended = pod["status"].get("phase") in ("Succeeded", "Failed")
    return not ended and "deletionTimestamp" not in pod["metadata"]


def is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def violations(state: State) -> list[str]:
    """A sentence for everything that is not as the objects say; none when the namespace is at rest."""
    found = [*_leaving(state), *_orphans(state)]
    for resource, judge in _JUDGES.items():
        for owner in state.objects[resource]:
            name = f"{resource} {owner['metadata']['name']}"
            found += [f"{name}: {sentence}" for sentence in judge(state, owner)]
    return found


def _leaving(state: State) -> Iterable[str]:
    for resource, objects in state.objects.items():
        for obj in objects:
            if "deletionTimestamp" in obj["metadata"]:
                held = obj["metadata"].get("finalizers") or []
                yield f"{resource} {obj['metadata']['name']} is still being deleted, held by {held}"


def _orphans(state: State) -> Iterable[str]:
    """What refers to owners of which none is there ought to have been collected."""
    uids = {obj["metadata"]["uid"] for objects in state.objects.values() for obj in objects}
    for resource, objects in state.objects.items():
        for obj in objects:
            owners = obj["metadata"].get("ownerReferences") or ()
            if owners and not any(each["uid"] in uids for each in owners):
                yield f"{resource} {obj['metadata']['name']} belongs to {owners[0]['name']}, which is gone"


def _of_replicas(state: State, owner: Object) -> Iterable[str]:
    wanted = owner["spec"].get("replicas", 1)
    yield from _counted(state, owner, wanted)
    status = owner.get("status") or {}
    for field in ("replicas", "readyReplicas", "availableReplicas"):
        if status.get(field, 0) != wanted:
            yield f"status.{field} is {status.get(field, 0)}, not {wanted}"
    yield from _observed(owner)


def _of_deployment(state: State, owner: Object) -> Iterable[str]:
    """One replica set has all the pods, of the newest template; the older ones have none."""
    wanted = owner["spec"].get("replicas", 1)
    sets = state.owned("replicasets", owner)
    used = [each for each in sets if each["spec"].get("replicas", 1)]
    if len(used) > 1:
        yield f"{len(used)} replica sets have pods"
    for each in used:
        if each["spec"]["replicas"] != wanted:
            yield f"its replica set is to have {each['spec']['replicas']} pods, not {wanted}"
        if _image(each) != _image(owner):
            yield f"its replica set runs {_image(each)}, not {_image(owner)}"
    if wanted and not used:
        yield "no replica set has pods"
    status = owner.get("status") or {}
    for field in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"):
        if status.get(field, 0) != wanted:
            yield f"status.{field} is {status.get(field, 0)}, not {wanted}"
    yield from _observed(owner)


def _of_stateful_set(state: State, owner: Object) -> Iterable[str]:
    wanted = owner["spec"].get("replicas", 1)
    yield from _counted(state, owner, wanted)
    names = {pod["metadata"]["name"] for pod in state.active(owner)}
    expected = {f"{owner['metadata']['name']}-{number}" for number in range(wanted)}
    if names != expected:
        yield f"its pods are {sorted(names)}, not {sorted(expected)}"
    for pod in state.active(owner):
        if pod["spec"]["containers"][0]["image"] != _image(owner):
            yield f"the pod {pod['metadata']['name']} runs an old template"
    if (owner.get("status") or {}).get("readyReplicas", 0) != wanted:
        yield f"status.readyReplicas is {(owner.get('status') or {}).get('readyReplicas', 0)}, not {wanted}"
    yield from _observed(owner)


def _of_daemon_set(state: State, owner: Object) -> Iterable[str]:
    yield from _counted(state, owner, state.nodes)
    nodes = [pod["spec"].get("nodeName") for pod in state.active(owner)]
    if len(set(nodes)) != len(nodes):
        yield f"two pods on one node: {sorted(map(str, nodes))}"
    if (owner.get("status") or {}).get("numberReady", 0) != state.nodes:
        yield f"status.numberReady is {(owner.get('status') or {}).get('numberReady', 0)}, not {state.nodes}"
    yield from _observed(owner)


def _of_job(state: State, owner: Object) -> Iterable[str]:
    status = owner.get("status") or {}
    conditions = {each["type"] for each in status.get("conditions") or () if each["status"] == "True"}
    if "Complete" not in conditions:
        yield f"it is not complete: {status}"
    if status.get("succeeded", 0) != owner["spec"]["completions"]:
        yield f"{status.get('succeeded', 0)} pods were counted, not {owner['spec']['completions']}"
    if state.active(owner):
        yield "it has pods that run on"


def _counted(state: State, owner: Object, wanted: int) -> Iterable[str]:
    active = state.active(owner)
    if len(active) != wanted:
        yield f"{len(active)} pods, not {wanted}"
    unready = [pod["metadata"]["name"] for pod in active if not is_ready(pod)]
    if unready:
        yield f"not ready: {unready}"


def _observed(owner: Object) -> Iterable[str]:
    seen = (owner.get("status") or {}).get("observedGeneration")
    if seen != owner["metadata"]["generation"]:
        yield f"generation {owner['metadata']['generation']} has not been observed, {seen} has"


def _image(owner: Object) -> str:
    return str(owner["spec"]["template"]["spec"]["containers"][0]["image"])


_JUDGES: Mapping[str, Callable[[State, Object], Iterable[str]]] = {
    "replicasets": _of_replicas,
    "replicationcontrollers": _of_replicas,
    "deployments": _of_deployment,
    "statefulsets": _of_stateful_set,
    "daemonsets": _of_daemon_set,
    "jobs": _of_job,
}
