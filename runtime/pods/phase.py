"""A pod's phase, from the states of its containers. Pure; the rules are the kubelet's."""

from collections.abc import Sequence

from kubeling.objects.meta import Object
from runtime.pods.actions import is_sidecar, restart_policy

PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"


def is_terminal(phase: str) -> bool:
    return phase in (SUCCEEDED, FAILED)


def pod_phase(
    pod: Object, *, init: Sequence[Object], containers: Sequence[Object], ended: bool = False
) -> str:
    """The phase; `ended` says that nothing of the pod will be started any more."""
    policy = restart_policy(pod)
    if policy == "Never" and any(_failed(status) for status in _run_to_end(pod, init)):
        return FAILED
    counts = _counted(containers)
    if not ended and (_initializing(pod, init) or counts["waiting"]):
        return PENDING
    if counts["running"]:
        return RUNNING
    if not counts["stopped"]:
        return FAILED if ended and containers else PENDING
    if policy == "Always" and not ended:
        return RUNNING
    if counts["stopped"] == counts["succeeded"] and not counts["waiting"]:
        return SUCCEEDED
    return FAILED if ended or policy == "Never" else RUNNING


def _run_to_end(pod: Object, init: Sequence[Object]) -> list[Object]:
    """The statuses of the init containers that are no sidecars."""
    sidecars = {
        each["name"] for each in (pod.get("spec") or {}).get("initContainers") or [] if is_sidecar(each)
    }
    return [status for status in init if status["name"] not in sidecars]


def _initializing(pod: Object, init: Sequence[Object]) -> bool:
    plain = _run_to_end(pod, init)
    if any(not _succeeded(status) for status in plain):
        return True
    return any(
        "waiting" in status["state"] and not status["lastState"] for status in init if status not in plain
    )


def _failed(status: Object) -> bool:
    ended = status["state"].get("terminated") or status["lastState"].get("terminated")
    return bool(ended and ended["exitCode"]) and "running" not in status["state"]


def _succeeded(status: Object) -> bool:
    ended = status["state"].get("terminated")
    return ended is not None and ended["exitCode"] == 0


def _counted(containers: Sequence[Object]) -> dict[str, int]:
    counts = {"running": 0, "waiting": 0, "stopped": 0, "succeeded": 0}
    for status in containers:
        state = status["state"]
        if "running" in state:
            counts["running"] += 1
        elif "terminated" in state or status["lastState"].get("terminated"):
            counts["stopped"] += 1
            counts["succeeded"] += _succeeded(status)
        else:
            counts["waiting"] += 1
    return counts
