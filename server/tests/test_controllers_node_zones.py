"""How fast the nodes of a zone may be emptied, and when a silent node is noticed: without a control plane."""

from collections.abc import AsyncIterator

import pytest

from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from server.controllers.nodes.heartbeats import Heartbeats
from server.controllers.nodes.zones import FULL, NORMAL, PARTIAL, Zones


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def node(name: str, zone: str = "", **labels: str) -> Object:
    placed = {"topology.kubernetes.io/zone": zone} if zone else {}
    return {"metadata": {"name": name, "labels": {**placed, **labels}}}


class Watched:
    """Zones with what they have reported."""

    def __init__(self, clock: FakeClock) -> None:
        self.admitted: list[str] = []
        self.shifts = 0
        self.zones = Zones(clock, admitted=self.admitted.append, shifted=self._shifted)

    def add(self, count: int, *, ready: int, zone: str = "", prefix: str = "n") -> None:
        for number in range(count):
            self.zones.observe(node(f"{prefix}{number}", zone), ready=number < ready)

    def _shifted(self) -> None:
        self.shifts += 1


@pytest.fixture
async def watched(clock: FakeClock) -> AsyncIterator[Watched]:
    watched = Watched(clock)
    yield watched
    await watched.zones.stop()


async def test_a_healthy_zone_is_emptied_one_node_in_ten_seconds(watched: Watched, clock: FakeClock) -> None:
    watched.add(10, ready=7)
    assert [watched.zones.may_empty(name) for name in ("n7", "n8", "n9")] == [True, False, False]
    await clock.advance(10)
    assert watched.admitted == ["n7", "n8"]
    await clock.advance(10)
    assert watched.admitted == ["n7", "n8", "n9"]


async def test_a_node_that_is_back_is_not_emptied(watched: Watched, clock: FakeClock) -> None:
    watched.add(10, ready=7)
    for name in ("n7", "n8", "n9"):
        watched.zones.may_empty(name)
    watched.zones.withdraw("n8")
    await clock.advance(10)
    assert watched.admitted == ["n7", "n9"]


async def test_a_small_zone_in_trouble_is_left_alone_a_large_one_emptied_slowly(
    watched: Watched, clock: FakeClock
) -> None:
    watched.add(10, ready=4, zone="small", prefix="s")
    watched.add(100, ready=40, zone="large", prefix="l")
    for name in ("s8", "s9", "l98", "l99"):
        watched.zones.may_empty(name)
    await clock.advance(99)
    assert watched.admitted == ["l98"]
    await clock.advance(1)
    assert watched.admitted == ["l98", "l99"]


async def test_states_follow_the_share_of_nodes_that_are_not_ready(watched: Watched) -> None:
    states = []
    for ready in (10, 5, 4, 0):
        watched.add(10, ready=ready, zone="z")
        watched.add(1, ready=1, zone="other", prefix="o")
        states.append(watched.zones.state(":\0:z"))
    assert states == [NORMAL, NORMAL, PARTIAL, FULL]
    assert not watched.zones.blackout


async def test_no_ready_node_at_all_stops_everything(watched: Watched, clock: FakeClock) -> None:
    watched.add(3, ready=1)
    watched.zones.may_empty("n2")
    watched.zones.may_empty("n1")
    watched.add(3, ready=0)
    assert (watched.zones.blackout, watched.shifts) == (True, 1)
    await clock.advance(100)
    assert watched.admitted == ["n2"]
    watched.add(3, ready=1)
    assert (watched.zones.blackout, watched.shifts) == (False, 2)
    await clock.advance(10)
    assert watched.admitted == ["n2", "n1"]


async def test_excluded_nodes_do_not_count(watched: Watched) -> None:
    watched.add(3, ready=3)
    out = {"node.kubernetes.io/exclude-disruption": "true"}
    for number in range(9):
        watched.zones.observe(node(f"x{number}", **out), ready=False)
    assert watched.zones.state("") == NORMAL


async def test_silence_is_reported_once_and_ends_with_a_sign(clock: FakeClock) -> None:
    reported: list[str] = []
    heartbeats = Heartbeats(clock, reported.append)
    for name, grace in (("a", 50.0), ("b", 50.0), ("new", 60.0)):
        heartbeats.expect(name, grace)
    await clock.advance(30)
    heartbeats.beat("b")
    await clock.advance(25)
    assert reported == ["a"]
    assert (heartbeats.is_silent("a"), heartbeats.is_silent("b")) == (True, False)
    heartbeats.beat("a")
    assert not heartbeats.is_silent("a")
    await clock.advance(5)
    assert reported == ["a", "new"]
    heartbeats.forget("b")
    await clock.advance(100)
    assert reported == ["a", "new", "a"]
    await heartbeats.stop()
