"""The server's own client follows custom kinds as they come and go."""

import asyncio
from typing import Any

import pytest

from kubeling.client.resources import Resource
from kubeling.objects.clock import FakeClock
from kubeling.objects.errors import NotFound
from server.inprocess import LocalClient, user
from server.registry.admission import AdmitAll
from server.registry.custom.lifecycle import CustomResources
from server.registry.registry import Registry
from server.tests.conftest import OpenStore
from server.tests.test_custom_api import definition, version, widget

CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False)
WIDGETS = Resource("example.com", "v1", "widgets", "Widget", True)


async def _no_webhook(config: Any, body: Any, *, seconds: int) -> Any:
    raise AssertionError("nothing is to be converted")


async def _settled(holds: Any) -> None:
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # each question goes to the database when that is shared


@pytest.fixture
async def client(open_store: OpenStore) -> Any:
    store, clock = await open_store(), FakeClock()
    registry = Registry(store, clock, AdmitAll())
    resources = CustomResources(registry, store, clock, _no_webhook)
    resources.start()
    client = LocalClient(registry, store, user=user("system:test"))
    yield client
    await client.close()
    await resources.stop()


async def _served(client: LocalClient) -> bool:
    return WIDGETS.plural in [each.plural for each in await client.discover()]


async def test_a_custom_kind_is_discovered_once_in_its_preferred_version(client: LocalClient) -> None:
    wanted = definition(version("v1"), version("v1beta1", storage=False))
    await client.create(CRDS, wanted)
    await _settled(lambda: _served(client))
    found = [each for each in await client.discover() if each.group == "example.com"]
    assert [(each.version, each.kind, each.namespaced) for each in found] == [("v1", "Widget", True)]


async def test_instances_are_defaulted_listed_and_watched(client: LocalClient) -> None:
    await client.create(CRDS, definition())
    await _settled(lambda: _served(client))
    informer = client.informer(WIDGETS)
    body = widget("a", color="red")
    body["metadata"]["namespace"] = "default"
    created = await client.create(WIDGETS, body)
    assert created["spec"] == {"color": "red", "replicas": 1}
    listed = await client.list(WIDGETS, namespace="default")
    assert [each["metadata"]["name"] for each in listed.items] == ["a"]
    assert [each["spec"]["color"] for each in informer.list()] == ["red"]


async def test_a_kind_that_is_gone_is_not_found(client: LocalClient) -> None:
    await client.create(CRDS, definition())
    await _settled(lambda: _served(client))
    await client.delete(CRDS, "widgets.example.com")

    async def gone() -> bool:
        return not await _served(client)

    await _settled(gone)
    with pytest.raises(NotFound):
        await client.list(WIDGETS)


async def test_a_watch_ends_with_its_kind(client: LocalClient) -> None:
    await client.create(CRDS, definition())
    await _settled(lambda: _served(client))
    events = client.watch(WIDGETS)
    following = asyncio.ensure_future(anext(events, None))  # noqa: TID251
    await asyncio.sleep(0)
    await client.delete(CRDS, "widgets.example.com")
    async with asyncio.timeout(5):
        assert await following is None
