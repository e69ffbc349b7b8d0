"""The conditions that the node agent owns in a pod's status. Pure."""

from collections.abc import Sequence
from datetime import datetime

from kubeling.objects import conditions
from kubeling.objects.meta import Object, metadata
from runtime.pods import phase as phases
from runtime.pods.actions import is_sidecar

OWNED = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def pod_conditions(
    pod: Object,
    *,
    phase: str,
    init: Sequence[Object],
    containers: Sequence[Object],
    sandbox_ready: bool,
    now: datetime,
) -> list[Object]:
    """The conditions to report; lastTransitionTime is kept where the status did not change."""
    wanted = {
        "PodReadyToStartContainers": ("True" if sandbox_ready else "False", "", ""),
        "Initialized": _initialized(pod, phase, init),
        "Ready": _ready(pod, phase, _containers_ready(phase, containers)),
        "ContainersReady": _containers_ready(phase, containers),
    }
    holder: Object = {"status": {"conditions": [dict(each) for each in _owned(pod)]}}
    for kind, (status, reason, message) in wanted.items():
        conditions.set_condition(holder, kind, status, reason=reason, message=message, now=now)
    if conditions.find(holder, "PodScheduled") is None:
        conditions.set_condition(holder, "PodScheduled", "True", now=now)
    made: list[Object] = holder["status"]["conditions"]
    return sorted((_stamped(each, pod) for each in made), key=lambda each: OWNED.index(each["type"]))


def _owned(pod: Object) -> list[Object]:
    present = (pod.get("status") or {}).get("conditions") or []
    return [each for each in present if each.get("type") in OWNED]


def _stamped(condition: Object, pod: Object) -> Object:
    """With the generation that it was made from."""
    generation = metadata(pod).get("generation")
    stamp = {"observedGeneration": generation} if generation else {}
    return {**condition, **stamp}


def _initialized(pod: Object, phase: str, init: Sequence[Object]) -> tuple[str, str, str]:
    if phase == phases.SUCCEEDED:
        return "True", "PodCompleted", ""
    spec = pod.get("spec") or {}
    sidecars = {each["name"] for each in spec.get("initContainers") or [] if is_sidecar(each)}
    waiting = [each["name"] for each in init if not _is_initialized(each, each["name"] in sidecars)]
    if waiting:
        message = f"containers with incomplete status: [{' '.join(waiting)}]"
        return "False", "ContainersNotInitialized", message
    return "True", "", ""


def _is_initialized(status: Object, sidecar: bool) -> bool:
    if sidecar:
        return bool(status["started"])
    ended = status["state"].get("terminated")
    return ended is not None and ended["exitCode"] == 0


def _containers_ready(phase: str, containers: Sequence[Object]) -> tuple[str, str, str]:
    if phase == phases.SUCCEEDED:
        return "False", "PodCompleted", ""
    if phase == phases.FAILED:
        return "False", "PodFailed", ""
    unready = [each["name"] for each in containers if not each["ready"]]
    if unready:
        return "False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return "True", "", ""


def _ready(pod: Object, phase: str, containers: tuple[str, str, str]) -> tuple[str, str, str]:
    if containers[0] != "True":
        return containers
    missing = []
    for gate in (pod.get("spec") or {}).get("readinessGates") or []:
        kind = gate["conditionType"]
        held = conditions.find(pod, kind)
        if held is None:
            missing.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif held.get("status") != "True":
            missing.append(f'the status of pod readiness gate "{kind}" is not "True", but {held["status"]}')
    if missing:
        return "False", "ReadinessGatesNotReady", ", ".join(missing)
    return "True", "", ""
