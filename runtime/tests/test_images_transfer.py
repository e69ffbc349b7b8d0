"""Pulls as they are carried out: shared, limited, given up."""

import asyncio
from dataclasses import dataclass, field

import pytest
from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import FakeClock
from kubeling.objects.tasks import Tasks
from runtime.errors import RuntimeFailed
from runtime.images.transfer import STALLED_AFTER, Pulled, Transfers
from runtime.kubelet_configuration import KubeletConfiguration


@dataclass
class Registry:
    """Pulls last until they are released."""

    asked: list[str] = field(default_factory=list)
    under_way: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False

    async def image_status(self, image: str) -> cri.Image | None:
        return cri.Image(id=f"id-{image}", size=7)

    async def pull_image(self, image: str, *, auth: cri.AuthConfig | None = None) -> str:
        self.asked.append(image)
        self.under_way += 1
        try:
            await self.open.wait()
        finally:
            self.under_way -= 1
        if self.broken:
            raise RuntimeFailed("no")
        return image


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_those_who_want_the_same_image_share_a_pull() -> None:
    registry, clock = Registry(), FakeClock()
    transfers = Transfers(registry, clock, KubeletConfiguration())
    async with Tasks("test") as tasks:
        pulls = [tasks.start(transfers.pull("a:1", None), name=str(at)) for at in range(5)]
        other = tasks.start(transfers.pull("a:1", cri.AuthConfig(username="me")), name="other")
        await settle()
        registry.open.set()
        found = [await each for each in [*pulls, other]]
    assert registry.asked == ["a:1", "a:1"]
    assert {each.image.id for each in found} == {"id-a:1"}


async def test_each_of_them_is_told_of_a_failure_and_the_next_pulls_anew() -> None:
    registry, clock = Registry(broken=True), FakeClock()
    registry.open.set()
    transfers = Transfers(registry, clock, KubeletConfiguration())
    for _ in range(2):
        results = await asyncio.gather(
            transfers.pull("a:1", None), transfers.pull("a:1", None), return_exceptions=True
        )
        assert [type(each) for each in results] == [RuntimeFailed, RuntimeFailed]
    assert registry.asked == ["a:1", "a:1"]


async def test_a_pull_ends_with_the_last_who_waits_for_it() -> None:
    registry, clock = Registry(), FakeClock()
    transfers = Transfers(registry, clock, KubeletConfiguration())
    async with Tasks("test") as tasks:
        first, second = (tasks.start(transfers.pull("a:1", None), name=str(at)) for at in range(2))
        await settle()
        first.cancel()
        await settle()
        assert registry.under_way == 1
        second.cancel()
        await settle()
        assert registry.under_way == 0


@pytest.mark.parametrize("serialize", [False, True])
async def test_so_many_are_pulled_at_once(serialize: bool) -> None:
    registry, clock = Registry(), FakeClock()
    kubelet = KubeletConfiguration(serialize_image_pulls=serialize, max_parallel_image_pulls=3)
    transfers = Transfers(registry, clock, kubelet)
    async with Tasks("test") as tasks:
        pulls = [tasks.start(transfers.pull(f"a:{at}", None), name=str(at)) for at in range(6)]
        await settle()
        assert registry.under_way == (1 if serialize else 3)
        registry.open.set()
        for each in pulls:
            await each
    assert len(registry.asked) == 6


async def test_so_many_a_second_are_begun() -> None:
    registry, clock = Registry(), FakeClock()
    registry.open.set()
    kubelet = KubeletConfiguration(registry_pull_qps=2, registry_burst=3, max_parallel_image_pulls=9)
    transfers = Transfers(registry, clock, kubelet)
    async with Tasks("test") as tasks:
        for at in range(6):
            tasks.start(transfers.pull(f"a:{at}", None), name=str(at))
        await settle()
        assert len(registry.asked) == 3
        await clock.advance(0.5)
        await settle()
        assert len(registry.asked) == 4
        await clock.advance(1)
        await settle()
        assert len(registry.asked) == 6


async def test_the_time_of_a_pull_is_without_the_wait() -> None:
    registry, clock = Registry(), FakeClock()
    transfers = Transfers(registry, clock, KubeletConfiguration(serialize_image_pulls=True))
    async with Tasks("test") as tasks:
        first = tasks.start(transfers.pull("a:1", None), name="first")
        second = tasks.start(transfers.pull("a:2", None), name="second")
        await settle()
        await clock.advance(4)
        registry.open.set()
        outcomes: list[Pulled] = [await first, await second]
    assert [each.seconds for each in outcomes] == [4, 0]


async def test_a_pull_without_progress_is_given_up() -> None:
    registry, clock, bytes_ = Registry(), FakeClock(), [0]

    async def progress() -> int:
        return bytes_[0]

    transfers = Transfers(registry, clock, KubeletConfiguration(), progress)
    async with Tasks("test") as tasks:
        pull = tasks.start(_caught(transfers), name="pull")
        await settle()
        for step in range(40):
            bytes_[0] += step < 5
            await clock.advance(30)
            await settle()
        assert await pull == f'failed to pull image "a:1": no progress for {STALLED_AFTER:g} seconds'
    assert registry.under_way == 0


async def _caught(transfers: Transfers) -> str:
    try:
        await transfers.pull("a:1", None)
    except RuntimeFailed as error:
        return error.message
    return ""
