"""The official Python client, asynchronous (`kubernetes.aio`): objects, watches, dynamic client, leases."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from kubernetes.aio import client, config, dynamic, utils, watch
from kubernetes.aio.leaderelection import electionconfig, leaderelection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from conformance import customs
from conformance.cluster import Cluster
from conformance.customs import Customs
from conformance.rest import Rest
from conformance.space import Space

APPLY = "application/apply-patch+yaml"


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[Any]:
    opened = await config.new_client_from_config(str(cluster.kubeconfig))
    yield opened
    await opened.close()


@pytest.fixture
def core(api: Any) -> Any:
    return client.CoreV1Api(api)


@pytest.fixture
def tabs(rest: Rest, space: Space) -> Iterator[Customs]:
    with customs.opened(rest, space.name) as opened:
        yield opened


async def test_create_read_replace_delete(core: Any, space: Space) -> None:
    created = await core.create_namespaced_config_map(space.name, _map("a", k="1"))
    created.data = {"k": "2"}
    await core.replace_namespaced_config_map("a", space.name, created)
    with pytest.raises(client.ApiException) as refused:
        await core.replace_namespaced_config_map("a", space.name, created)
    assert (refused.value.status, refused.value.reason) == (409, "Conflict")
    assert (await core.read_namespaced_config_map("a", space.name)).data == {"k": "2"}
    deleted = await core.delete_namespaced_config_map("a", space.name)
    assert _plain(deleted)["status"] == "Success"


async def test_a_failure_is_parsed(core: Any, space: Space) -> None:
    with pytest.raises(client.ApiException) as refused:
        await core.read_namespaced_config_map("absent", space.name)
    assert (refused.value.status, refused.value.reason) == (404, "Not Found")
    assert '"reason":"NotFound"' in str(refused.value.body)


async def test_twenty_at_once_and_a_list_in_pages(core: Any, space: Space) -> None:
    names = [f"item-{number:02}" for number in range(20)]
    await asyncio.gather(*(core.create_namespaced_config_map(space.name, _map(name)) for name in names))
    seen, token = [], None
    while token != "":
        options = {"limit": 7, "_continue": token, "label_selector": "app=a"}
        page = await core.list_namespaced_config_map(space.name, **options)
        seen += [item.metadata.name for item in page.items]
        token = page.metadata._continue or ""
    assert seen == names


async def test_every_type_of_patch(core: Any, space: Space) -> None:
    await core.create_namespaced_config_map(space.name, _map("a", k="1", l="1"))

    async def patch(body: Any, content_type: str, **options: Any) -> Any:
        options["_content_type"] = content_type
        found = await core.patch_namespaced_config_map("a", space.name, body, **options)
        return found.data

    merged = await patch({"data": {"k": None}}, "application/merge-patch+json")
    assert merged == {"l": "1"}
    strategic = await patch(
        {"data": {"$patch": "replace", "m": "2"}}, "application/strategic-merge-patch+json"
    )
    assert strategic == {"m": "2"}
    steps = [{"op": "test", "path": "/data/m", "value": "2"}, {"op": "remove", "path": "/data/m"}]
    assert not await patch(steps, "application/json-patch+json")
    config_map = {**_map("a", n="3"), "apiVersion": "v1", "kind": "ConfigMap"}
    applied = await patch(config_map, APPLY, field_manager="test", force=True)
    assert applied == {"n": "3"}


async def test_a_watch_is_resumed(core: Any, space: Space) -> None:
    since = (await core.list_namespaced_config_map(space.name)).metadata.resource_version
    for name in "abcd":
        await core.create_namespaced_config_map(space.name, _map(name))
    seen = []
    for _ in range(2):
        async with watch.Watch() as watcher:
            async for event in watcher.stream(
                core.list_namespaced_config_map, space.name, resource_version=since, timeout_seconds=10
            ):
                seen.append((event["type"], event["object"].metadata.name))
                if len(seen) % 2 == 0:
                    break
            since = watcher.resource_version
    assert seen == [("ADDED", name) for name in "abcd"]


async def test_a_watch_ends_at_its_time(core: Any, space: Space) -> None:
    started = asyncio.get_running_loop().time()
    async with watch.Watch() as watcher:
        events = watcher.stream(core.list_namespaced_secret, space.name, timeout_seconds=1)
        assert [event["object"].metadata.name async for event in events] == []
    assert 0.9 < asyncio.get_running_loop().time() - started < 3


async def test_the_dynamic_client_and_a_new_kind(api: Any, tabs: Customs) -> None:
    found = await dynamic.DynamicClient(api)
    tabs.establish()
    kind = await found.resources.get(api_version=f"{tabs.group}/v1", kind="CronTab")
    created = await kind.create(body=tabs.tab("a", image="one"), namespace=tabs.namespace)
    assert created.spec.replicas == 1
    options = {"name": "a", "namespace": tabs.namespace, "content_type": "application/merge-patch+json"}
    patched = await kind.patch(body={"spec": {"image": "two"}}, **options)
    assert patched.spec.image == "two"
    listed = await kind.get(namespace=tabs.namespace)
    assert [item.metadata.name for item in listed.items] == ["a"]
    async with aclosing(kind.watch(namespace=tabs.namespace, timeout=5)) as events:
        event = await anext(events)
    assert (event["type"], event["object"].metadata.name) == ("ADDED", "a")
    await kind.delete(name="a", namespace=tabs.namespace)


async def test_objects_from_yaml(api: Any, core: Any, space: Space) -> None:
    made = {"apiVersion": "v1", "kind": "List", "items": [_whole(_map("a")), _whole(_map("b"))]}
    await utils.create_from_dict(api, made, namespace=space.name)
    listed = await core.list_namespaced_config_map(space.name, label_selector="app=a")
    assert [item.metadata.name for item in listed.items] == ["a", "b"]
    with pytest.raises(utils.FailToCreateError, match="AlreadyExists"):
        await utils.create_from_dict(api, made, namespace=space.name)


async def test_one_leader_is_elected(api: Any, space: Space) -> None:
    """The Lease is there beforehand: this client's lock creates it with an option that its models refuse."""
    leases: Any = client.CoordinationV1Api(api)
    await leases.create_namespaced_lease(space.name, {"metadata": {"name": "election"}})
    leaders: list[str] = []

    async def lead(identity: str) -> None:
        leaders.append(identity)
        await asyncio.Event().wait()

    async def follow() -> None: ...

    def candidate(identity: str) -> Any:
        lock = LeaseLock("election", space.name, identity, api)
        times = {"lease_duration": 3, "renew_deadline": 2.5, "retry_period": 1}
        wanted = electionconfig.Config(
            lock, **times, onstarted_leading=lambda: lead(identity), onstopped_leading=follow
        )
        return leaderelection.LeaderElection(wanted)

    running = [asyncio.ensure_future(candidate(name).run()) for name in "ab"]  # noqa: TID251
    await asyncio.sleep(0.5)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    lease = await leases.read_namespaced_lease("election", space.name)
    assert leaders == [lease.spec.holder_identity]


def _map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"app": "a"}}, "data": data}


def _whole(config_map: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", **config_map}


def _plain(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else found.to_dict()
