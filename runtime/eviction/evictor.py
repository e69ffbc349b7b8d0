"""Watches the node's memory, disk and processes, and evicts pods before the node itself fails.

    look ──> a pod exceeds its own limits? ──yes──> evict all that do
     ▲            │ no
     │            ▼
     │       a threshold is met and its grace over? ──yes──> reclaim what nobody needs ──enough──┐
     │            │ no                                            │ not enough                   │
     │            ▼                                               ▼                              │
     └────── wait 10 s <──────────────────── evict one pod, wait until it is down <──────────────┘

What is measured is `runtime.stats`'; how a pod ends is its worker's.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object, uid
from runtime.errors import NodeError
from runtime.eviction import local_storage
from runtime.eviction.candidate import Candidate
from runtime.eviction.message import Eviction, pressure_message, shortage_message
from runtime.eviction.pressure import Pressure
from runtime.eviction.ranking import Usage, rank
from runtime.eviction.signals import (
    IMAGE_DISK,
    IMAGE_INODES,
    INODES,
    MEMORY_SIGNALS,
    STORAGE,
    Observations,
    condition,
    observe,
    observe_memory,
)
from runtime.eviction.thresholds import Threshold, by_urgency, met
from runtime.pods.cgroups.qos import is_critical
from runtime.stats.usage import Memory, NodeUsage, PodUsage

logger = logging.getLogger(__name__)

LOOK_EVERY = 10.0
MEMORY_EVERY = 1.0
"""Seconds between looks at memory alone, which can be gone long before the next whole look."""
AT_ONCE = 1.0
"""Seconds that a pod gets to end when the shortage is hard."""
PATIENCE = 30.0
"""Seconds for which an evicted pod's end is waited for."""


class Usages(Protocol):
    """What of `Statistics` is needed."""

    async def node(self) -> NodeUsage: ...

    async def pods(self) -> Sequence[PodUsage]: ...

    async def pods_with_disks(self) -> Sequence[PodUsage]: ...

    async def disks(self, wanted: Callable[[Object], bool], *, age: float) -> Sequence[PodUsage]: ...


class Warnings(Protocol):
    def warning(self, reason: str, message: str) -> None:
        """Record an event about the node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the evictor sees and can do."""

    usages: Usages
    memory: Callable[[], tuple[Memory | None, Memory | None]]
    """Of the whole node, and of all pods together with what they may have; cheap."""
    pods: Callable[[], Iterable[Candidate]]
    reclaim: Sequence[Callable[[], Awaitable[object]]]
    """What frees disk without a pod's loss: dead containers, images that nobody uses."""
    events: Warnings
    report: Callable[[frozenset[str]], None]
    """Is told the conditions that hold, after each look."""


