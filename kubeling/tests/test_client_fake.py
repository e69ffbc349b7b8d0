"""The fake client keeps the promises of the protocol that controllers rely on."""

from contextlib import aclosing

import pytest

from kubeling.client.fake import FakeClient
from kubeling.client.resources import CONFIGMAPS, NAMESPACES, NODES, PODS
from kubeling.objects.clock import FakeClock
from kubeling.objects.errors import AlreadyExists, Conflict, NotFound
from kubeling.objects.meta import Object


def config_map(name: str = "a", **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": data,
    }


def pod(**spec: object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": spec,
    }


async def test_create_gives_identity_and_refuses_a_second() -> None:
    client = FakeClient()
    made = await client.create(CONFIGMAPS, config_map())
    assert made["metadata"]["uid"]
    assert made["metadata"]["resourceVersion"] == "1"
    with pytest.raises(AlreadyExists):
        await client.create(CONFIGMAPS, config_map())


async def test_update_is_a_compare_and_swap() -> None:
    client = FakeClient(config_map())
    stale = await client.get(CONFIGMAPS, "a", namespace="default")
    await client.patch(CONFIGMAPS, "a", {"data": {"x": "1"}}, namespace="default")
    with pytest.raises(Conflict):
        await client.update(CONFIGMAPS, stale)


async def test_status_and_the_rest_do_not_touch_each_other() -> None:
    client = FakeClient(pod())
    await client.patch(PODS, "p", {"status": {"phase": "Running"}}, namespace="default", subresource="status")
    await client.patch(PODS, "p", {"status": {"phase": "Failed"}, "spec": {"x": 1}}, namespace="default")
    found = await client.get(PODS, "p", namespace="default")
    assert (found["status"], found["spec"]) == ({"phase": "Running"}, {"x": 1})


async def test_a_bound_pod_is_deleted_gracefully_and_an_unbound_one_at_once() -> None:
    client = FakeClient(pod())
    binding = {"metadata": {"name": "p", "namespace": "default"}, "target": {"kind": "Node", "name": "n"}}
    await client.create(PODS, binding, subresource="binding")
    deleted = await client.delete(PODS, "p", namespace="default")
    assert deleted["metadata"]["deletionGracePeriodSeconds"] == 30
    await client.delete(PODS, "p", namespace="default", grace_period_seconds=0)
    with pytest.raises(NotFound):
        await client.get(PODS, "p", namespace="default")


async def test_a_namespace_goes_when_its_finalizers_are_gone() -> None:
    client = FakeClient({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
    terminating = await client.delete(NAMESPACES, "n")
    assert terminating["status"]["phase"] == "Terminating"
    terminating["spec"]["finalizers"] = []
    await client.update(NAMESPACES, terminating, subresource="finalize")
    assert client.stored(NAMESPACES, "n") is None


async def test_a_watch_resumes_and_sees_objects_enter_and_leave_its_selection() -> None:
    client = FakeClient(pod())
    since = (await client.list(PODS)).resource_version
    client.put(pod(nodeName="n"))
    client.put(pod(nodeName="other"))
    async with aclosing(
        client.watch(PODS, field_selector="spec.nodeName=n", resource_version=since)
    ) as watch:
        assert [(await anext(watch)).type, (await anext(watch)).type] == ["ADDED", "DELETED"]


async def test_an_informer_shows_changes_to_its_handlers() -> None:
    clock = FakeClock()
    client = FakeClient(config_map("a"), clock=clock)
    seen: list[tuple[str, str]] = []
    informer = client.informer(CONFIGMAPS)
    informer.add_handler(lambda kind, obj, _: seen.append((kind, obj["metadata"]["name"])))
    await informer.wait_synced()
    client.put(config_map("b"))
    client.remove(CONFIGMAPS, "a", namespace="default")
    await clock.advance(0)
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]
    await client.close()


async def test_an_informer_survives_a_server_that_restarts() -> None:
    clock = FakeClock()
    client = FakeClient(clock=clock)
    client.fail("*", ConnectionResetError("not an error of the protocol"))
    informer = client.informer(NODES)
    await clock.advance(1)
    await informer.wait_synced()
    client.end_watches()
    client.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    await clock.advance(5)
    assert informer.get("", "n") is not None
    await client.close()
