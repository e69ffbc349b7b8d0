"""The conditions that the node agent owns in a pod's status. Pure."""

from collections.abc import Sequence
from datetime import datetime

from kubeling.objects import conditions
from kubeling.objects.meta import Object, metadata, timestamp
from runtime.pods.containers.kinds import MAIN, containers_of, sidecars
from runtime.pods.restart import may_restart_all
from runtime.pods.status import phase as phases

RESTARTING = "AllContainersRestarting"
OWNED = (
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
    RESTARTING,
)

Condition = tuple[str, str, str]
"""Status, reason, message."""
_TRUE: Condition = ("True", "", "")


def pod_conditions(
    pod: Object,
    *,
    phase: str,
    init: Sequence[Object],
    containers: Sequence[Object],
    sandbox: str,
    restarting: bool = False,
    now: datetime,
) -> list[Object]:
    """The conditions to report; lastTransitionTime is kept where the status did not change.

    `sandbox` says what the sandbox lacks, "" when containers may start; `restarting` whether all containers
    are on their way to a new start.
    """
    unready = _containers_ready(pod, phase, init, containers)
    wanted = {
        "PodReadyToStartContainers": ("False", "PodSandboxNotReady", sandbox) if sandbox else _TRUE,
        "Initialized": _initialized(pod, phase, init, containers),
        "Ready": _ready(pod, unready),
        "ContainersReady": unready,
    }
    if may_restart_all(pod):
        wanted[RESTARTING] = _restarting(phase, restarting)
    holder: Object = {"status": {"conditions": [dict(each) for each in _owned(pod)]}}
    for kind, (status, reason, message) in wanted.items():
        conditions.set_condition(holder, kind, status, reason=reason, message=message, now=now)
    if conditions.find(holder, "PodScheduled") is None:
        conditions.set_condition(holder, "PodScheduled", "True", now=now)
    made: list[Object] = holder["status"]["conditions"]
    return sorted((_stamped(each, pod) for each in made), key=lambda each: OWNED.index(each["type"]))


def disruption(pod: Object, *, reason: str, message: str, at: datetime) -> Object:
    """The condition of a pod that the node itself ends, for no fault of the pod's. Others may set it, too."""
    before = conditions.find(pod, "DisruptionTarget") or {}
    since = before.get("lastTransitionTime") if before.get("status") == "True" else None
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": since or timestamp(at),
    }
    return _stamped(condition, pod)


def _owned(pod: Object) -> list[Object]:
    present = (pod.get("status") or {}).get("conditions") or []
    return [each for each in present if each.get("type") in OWNED]


def _stamped(condition: Object, pod: Object) -> Object:
    """With the generation that it was made from."""
    generation = metadata(pod).get("generation")
    stamp = {"observedGeneration": generation} if generation else {}
    return {**condition, **stamp}


def _initialized(pod: Object, phase: str, init: Sequence[Object], containers: Sequence[Object]) -> Condition:
    """Once true it stays so, though init containers may run again."""
    if phase == phases.SUCCEEDED:
        return "True", "PodCompleted", ""
    before = conditions.find(pod, "Initialized") or {}
    if before.get("status") == "True" or phases.has_started(containers):
        return _TRUE
    running_on = {each["name"] for each in sidecars(pod)}
    waiting = [
        each["name"] for each in init if not each["started" if each["name"] in running_on else "ready"]
    ]
    if waiting:
        message = f"containers with incomplete status: [{' '.join(waiting)}]"
        return "False", "ContainersNotInitialized", message
    return _TRUE


def _containers_ready(
    pod: Object, phase: str, init: Sequence[Object], containers: Sequence[Object]
) -> Condition:
    """Sidecars count like the containers beside which they run."""
    ended = _ended(phase)
    if ended:
        return ended
    ready = {each["name"] for each in [*init, *containers] if each["ready"]}
    counted = [*sidecars(pod), *containers_of(pod, MAIN)]
    unready = [each["name"] for each in counted if each["name"] not in ready]
    if unready:
        return "False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return _TRUE


def _restarting(phase: str, restarting: bool) -> Condition:
    ended = _ended(phase)
    if ended:
        return ended
    if restarting:
        return "True", "RestartAllContainersStarted", "container exited with restart policy rule"
    return "False", "", ""


def _ended(phase: str) -> Condition | None:
    if phase == phases.SUCCEEDED:
        return "False", "PodCompleted", ""
    return ("False", "PodFailed", "") if phase == phases.FAILED else None


def _ready(pod: Object, containers: Condition) -> Condition:
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
    return _TRUE
