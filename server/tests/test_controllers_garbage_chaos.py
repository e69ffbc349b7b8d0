"""Random owners, random deletions: at the end there is exactly what the rules leave.

What must stay, and what must go, is said here without a graph in time: only by the final references.
"""

import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from kubeling.client.resources import CLUSTER_ROLES, CONFIGMAPS, SECRETS, Resource
from kubeling.objects import meta
from kubeling.objects.errors import ApiError, NotFound
from kubeling.objects.meta import Object
from server.tests.owner_references import NOBODY, names, owner_of, owners
from server.tests.plane import Plane, started_plane

KINDS = (CONFIGMAPS, SECRETS, CLUSTER_ROLES)
POLICIES = ("Background", "Foreground", "Orphan")


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        yield plane


class Family:
    """Objects of several kinds with random owners among them; cluster-scoped ones own, and have no owners."""

    def __init__(self, plane: Plane, chance: random.Random) -> None:
        self._plane = plane
        self._chance = chance
        self.made: list[Object] = []

    async def step(self) -> None:
        act = self._chance.choices((self.create, self.delete, self.refer, self.rest), (6, 3, 2, 2))[0]
        await act()

    async def create(self) -> None:
        resource = self._chance.choices(KINDS, (6, 3, 1))[0]
        own: Object = {"name": f"c{len(self.made)}"}
        if resource.namespaced:
            own |= {"namespace": "ns", "ownerReferences": self._references()}
        obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": own}
        self.made.append(await self._plane.client.create(resource, obj))

    async def delete(self) -> None:
        if not self.made:
            return
        policy, obj = self._chance.choice(POLICIES), self._chance.choice(self.made)
        with suppress(NotFound):
            await self._plane.client.delete(
                _resource(obj), meta.name(obj), namespace=meta.namespace(obj), propagation_policy=policy
            )

    async def refer(self) -> None:
        """Give one other owners, which may close circles."""
        within = [each for each in self.made if meta.namespace(each)]
        if not within:
            return
        obj, patch = self._chance.choice(within), {"metadata": {"ownerReferences": self._references()}}
        with suppress(ApiError):
            await self._plane.client.patch(_resource(obj), meta.name(obj), patch, namespace="ns")

    async def rest(self) -> None:
        await self._plane.settle()

    def _references(self) -> list[Object]:
        count = min(self._chance.choice((0, 0, 1, 1, 1, 2, 3)), len(self.made))
        owners = self._chance.sample(self.made, count)
        found = [owner_of(each, blockOwnerDeletion=self._chance.random() < 0.6) for each in owners]
        if found and self._chance.random() < 0.1:
            found[0]["uid"] = NOBODY
        return found


def _resource(obj: Object) -> Resource:
    return next(each for each in KINDS if each.kind == obj["kind"])


@pytest.mark.parametrize("seed", range(8))
async def test_at_rest_everything_has_an_owner_or_never_had_one_and_nothing_waits(
    plane: Plane, seed: int
) -> None:
    family = Family(plane, random.Random(seed))
    for _ in range(60):
        await family.step()
    await plane.settle()
    await plane.advance(60)
    left = {meta.uid(each): each for resource in KINDS for each in plane.list(resource)}
    for each in left.values():
        references = each["metadata"].get("ownerReferences") or []
        assert not meta.is_terminating(each), f"{meta.name(each)} waits for ever"
        assert all(reference["uid"] in left for reference in references), f"{meta.name(each)} hangs on"


class Model:
    """The same rules without time, for objects that are deleted one after the other, each at rest."""

    def __init__(self) -> None:
        self.owners: dict[str, set[str]] = {}

    def delete(self, name: str, policy: str) -> None:
        del self.owners[name]
        lost = {name}
        while lost:
            before = {each for each, references in self.owners.items() if references}
            for references in self.owners.values():
                references -= lost
            bereft = {each for each in before if not self.owners[each]}
            lost = bereft if policy != "Orphan" else set()
            for each in lost:
                del self.owners[each]


@pytest.mark.parametrize("seed", range(8))
async def test_what_is_left_is_what_the_rules_leave(plane: Plane, seed: int) -> None:
    chance, model = random.Random(seed), Model()
    made: list[Object] = []
    for number in range(25):
        chosen = chance.sample(made, min(chance.choice((0, 1, 1, 2, 3)), len(made)))
        references = [owner_of(each, blockOwnerDeletion=chance.random() < 0.6) for each in chosen]
        own = {"name": f"c{number}", "ownerReferences": references}
        made.append(await plane.create(CONFIGMAPS, {"metadata": own}))
        model.owners[f"c{number}"] = {meta.name(each) for each in chosen}
    while model.owners and chance.random() < 0.9:
        name, policy = chance.choice(sorted(model.owners)), chance.choice(POLICIES)
        await plane.client.delete(CONFIGMAPS, name, namespace="ns", propagation_policy=policy)
        await plane.settle()
        model.delete(name, policy)
        assert names(plane) == set(model.owners), f"after {policy} of {name}"
    assert {name: set(owners(plane, name)) for name in model.owners} == {
        name: set(references) for name, references in model.owners.items()
    }
