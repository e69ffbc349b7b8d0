"""A Deployment that is changed at random ends as its last specification says."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from kubeling.client.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.controllers.deployment.replica_sets import DESIRED_REPLICAS, is_same_template, size
from server.controllers.deployment.status import is_complete
from server.tests.plane import Plane, started_plane

STEPS = 40
_TEMPLATE = {"metadata": {"labels": {"a": "x"}}, "spec": {"containers": [{"name": "c", "image": "v0"}]}}


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        yield plane


class Chaos:
    """What users, nodes and bad luck do, chosen by `dice`."""

    def __init__(self, plane: Plane, dice: random.Random) -> None:
        self._plane = plane
        self._dice = dice

    async def step(self) -> None:
        acts: list[Callable[[], Awaitable[None]]] = [
            self._scale,
            self._renew,
            self._pause,
            self._switch,
            self._lose_pod,
            self._lose_set,
            self._resize_set,
            self._wait,
            *[self._become_ready] * 8,
        ]
        await self._dice.choice(acts)()

    async def end(self) -> None:
        """Nothing is broken any more: every pod gets ready in the end."""
        await self._patch({"paused": False})
        for _ in range(100):
            waiting = [pod for pod in self._pods() if not conditions.is_true(pod, "Ready")]
            if not waiting:
                return
            await self._set_ready(waiting[0])

    def deployment(self) -> Object:
        found = self._plane.get(DEPLOYMENTS, "d")
        assert found is not None
        return found

    def sets(self) -> list[Object]:
        return self._plane.list(REPLICA_SETS)

    async def _scale(self) -> None:
        await self._patch({"replicas": self._dice.randrange(9)})

    async def _renew(self) -> None:
        containers = [{"name": "c", "image": f"v{self._dice.randrange(4)}"}]
        await self._patch({"template": {"spec": {"containers": containers}}})

    async def _pause(self) -> None:
        await self._patch({"paused": self._dice.random() < 0.3})

    async def _switch(self) -> None:
        rolling = {"maxSurge": self._dice.randrange(1, 4), "maxUnavailable": self._dice.randrange(3)}
        rolls = {"type": "RollingUpdate", "rollingUpdate": rolling}
        recreates = {"type": "Recreate", "rollingUpdate": None}
        await self._patch({"strategy": self._dice.choice([rolls, rolls, recreates])})

    async def _lose_pod(self) -> None:
        if pods := self._pods():
            await self._plane.client.delete(PODS, meta.name(self._dice.choice(pods)), namespace="ns")
            await self._plane.settle()

    async def _lose_set(self) -> None:
        if sets := self.sets():
            await self._plane.client.delete(REPLICA_SETS, meta.name(self._dice.choice(sets)), namespace="ns")
            await self._plane.settle()

    async def _resize_set(self) -> None:
        if sets := self.sets():
            spec = {"replicas": self._dice.randrange(9)}
            await self._plane.patch(REPLICA_SETS, meta.name(self._dice.choice(sets)), {"spec": spec})

    async def _become_ready(self) -> None:
        if pods := self._pods():
            await self._set_ready(self._dice.choice(pods))

    async def _wait(self) -> None:
        await self._plane.advance(self._dice.choice([1, 30, 700]))

    async def _set_ready(self, pod: Object) -> None:
        await self._plane.set_pod(meta.name(pod))

    async def _patch(self, spec: Object) -> None:
        await self._plane.patch(DEPLOYMENTS, "d", {"spec": spec})

    def _pods(self) -> list[Object]:
        return [pod for pod in self._plane.list(PODS) if not meta.is_terminating(pod)]


@pytest.mark.parametrize("seed", range(4))
async def test_it_ends_as_it_is_specified(plane: Plane, seed: int) -> None:
    spec = {"replicas": 3, "selector": {"matchLabels": {"a": "x"}}, "template": _TEMPLATE}
    await plane.create(DEPLOYMENTS, {"metadata": {"name": "d"}, "spec": spec})
    chaos = Chaos(plane, random.Random(seed))
    for _ in range(STEPS):
        await chaos.step()
    await chaos.end()
    deployment = chaos.deployment()
    wanted = deployment["spec"]["replicas"]
    assert is_complete(deployment, deployment["status"])
    assert conditions.is_true(deployment, "Available")
    (current,) = [
        each
        for each in chaos.sets()
        if is_same_template(each["spec"]["template"], deployment["spec"]["template"])
    ]
    assert size(current) == wanted
    assert sum(map(size, chaos.sets())) == wanted
    assert len(plane.list(PODS)) == wanted
    if wanted:
        assert meta.annotations(current)[DESIRED_REPLICAS] == str(wanted)
