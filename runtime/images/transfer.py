"""Pulls as the runtime carries them out: so many at once, so many a second, one for all who want the same.

Whether an image is to be pulled, and what is said about it, is `pull`'s. Unlike the kubelet, which fails a
pull that comes too soon after the others (registryPullQPS), a pull here waits for its turn.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks
from runtime.errors import RuntimeFailed, RuntimeServiceError
from runtime.kubelet_configuration import KubeletConfiguration

STALLED_AFTER, LOOK_EVERY = 300.0, 30.0
"""Seconds without progress after which a pull is given up, as newer runtimes do, and between looks."""

Progress = Callable[[], Awaitable[Hashable]]
"""Something that differs when any pull has got on."""


class ImageStore(Protocol):
    """What of `ContainerRuntime` a puller needs."""

    async def image_status(self, image: str) -> cri.Image | None: ...

    async def pull_image(self, image: str, *, auth: cri.AuthConfig | None = None) -> str: ...


class Pulled(NamedTuple):
    image: cri.Image
    seconds: float
    """How long the pull itself took, without waiting for its turn."""


Outcome = Pulled | RuntimeServiceError
"""An error is a result here: it is nobody's but theirs who wait."""


@dataclass(slots=True)
class _Shared:
    task: "asyncio.Task[Outcome]"
    waiting: int = 0


class Transfers:
    def __init__(
        self,
        runtime: ImageStore,
        clock: Clock,
        kubelet: KubeletConfiguration,
        progress: Progress | None = None,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._progress = progress
        self._tasks = Tasks("image-pulls")
        self._shared: dict[tuple[str, bytes], _Shared] = {}
        parallel = 1 if kubelet.serialize_image_pulls else kubelet.max_parallel_image_pulls
        self._slots = asyncio.Semaphore(parallel)
        self._pace = _Pace(clock, rate=kubelet.registry_pull_qps, burst=kubelet.registry_burst)

    async def pull(self, image: str, auth: cri.AuthConfig | None) -> Pulled:
        """Pull, or wait for a pull of the same image with the same login that is under way.

        It goes on while anybody waits for it, and is given up when nobody does.

        Raises:
            RuntimeServiceError
        """
        key = (image, auth.SerializeToString(deterministic=True) if auth else b"")
        shared = self._shared.get(key)
        if shared is None:
            shared = self._shared[key] = _Shared(self._tasks.start(self._pull(image, auth), name=image))
            shared.task.add_done_callback(lambda task: self._forget(key, task))
        shared.waiting += 1
        try:
            await asyncio.wait([shared.task])
        finally:
            shared.waiting -= 1
            if not shared.waiting and not shared.task.done():
                self._forget(key, shared.task)
                shared.task.cancel()
        outcome = shared.task.result()
        if isinstance(outcome, RuntimeServiceError):
            raise outcome
        return outcome

    def _forget(self, key: tuple[str, bytes], task: "asyncio.Task[Outcome]") -> None:
        if key in self._shared and self._shared[key].task is task:
            del self._shared[key]

    async def _pull(self, image: str, auth: cri.AuthConfig | None) -> Outcome:
        try:
            async with self._slots:
                await self._pace.turn()
                began = self._clock.monotonic()
                identifier = await self._watched(image, auth)
                took = self._clock.monotonic() - began
            found = await self._runtime.image_status(identifier)
        except RuntimeServiceError as error:
            return error
        return Pulled(found if found is not None else cri.Image(id=identifier), took)

    async def _watched(self, image: str, auth: cri.AuthConfig | None) -> str:
        if self._progress is None:
            return await self._runtime.pull_image(image, auth=auth)
        try:
            async with asyncio.timeout(None) as limit, Tasks(f"image-pull-{image}") as tasks:
                tasks.start(self._watch(self._progress, limit), name="progress")
                return await self._runtime.pull_image(image, auth=auth)
        except TimeoutError as error:
            text = f'failed to pull image "{image}": no progress for {STALLED_AFTER:g} seconds'
            raise RuntimeFailed(text) from error

    async def _watch(self, progress: Progress, limit: asyncio.Timeout) -> None:
        """Let the pull run out when there has been no progress for too long."""
        seen, since = await progress(), self._clock.monotonic()
        while self._clock.monotonic() - since < STALLED_AFTER:
            await self._clock.sleep(LOOK_EVERY)
            now = await progress()
            if now != seen:
                seen, since = now, self._clock.monotonic()
        limit.reschedule(0.0)


class _Pace:
    """At most `burst` at once, `rate` a second after that; a rate of 0 is no limit."""

    def __init__(self, clock: Clock, *, rate: float, burst: int) -> None:
        self._clock = clock
        self._interval = 1 / rate if rate > 0 else 0.0
        self._allowance = self._interval * max(burst - 1, 0)
        self._next = -math.inf

    async def turn(self) -> None:
        now = self._clock.monotonic()
        due = max(self._next, now - self._allowance)
        self._next = due + self._interval
        if due > now:
            await self._clock.sleep(due - now)