class Evictor:
    def __init__(
        self, pressure: Pressure, surroundings: Surroundings, clock: Clock, *, soft_grace: int = 0
    ) -> None:
        """`soft_grace` is what a pod gets to end at most when the shortage is soft; 0 leaves it its own."""
        self._pressure = pressure
        self._around = surroundings
        self._clock = clock
        self._soft_grace = soft_grace
        self._separate_images = False

    @property
    def conditions(self) -> frozenset[str]:
        """The pressures that the node is under."""
        return self._pressure.conditions

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                evicted = await self.look()
            except NodeError as error:
                logger.warning("cannot look at what the node has left: %s", error)
                evicted = ()
            await (self._until_down(evicted) if evicted else self._pause())

    async def notice(self) -> None:
        """Tell the pressures that the node is under, without doing anything about them."""
        await self._update()

    async def look(self) -> Sequence[Candidate]:
        """Evict whatever has to be; returns those that are ending now."""
        pods = [each for each in self._around.pods() if not is_critical(each.pod)]
        acting, seen = await self._update()
        exceeding = await self._evict_exceeding(pods)
        if exceeding or not acting:
            return exceeding
        threshold = by_urgency(acting)[0]
        self._around.events.warning("EvictionThresholdMet", f"Attempting to reclaim {threshold.resource}")
        if await self._reclaim(threshold):
            return []
        return await self._evict_one(pods, threshold, by_urgency(acting), seen)

    async def _update(self) -> tuple[list[Threshold], Observations]:
        """The thresholds that call for action, and what was observed."""
        seen = await self._observe()
        before = self._pressure.conditions
        acting = self._pressure.update(seen, self._clock.monotonic())
        self._tell(before, seen)
        return acting, seen

    def _tell(self, before: frozenset[str], seen: Observations) -> None:
        """The conditions are upstream's and give no numbers: an event of our own does, once."""
        self._around.report(self._pressure.conditions)
        for threshold in self._pressure.met:
            if condition(threshold.signal) not in before:
                message = shortage_message(threshold, seen[threshold.signal])
                logger.warning("%s", message)
                self._around.events.warning("LowOnResource", message)

    async def _observe(self) -> Observations:
        node = await self._around.usages.node()
        self._separate_images = node.separate_images
        return {**observe(node), **self._memory()}

    def _memory(self) -> Observations:
        return observe_memory(*self._around.memory())

    # Pods that take more than their own limits allow.

    async def _evict_exceeding(self, pods: Iterable[Candidate]) -> list[Candidate]:
        limited = {uid(each.pod): each for each in pods if local_storage.is_limited(each.pod)}
        if not limited:
            return []
        usages = await self._around.usages.disks(lambda pod: uid(pod) in limited, age=LOOK_EVERY / 2)
        evicted = []
        for usage in usages:
            found = local_storage.excess(usage, separate_images=self._separate_images)
            if found is not None:
                evicted.append(self._evict(limited[uid(usage.pod)], Eviction(*found, AT_ONCE)))
        return evicted

    # The node is short of something.

    async def _reclaim(self, threshold: Threshold) -> bool:
        """Free what nobody needs; whether that was enough."""
        on_images = threshold.signal in (IMAGE_DISK, IMAGE_INODES)
        if threshold.resource not in (STORAGE, INODES) or (self._separate_images and not on_images):
            return False
        for reclaim in self._around.reclaim:
            try:
                await reclaim()
            except NodeError as error:
                logger.warning("while reclaiming %s: %s", threshold.resource, error)
        return not met(self._pressure.thresholds, await self._observe(), with_reclaim=True)

    async def _evict_one(
        self,
        pods: Sequence[Candidate],
        threshold: Threshold,
        acting: Sequence[Threshold],
        seen: Observations,
    ) -> list[Candidate]:
        usage = await self._usage(threshold.resource)
        ranked = rank(
            [each.pod for each in pods],
            usage,
            resource=threshold.resource,
            signal=threshold.signal,
            separate_images=self._separate_images,
        )
        if not ranked:
            logger.error("%s is short, but there is no pod that could be evicted", threshold.signal)
            return []
        first = ranked[0]
        candidate = next(each for each in pods if each.pod is first)
        message, notes = pressure_message(threshold.resource, first, usage.get(uid(first)), acting, seen)
        grace = AT_ONCE if threshold.hard else self._soft_grace_of(first)
        eviction = Eviction(threshold.signal, message, grace, disruption=True, annotations=notes)
        return [self._evict(candidate, eviction)]

    def _soft_grace_of(self, pod: Object) -> float | None:
        return float(self._soft_grace) if self._soft_grace > 0 else None

    async def _usage(self, resource: str) -> Usage:
        on_disk = resource in (STORAGE, INODES)
        usages = self._around.usages
        found = await (usages.pods_with_disks() if on_disk else usages.pods())
        return {uid(each.pod): each for each in found}

    def _evict(self, candidate: Candidate, eviction: Eviction) -> Candidate:
        pod = candidate.pod["metadata"]
        logger.warning("evicting pod %s/%s: %s", pod.get("namespace"), pod.get("name"), eviction.message)
        candidate.evict(eviction)
        return candidate

    # Waiting.

    async def _until_down(self, evicted: Sequence[Candidate]) -> None:
        """What an evicted pod held is free when it is down: only then it is worth another look."""
        for _ in range(int(PATIENCE)):
            await self._clock.sleep(1.0)
            if all(each.over for each in evicted):
                return

    async def _pause(self) -> None:
        """Until the next whole look is due, or memory has become short."""
        until = self._clock.monotonic() + LOOK_EVERY
        watched = [each for each in self._pressure.thresholds if each.hard and each.signal in MEMORY_SIGNALS]
        if met(watched, self._memory()):
            watched = []  # that is known, and nothing could be done about it
        while (left := until - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(MEMORY_EVERY, left) if watched else left)
            if watched and met(watched, self._memory()):
                return
