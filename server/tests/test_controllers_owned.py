"""What all owners of pods share: accounts of own writes, adoption and release, care with many."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeling.client.resources import PODS, REPLICA_SETS
from kubeling.objects.clock import FakeClock
from kubeling.objects.errors import InternalError
from kubeling.objects.meta import Object
from server.controllers.owned.expectations import TIMEOUT, Expectations
from server.controllers.owned.ownership import Claim
from server.controllers.owned.slow_start import slow_start
from server.tests.plane import Plane, started_plane


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        yield plane


def test_creations_are_expected_until_seen() -> None:
    expectations = Expectations(FakeClock())
    expectations.expect("k", creations=2)
    expectations.created("k")
    assert not expectations.satisfied("k")
    expectations.created("k")
    assert expectations.satisfied("k")


def test_a_deletion_is_met_once_by_its_uid() -> None:
    expectations = Expectations(FakeClock())
    expectations.expect("k", deletions=["a", "b"])
    expectations.deleted("k", "a")
    expectations.deleted("k", "a")
    assert not expectations.satisfied("k")
    expectations.deleted("k", "b")
    assert expectations.satisfied("k")


async def test_expectations_that_nobody_meets_are_forgotten() -> None:
    clock = FakeClock()
    expectations = Expectations(clock)
    expectations.expect("k", creations=1)
    await clock.advance(TIMEOUT)
    assert not expectations.satisfied("k")
    await clock.advance(1)
    assert expectations.satisfied("k")


async def test_slow_start_stops_after_the_first_batch_that_fails() -> None:
    tried: list[int] = []

    async def work(item: int) -> None:
        tried.append(item)
        if item >= 2:
            raise InternalError("no")

    done, failure = await slow_start(range(100), work)
    assert (done, str(failure)) == (2, "no")
    assert tried == [0, 1, 2]


def _pod(name: str, **labels: str) -> Object:
    spec = {"containers": [{"name": "c", "image": "i"}]}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


async def _owner(plane: Plane) -> Object:
    template = {"metadata": {"labels": {"a": "x"}}, "spec": _pod("p")["spec"]}
    spec = {"replicas": 0, "selector": {"matchLabels": {"a": "x"}}, "template": template}
    return await plane.create(REPLICA_SETS, {"metadata": {"name": "rs"}, "spec": spec})


async def test_what_the_selector_selects_is_adopted_and_released_when_it_does_no_more(plane: Plane) -> None:
    plane.client.informer(PODS)
    owner = await _owner(plane)
    await plane.create(PODS, _pod("mine", a="y"))
    claim = Claim(
        plane.client,
        owner,
        owner_resource=REPLICA_SETS,
        resource=PODS,
        selects=lambda labels: labels.get("a") == "y",
    )
    assert [pod["metadata"]["name"] for pod in await claim.claim(plane.list(PODS))] == ["mine"]
    adopted = await plane.client.get(PODS, "mine", namespace="ns")
    assert adopted["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
    await plane.patch(PODS, "mine", {"metadata": {"labels": {"a": "z"}}})
    assert await claim.claim(plane.list(PODS)) == []
    released = await plane.client.get(PODS, "mine", namespace="ns")
    assert "ownerReferences" not in released["metadata"]
