"""The index by mentioned names: as the store is, after every sort of change."""

import re
from typing import Any

import pytest

from kubeling.objects.clock import FakeClock
from server.auth.mentions import Mentions
from server.auth.node_relations import NodeRelations
from server.storage import Store

_NODE = re.compile(rb'"nodeName":"([^"]*)"')


def pod(node: str, secret: str = "s", **metadata: Any) -> dict[str, Any]:
    own = {"name": "p", "namespace": "a", **metadata}
    volumes = [{"name": "v", "secret": {"secretName": secret}}]
    return {"metadata": own, "spec": {"nodeName": node, "volumes": volumes} if node else {"volumes": volumes}}


@pytest.fixture
async def store(open_store: Any) -> Store:
    opened: Store = await open_store(clock=FakeClock())
    return opened


async def change(store: Store, name: str, obj: dict[str, Any]) -> int:
    found = store.get("pods", "a", name)
    assert found is not None
    return (await store.update("pods", "a", name, obj, expected=found.revision)).revision


def names(index: Mentions, node: bytes) -> list[str]:
    return [record.name for record in index.of(node)]


async def test_it_follows_the_store(store: Store) -> None:
    index = Mentions(store, "pods", _NODE.findall)
    await store.create("pods", "a", "p", pod("n1"))
    assert names(index, b"n1") == ["p"]
    moved = await change(store, "p", pod("n2"))
    assert (names(index, b"n1"), names(index, b"n2")) == ([], ["p"])
    await store.create("pods", "b", "p", pod("n2"))
    await store.create("secrets", "b", "p", pod("n2"))
    assert names(index, b"n2") == ["p", "p"]
    await store.delete("pods", "a", "p", expected=moved)
    assert names(index, b"n2") == ["p"]


async def test_it_starts_anew_when_the_changes_are_forgotten(open_store: Any) -> None:
    store = await open_store(clock=FakeClock(), recent_events=2)
    index = Mentions(store, "pods", _NODE.findall)
    for number in range(5):
        await store.create("pods", "a", f"p{number}", pod("n1"))
    assert len(names(index, b"n1")) == 5
    for number in range(5):
        await change(store, f"p{number}", pod("n2"))
    assert (names(index, b"n1"), len(names(index, b"n2"))) == ([], 5)


async def test_a_node_is_concerned_from_the_binding_to_the_deletion(store: Store) -> None:
    relations = NodeRelations(store)
    await store.create("pods", "a", "p", pod(""))
    assert not relations.concerns("n1", "secrets", "a", "s")
    await change(store, "p", pod("n1"))
    assert relations.concerns("n1", "secrets", "a", "s")
    assert not relations.concerns("n1", "secrets", "b", "s")
    assert not relations.concerns("n2", "secrets", "a", "s")
    bound = await change(store, "p", pod("n1", secret="t"))
    assert not relations.concerns("n1", "secrets", "a", "s")
    assert relations.concerns("n1", "secrets", "a", "t")
    await store.delete("pods", "a", "p", expected=bound)
    assert not relations.concerns("n1", "secrets", "a", "t")


async def test_a_name_in_an_annotation_binds_no_pod(store: Store) -> None:
    relations = NodeRelations(store)
    said = {"a": '"nodeName":"n1"', "nodeName": "n1"}
    await store.create("pods", "a", "p", pod("n2", annotations=said))
    assert not relations.concerns("n1", "secrets", "a", "s")
