"""Jobs whose controller loses answers, is refused and starts anew at any moment: each pod is counted once."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kubeling.client import Client, ConnectionLost
from kubeling.client.resources import JOBS, PODS
from kubeling.objects import conditions, meta
from kubeling.objects.errors import InternalError
from kubeling.objects.meta import Object
from server.tests.plane import Plane, started_plane
from server.tests.test_controllers_job import end_pod, job_of, pods_of, start_job


class Faulty:
    """Lets writes of the job controller fail, before or after they have taken effect."""

    def __init__(self, plane: Plane, chance: random.Random) -> None:
        self._plane = plane
        self._chance = chance
        self._client = plane.acting
        self.share = 0.15
        plane.acting = self.acting

    def acting(self, name: str) -> Client:
        client = self._client(name)
        if name == "job-controller":
            for verb in ("create", "update", "patch", "delete"):
                setattr(client, verb, self._disturbed(getattr(client, verb)))
        return client

    def _disturbed(self, request: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def disturbed(*arguments: Any, **more: Any) -> Any:
            lot = self._chance.random()
            if lot < self.share / 2:
                raise InternalError("refused by the test")
            answer = await request(*arguments, **more)
            if lot < self.share:
                raise ConnectionLost("the test has swallowed the answer")
            return answer

        return disturbed


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        for resource in (PODS, JOBS):
            plane.client.informer(resource)
        yield plane


async def nothing() -> None:
    """What happens while no controller runs."""


async def disturb(plane: Plane, chance: random.Random, *, failing: float) -> Counter[str]:
    """Let pods end, time pass and controllers start anew until the job has ended; how the pods ended."""
    ended: Counter[str] = Counter()
    seen: set[str] = set()
    for _ in range(300):
        if conditions.is_true(job_of(plane), "Complete") or conditions.is_true(job_of(plane), "Failed"):
            return ended
        for pod in pods_of(plane, "Pending"):
            if chance.random() < 0.6 and meta.uid(pod) not in seen:
                code = int(chance.random() < failing)
                seen.add(meta.uid(pod))
                await end_pod(plane, pod, code=code)
                ended["Failed" if code else "Succeeded"] += 1
        if chance.random() < 0.15:
            await plane.restart_controllers(between=nothing)
        await plane.advance(60)
    raise AssertionError(job_of(plane)["status"])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spec", [{}, {"completionMode": "Indexed"}], ids=["plain", "indexed"])
async def test_every_pod_is_counted_once(plane: Plane, seed: int, spec: Object) -> None:
    chance = random.Random(seed)
    Faulty(plane, chance)
    await plane.restart_controllers(between=nothing)
    await start_job(plane, completions=8, parallelism=3, backoffLimit=1000, **spec)
    ended = await disturb(plane, chance, failing=0.3)
    await plane.advance(1200)
    status = job_of(plane)["status"]
    assert (status["succeeded"], status.get("failed", 0)) == (ended["Succeeded"], ended["Failed"])
    assert status["succeeded"] == 8
    assert status["uncountedTerminatedPods"] == {}
    assert not [pod for pod in pods_of(plane) if "finalizers" in pod["metadata"]]
    assert not pods_of(plane, "Pending")


@pytest.mark.parametrize("seed", range(4))
async def test_indexes_fail_by_themselves_in_spite_of_faults(plane: Plane, seed: int) -> None:
    chance = random.Random(seed)
    Faulty(plane, chance)
    await plane.restart_controllers(between=nothing)
    await start_job(plane, completions=6, parallelism=3, completionMode="Indexed", backoffLimitPerIndex=1)
    ended = await disturb(plane, chance, failing=0.5)
    await plane.advance(1200)
    status = job_of(plane)["status"]
    assert (status.get("succeeded", 0), status.get("failed", 0)) == (ended["Succeeded"], ended["Failed"])
    assert not [pod for pod in pods_of(plane) if "finalizers" in pod["metadata"]]
