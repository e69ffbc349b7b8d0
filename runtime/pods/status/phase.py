"""A pod's phase, from the states of its containers. Pure; the rules are the kubelet's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubeling.objects.meta import Object
from runtime.pods.containers.kinds import INIT, MAIN, containers_of, is_sidecar
from runtime.pods.restart import should_restart

PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"

RESTARTING_ALL = "RestartingAllContainers"
"""The reason of an end that only makes room for the next start."""

_Pairs = list[tuple[Object, Object]]
"""Container specs with their statuses."""


@dataclass(slots=True)
class _Counts:
    running: int = 0
    waiting: int = 0
    stopped: int = 0
    succeeded: int = 0
    restarting: int = 0


def is_terminal(phase: str) -> bool:
    return phase in (SUCCEEDED, FAILED)


def pod_phase(
    pod: Object, *, init: Sequence[Object], containers: Sequence[Object], ended: bool = False
) -> str:
    """The phase; `ended` says that nothing of the pod will be started any more."""
    inits, mains = _pairs(pod, INIT, init), _pairs(pod, MAIN, containers)
    plain = [pair for pair in inits if not is_sidecar(pair[0])]
    sidecars = [status for spec, status in inits if is_sidecar(spec)]
    if any(_has_failed_for_good(pod, spec, status) for spec, status in plain):
        return FAILED
    counts = _counted(pod, mains)
    counts.running += sum("running" in each["state"] for each in sidecars)
    if not ended and (_is_initializing(plain, sidecars, containers) or counts.waiting):
        return PENDING
    if counts.running:
        return RUNNING
    if not counts.stopped:
        return FAILED if ended and containers else PENDING
    if counts.restarting and not ended:
        return RUNNING
    return SUCCEEDED if counts.stopped == counts.succeeded and not counts.waiting else FAILED


def has_started(containers: Iterable[Object]) -> bool:
    """Whether a container has run: then the init containers were done before."""
    return any("running" in each["state"] or "terminated" in each["state"] for each in containers)


def _pairs(pod: Object, kind: str, statuses: Sequence[Object]) -> _Pairs:
    by_name = {each["name"]: each for each in statuses}
    return [(spec, by_name[spec["name"]]) for spec in containers_of(pod, kind) if spec["name"] in by_name]


def _is_initializing(plain: _Pairs, sidecars: Sequence[Object], containers: Sequence[Object]) -> bool:
    if any(_is_pending(status) for _, status in plain):
        return True
    return not has_started(containers) and any(_is_starting(each) for each in sidecars)


def _is_pending(status: Object) -> bool:
    """Of an init container: not ended, or ended with a failure."""
    state = status["state"]
    if "running" in state:
        return True
    ended = state.get("terminated") or status["lastState"].get("terminated")
    return ended is None or bool(ended["exitCode"] and ended.get("reason") != RESTARTING_ALL)


def _is_starting(status: Object) -> bool:
    if "running" in status["state"]:
        return not status["started"]
    return "waiting" in status["state"] and not status["lastState"].get("terminated")


def _has_failed_for_good(pod: Object, container: Object, status: Object) -> bool:
    if "running" in status["state"]:
        return False
    ended = status["state"].get("terminated") or status["lastState"].get("terminated")
    if not ended or not ended["exitCode"] or ended.get("reason") == RESTARTING_ALL:
        return False
    return not should_restart(pod, container, ended["exitCode"])


def _counted(pod: Object, mains: _Pairs) -> _Counts:
    counts = _Counts()
    for spec, status in mains:
        state, ended = status["state"], status["state"].get("terminated")
        if "running" in state:
            counts.running += 1
        elif ended:
            counts.stopped += 1
            counts.succeeded += ended["exitCode"] == 0
            counts.restarting += should_restart(pod, spec, ended["exitCode"])
        elif status["lastState"].get("terminated"):
            counts.stopped += 1
            counts.restarting += 1
        else:
            counts.waiting += 1
    return counts
