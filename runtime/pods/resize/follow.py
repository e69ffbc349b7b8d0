"""In-place resize, put in force: the pod's cgroup and its containers' follow what the node has given.

What grows in all grows from the outside in, what shrinks from the inside out: containers never have more
than their pod. Memory comes before cpu. Containers whose resize policy says so are restarted instead.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object
from runtime.errors import NodeError
from runtime.pods.activities import RetryLater
from runtime.pods.cgroups.tree import UNLIMITED, Limits
from runtime.pods.containers.kinds import containers_of
from runtime.pods.resize import allocation as allocations
from runtime.pods.resize.allocation import UnderWay
from runtime.pods.resize.decide import changed, limits_of, restart_policy
from runtime.pods.resize.report import message
from runtime.pods.work import PodWork

RETRY = 10.0
"""Seconds after which what could not be put in force is tried again."""


class BelowUsage(NodeError):
    """More memory is in use than there is to be."""


def must_restart(work: PodWork) -> frozenset[str]:
    """The containers that get their new resources by a restart."""
    under_way = _under_way(work)
    if under_way is None or not under_way.containers:
        return frozenset()
    before = allocations.in_force(work.pod, work.allocation)
    return frozenset(
        name
        for name in under_way.containers
        if (each := work.container(name)) is not None
        and any(
            restart_policy(each, resource) == "RestartContainer"
            for resource in changed(before, work.pod, each, work)
        )
    )


def go_on(work: PodWork) -> None:
    """Begin what is left to do; notice when all is done."""
    under_way = _under_way(work)
    if under_way is None:
        return
    if not under_way.followed:
        restarting = must_restart(work)
        if not any(each.name in restarting for each in work.view.observed.running()):
            work.activities.begin("resize", partial(_follow, work, restarting))
    elif not under_way.containers:
        _complete(work, under_way)


def held(work: PodWork, container: Object) -> bool:
    """Whether the container's start waits for the pod's cgroup."""
    under_way = _under_way(work)
    return under_way is not None and not under_way.followed and container["name"] in under_way.containers


def started(work: PodWork, name: str) -> None:
    """A container has been started: with its new resources."""
    under_way = _under_way(work)
    if under_way is not None and name in under_way.containers:
        _put(work, replace(under_way, containers=_without(under_way, {name})))


async def _follow(work: PodWork, restarting: frozenset[str]) -> None:
    """Raises: RetryLater."""
    under_way = _under_way(work)
    if under_way is None:
        return
    try:
        if work.view.observed.ready_sandbox is not None:
            updates = _updates(work, under_way.containers.keys() - restarting)
            await _follow_memory(work, updates)
            await _follow_cpu(work, updates)
    except NodeError as error:
        _failed(work, under_way, str(error))
        raise RetryLater(RETRY) from error
    work.resize_error = ""
    done, now = under_way.containers.keys() - restarting, _under_way(work) or under_way
    _put(work, replace(now, containers=_without(now, done), followed=True))


@dataclass(frozen=True, slots=True)
class _Update:
    """One running container: what it has and what it is to have."""

    container_id: str
    name: str
    was: cri.LinuxContainerResources
    wanted: cri.LinuxContainerResources

    @property
    def more_memory(self) -> int:
        """Bytes; no limit is more than any."""
        return _size(limits_of(self.wanted)[2]) - _size(limits_of(self.was)[2])

    @property
    def memory_alone(self) -> cri.LinuxContainerResources:
        made = cri.LinuxContainerResources()
        made.CopyFrom(self.wanted)
        made.cpu_shares, made.cpu_quota = self.was.cpu_shares, self.was.cpu_quota
        return made

    @property
    def more_cpu(self) -> int:
        was, wanted = limits_of(self.was), limits_of(self.wanted)
        return _size(wanted[1]) - _size(was[1]) or wanted[0] - was[0]


def _size(limit: int) -> int:
    """No limit is more than any."""
    return limit or 1 << 62


def _updates(work: PodWork, names: Iterable[str]) -> list[_Update]:
    before, rules = allocations.in_force(work.pod, work.allocation), work.context.rules
    specs = {each["name"]: each for each in containers_of(before)}
    found = []
    for name in sorted(names):
        latest, new = work.view.observed.latest(name), work.container(name)
        if latest is not None and latest.running and new is not None:
            was = latest.resources or rules.container(before, specs[name])
            found.append(_Update(latest.id, name, was, rules.container(work.pod, new)))
    return found


async def _follow_memory(work: PodWork, updates: list[_Update]) -> None:
    now, wanted = await work.context.cgroups.limits(work.pod), work.context.rules.pod(work.pod).memory
    _check_usage(work, now.memory, wanted, updates)
    more = _more(now.memory, wanted)
    if more > 0:
        await work.context.cgroups.limit(work.pod, Limits(memory=wanted))
    for each in sorted(updates, key=lambda each: each.more_memory):
        if each.more_memory:
            await _update(work, each, each.memory_alone)
    if more < 0:
        await work.context.cgroups.limit(work.pod, Limits(memory=wanted))


async def _follow_cpu(work: PodWork, updates: list[_Update]) -> None:
    now, wanted = await work.context.cgroups.limits(work.pod), work.context.rules.pod(work.pod)
    quota = Limits(cpu_quota=wanted.cpu_quota, cpu_period=wanted.cpu_period)
    shares = Limits(cpu_shares=wanted.cpu_shares)
    more_quota, more_shares = _more(now.cpu_quota, wanted.cpu_quota), _more(now.cpu_shares, wanted.cpu_shares)
    for limits in [*([quota] if more_quota > 0 else []), *([shares] if more_shares > 0 else [])]:
        await work.context.cgroups.limit(work.pod, limits)
    for each in sorted(updates, key=lambda each: each.more_cpu):
        if each.more_cpu:
            await _update(work, each, each.wanted)
    for limits in [*([shares] if more_shares < 0 else []), *([quota] if more_quota < 0 else [])]:
        await work.context.cgroups.limit(work.pod, limits)


def _more(now: int | None, wanted: int | None) -> int:
    """How much larger the limit is to be; what is not to be limited is left as it is."""
    if now is None or wanted is None:
        return 0
    was, is_to_be = (1 << 62 if each == UNLIMITED else each for each in (now, wanted))
    return is_to_be - was


async def _update(work: PodWork, each: _Update, resources: cri.LinuxContainerResources) -> None:
    await work.context.runtime.update_container_resources(each.container_id, resources)
    await work.view.read_container(each.container_id)


def _check_usage(work: PodWork, now: int | None, wanted: int | None, updates: list[_Update]) -> None:
    """Raises BelowUsage: the kernel would kill, or refuse."""
    found = []
    if wanted is not None and _more(now, wanted) < 0:
        used = work.context.cgroups.memory_usage(work.pod)
        if used is not None and used >= wanted:
            found.append(f"attempting to set pod memory limit ({wanted}) below current usage ({used})")
    for each in updates:
        used = work.context.cgroups.memory_usage(work.pod, each.container_id)
        limit = each.wanted.memory_limit_in_bytes
        if each.more_memory < 0 and used is not None and used >= limit:
            found.append(
                f'attempting to set container "{each.name}" memory limit ({limit}) '
                f"below current usage ({used})"
            )
    if found:
        raise BelowUsage(found[0] if len(found) == 1 else f"[{', '.join(found)}]")


def _failed(work: PodWork, under_way: UnderWay, error: str) -> None:
    first = not work.resize_error
    work.resize_error = error
    if first:
        work.events.warning("ResizeError", message("error", work.pod, under_way.generation, error))


def _complete(work: PodWork, under_way: UnderWay) -> None:
    _put(work, None)
    work.events.normal("ResizeCompleted", message("completed", work.pod, under_way.generation))
    work.context.admitted.take(work)
    work.context.admitted.tell()


def _put(work: PodWork, under_way: UnderWay | None) -> None:
    assert work.allocation is not None
    work.allocation = replace(work.allocation, under_way=under_way)
    work.context.files.keep(work.paths, work.allocation)


def _under_way(work: PodWork) -> UnderWay | None:
    return work.allocation.under_way if work.allocation is not None else None


def _without(under_way: UnderWay, names: Iterable[str]) -> dict[str, Object]:
    gone = set(names)
    return {name: each for name, each in under_way.containers.items() if name not in gone}
