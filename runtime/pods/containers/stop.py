"""Stops containers: the preStop hook, then the stop signal, then, when the time is over, SIGKILL.

    begin ──> preStop hook ──> its turn ──> stop signal ──> ended
                 └───────────────┴── no time left ──┘

All containers of a pod begin together; sidecars get the signal when those that they serve have ended, the
last sidecar first. `begin_stop` is called again at each turn of the worker and begins what is due by then.
"""

from dataclasses import dataclass
from functools import partial

from kubeling.objects.meta import Object
from runtime.errors import RuntimeServiceError
from runtime.pods.containers import stop_signal
from runtime.pods.containers.hooks import HookFailed, run_hook_within
from runtime.pods.containers.kinds import MAIN, kind_of, sidecars
from runtime.pods.observed import ObservedContainer
from runtime.pods.work import PodWork

LEAST_GRACE = 2.0
"""Seconds that every container gets between its stop signal and SIGKILL, as the kubelet gives."""


@dataclass(slots=True)
class Stop:
    """One container on its way down."""

    deadline: float
    """Until when (monotonic) it may live."""
    hook_over: bool = False
    signalled: float | None = None
    """The deadline that it was told with its signal."""


def begin_stop(
    work: PodWork, container: ObservedContainer, why: str, *, grace: float, turn: bool = True
) -> None:
    """Stop it within `grace` seconds from the first call. Later calls with less time left hasten it."""
    deadline = work.context.clock.monotonic() + grace
    stop = work.stops.get(container.id)
    if stop is None:
        stop = work.stops[container.id] = Stop(deadline)
        work.events.normal("Killing", why, container=container.name)
        _begin_hook(work, container, stop, grace)
    stop.deadline = min(stop.deadline, deadline)
    _go_on(work, container, stop, turn=turn)


def go_on(work: PodWork) -> None:
    """Begin what is due for containers that are being stopped, whoever wanted that."""
    for container_id, stop in list(work.stops.items()):
        container = work.view.observed.containers.get(container_id)
        if container is None or not container.running:
            del work.stops[container_id]
        else:
            _go_on(work, container, stop, turn=stop.signalled is not None or not work.stopping)


def stop_all(work: PodWork, *, grace: float, in_order: bool = True) -> None:
    """Stop whatever of the pod runs."""
    running = list(work.view.observed.running())
    for container in running:
        turn = not in_order or _is_its_turn(work.pod, container.name, {each.name for each in running})
        begin_stop(work, container, f"Stopping container {container.name}", grace=grace, turn=turn)


def _is_its_turn(pod: Object, name: str, running: set[str]) -> bool:
    order = [each["name"] for each in sidecars(pod)]
    if name not in order:
        return True
    later = set(order[order.index(name) + 1 :])
    return not any(each in later or kind_of(pod, each) == MAIN for each in running - {name})


def _begin_hook(work: PodWork, container: ObservedContainer, stop: Stop, grace: float) -> None:
    hook = ((work.container(container.name) or {}).get("lifecycle") or {}).get("preStop")
    if not hook or grace <= 0:
        stop.hook_over = True
        return
    work.activities.begin(f"hook/{container.id}", partial(_pre_stop, work, container, stop, hook, grace))


def _go_on(work: PodWork, container: ObservedContainer, stop: Stop, *, turn: bool) -> None:
    key, left = f"stop/{container.id}", stop.deadline - work.context.clock.monotonic()
    if left > 0 and not (stop.hook_over and turn):
        work.context.alarms.set((work.identity.uid, key), left)
    elif key not in work.activities:
        work.activities.begin(key, partial(_signal, work, container, stop))
    elif stop.signalled is not None and stop.deadline < stop.signalled - 1:
        work.activities.begin(
            f"hasten/{container.id}/{round(stop.deadline)}", partial(_signal, work, container, stop)
        )


async def _pre_stop(
    work: PodWork, container: ObservedContainer, stop: Stop, hook: Object, seconds: float
) -> None:
    spec = work.container(container.name) or {}
    try:
        await run_hook_within(work, spec, container.id, hook, seconds=seconds)
    except HookFailed:
        work.events.warning("FailedPreStopHook", "PreStopHook failed", container=container.name)
    finally:
        stop.hook_over = True


async def _signal(work: PodWork, container: ObservedContainer, stop: Stop) -> None:
    stop.signalled = stop.deadline
    left = max(stop.deadline - work.context.clock.monotonic(), LEAST_GRACE)
    wanted = stop_signal.of_spec(work.container(container.name) or {})
    signal = "" if wanted == container.stop_signal else wanted
    try:
        await work.context.runtime.stop_container(container.id, timeout=round(left), signal=signal)
    except RuntimeServiceError as error:
        said = f'failed to "KillContainer" for "{container.name}" with KillContainerError: "{error}"'
        work.events.warning("FailedKillPod", f"error killing pod: {said}")
        raise
    await work.view.read_container(container.id)
