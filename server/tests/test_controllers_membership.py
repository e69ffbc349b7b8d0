"""Which pods a Service selects, kept from change to change, is what a search through all would find."""

import random
from collections.abc import AsyncIterator

import pytest

from kubeling.client.fake import FakeClient
from kubeling.client.resources import PODS, SERVICES
from kubeling.objects import meta
from kubeling.objects.clock import let_others_run
from kubeling.objects.meta import Object
from server.controllers.endpoints.membership import Membership


class World:
    """A few names, labels and namespaces, so that things meet."""

    def __init__(self, client: FakeClient, chance: random.Random) -> None:
        self.client = client
        self.chance = chance
        self.pods: dict[tuple[str, str], Object] = {}
        self.services: dict[tuple[str, str], Object] = {}

    def change(self) -> None:
        place = (self.chance.choice("xy"), f"n{self.chance.randrange(6)}")
        objects, resource, new = self.chance.choice(
            [(self.pods, PODS, self._pod), (self.services, SERVICES, self._service)]
        )
        if place in objects and self.chance.random() < 0.3:
            del objects[place]
            self.client.remove(resource, place[1], namespace=place[0])
        else:
            objects[place] = new(*place)
            self.client.put(objects[place])

    def selected(self, service: Object) -> set[str]:
        selector = service["spec"].get("selector") or {}
        return {
            name
            for (namespace, name), pod in self.pods.items()
            if selector
            and namespace == meta.namespace(service)
            and selector.items() <= dict(meta.labels(pod)).items()
        }

    def _labels(self, least: int) -> dict[str, str]:
        keys = self.chance.sample("abc", self.chance.randint(least, 3))
        return {key: self.chance.choice("12") for key in keys}

    def _pod(self, namespace: str, name: str) -> Object:
        metadata = {"namespace": namespace, "name": name, "labels": self._labels(1)}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}}

    def _service(self, namespace: str, name: str) -> Object:
        selector = self._labels(0)
        metadata = {"namespace": namespace, "name": name}
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": selector}}


@pytest.fixture
async def client() -> AsyncIterator[FakeClient]:
    client = FakeClient()
    yield client
    await client.close()


@pytest.mark.parametrize("seed", range(5))
async def test_membership_is_what_a_search_would_find(client: FakeClient, seed: int) -> None:
    world = World(client, random.Random(seed))
    membership = Membership(client.informer(PODS), client.informer(SERVICES))
    for _ in range(60):
        for _ in range(3):
            world.change()
        await let_others_run()
        for service in world.services.values():
            found = {meta.name(pod) for pod in membership.pods(meta.key(service))}
            assert found == world.selected(service)


async def test_only_what_counts_is_told(client: FakeClient) -> None:
    world, told = World(client, random.Random(0)), list[str]()
    membership = Membership(client.informer(PODS), client.informer(SERVICES))
    membership.follow(told.append)
    client.put({**world._service("x", "s"), "spec": {"selector": {"a": "1"}}})
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "x", "name": "p", "labels": {"a": "1"}},
    }
    client.put({**pod, "status": {"phase": "Pending"}})
    await let_others_run()
    assert set(told) == {"x/s"}
    told.clear()
    client.put({**pod, "status": {"phase": "Pending", "message": "nothing that counts"}})
    client.put({**pod, "metadata": {"namespace": "x", "name": "other", "labels": {"b": "1"}}})
    await let_others_run()
    assert told == []
    client.put({**pod, "status": {"phase": "Running", "podIP": "10.0.0.1"}})
    await let_others_run()
    assert told == ["x/s"]
