"""Removes what is dead: of containers the last of each name stays, for `kubectl logs --previous`."""

from functools import partial

from runtime.pods.observed import ObservedContainer, ObservedPod, ObservedSandbox
from runtime.pods.work import PodWork

KEPT = 2
"""Of each name: the one that runs, or ran last, and the one before."""


def superfluous_containers(observed: ObservedPod) -> list[ObservedContainer]:
    names = {each.name for each in observed.containers.values()}
    return [each for name in names for each in observed.history(name)[KEPT:] if each.exited]


def superfluous_sandboxes(observed: ObservedPod) -> list[ObservedSandbox]:
    """Old sandboxes that no container belongs to any more: removing one would remove its containers."""
    used = {each.sandbox_id for each in observed.containers.values()}
    newest = observed.sandbox
    return [
        each
        for each in observed.sandboxes.values()
        if each != newest and not each.ready and each.id not in used
    ]


async def reclaim(work: PodWork) -> None:
    """The disk is full: only the last ended container of each name stays, of a pod that is over nothing."""
    if work.settled:
        await remove_remains(work)
        return
    names = {each.name for each in work.view.observed.containers.values()}
    for name in names:
        for container in [each for each in work.view.observed.history(name) if each.exited][1:]:
            await remove_container(work, container)


async def remove_remains(work: PodWork) -> None:
    """Records, layers and logs of a pod that is over; what the API shows of it stays as it is."""
    for sandbox in list(work.view.observed.sandboxes):
        await work.context.runtime.remove_pod_sandbox(sandbox)
        await work.view.read_sandbox(sandbox)
    for container in list(work.view.observed.containers):
        await work.view.read_container(container)
    await work.context.files.remove(work.paths)


def begin_removal(work: PodWork) -> None:
    for container in superfluous_containers(work.view.observed):
        work.activities.begin(f"remove/{container.id}", partial(remove_container, work, container))
    for sandbox in superfluous_sandboxes(work.view.observed):
        work.activities.begin(f"remove/{sandbox.id}", partial(_remove_sandbox, work, sandbox))


async def remove_container(work: PodWork, container: ObservedContainer) -> None:
    await work.context.runtime.remove_container(container.id)
    await work.view.read_container(container.id)
    await work.context.files.remove_log(work.paths, container)


async def _remove_sandbox(work: PodWork, sandbox: ObservedSandbox) -> None:
    await work.context.runtime.remove_pod_sandbox(sandbox.id)
    await work.view.read_sandbox(sandbox.id)
