"""Stops one container: its preStop hook, then its stop signal, then, when its time is over, SIGKILL."""

from functools import partial

from kubeling.objects.meta import Object
from runtime.pods.hooks import HookFailed, run_hook_within
from runtime.pods.observed import ObservedContainer
from runtime.pods.work import PodWork

LEAST_GRACE = 2.0
"""Seconds that every container gets between its stop signal and SIGKILL, as the kubelet gives."""


def begin_stop(work: PodWork, container: ObservedContainer, why: str, *, grace: float) -> None:
    """Begin to stop it within `grace` seconds. A later call with less time left hastens it."""
    now = work.context.clock.monotonic()
    deadline, planned = now + grace, work.stop_deadlines.get(container.id)
    if planned is None or f"stop/{container.id}" not in work.activities:
        work.stop_deadlines[container.id] = deadline
        work.activities.begin(
            f"stop/{container.id}", partial(_stop, work, container, why, deadline, hook=planned is None)
        )
    elif deadline < planned - 1:
        work.stop_deadlines[container.id] = deadline
        work.activities.begin(
            f"hasten/{container.id}/{round(deadline)}", partial(_signal, work, container, deadline)
        )


async def _stop(
    work: PodWork, container: ObservedContainer, why: str, deadline: float, *, hook: bool
) -> None:
    if hook:
        work.events.normal("Killing", why, container=container.name)
        await _pre_stop(work, container, deadline)
    await _signal(work, container, deadline)


async def _pre_stop(work: PodWork, container: ObservedContainer, deadline: float) -> None:
    spec: Object = work.container(container.name) or {}
    hook = (spec.get("lifecycle") or {}).get("preStop")
    left = deadline - work.context.clock.monotonic()
    if not hook or left <= 0:
        return
    try:
        await run_hook_within(work, spec, container.id, hook, seconds=left)
    except HookFailed as error:
        work.events.warning("FailedPreStopHook", f"PreStopHook failed: {error}", container=container.name)


async def _signal(work: PodWork, container: ObservedContainer, deadline: float) -> None:
    left = max(deadline - work.context.clock.monotonic(), LEAST_GRACE)
    await work.context.runtime.stop_container(container.id, timeout=round(left))
    await work.view.read_container(container.id)
