from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeling.objects import errors, meta
from kubeling.objects.clock import FakeClock
from server.api.components import Components
from server.inprocess import LocalClient, user
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.kind import Kind
from server.registry.options import ListOptions, Selection
from server.registry.registry import Registry
from server.storage import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    yield store
    await store.close()


def kind(registry: Registry, plural: str) -> Kind:
    found = registry.kinds.lookup("", "v1", plural)
    assert found is not None
    return found


async def test_components_say_how_they_are(store: Store) -> None:
    components = Components(store, FakeClock())
    components.add("scheduler", lambda: "asleep")
    registry = Registry(store, FakeClock(), AdmitAll(), computed=components.by_resource())
    listed = await registry.list(kind(registry, "componentstatuses"), "")
    strategy = kind(registry, "componentstatuses").strategy
    cells = [strategy.cells(each.obj, FakeClock().now()) for each in listed.records]
    assert cells == [
        ["controller-manager", "Unhealthy", "not a part of this server", ""],
        ["etcd-0", "Healthy", "ok", ""],
        ["scheduler", "Unhealthy", "asleep", ""],
    ]


async def test_a_component_that_runs_elsewhere_is_well_while_it_renews_its_lease(store: Store) -> None:
    clock = FakeClock()
    spec = {"holderIdentity": "a", "leaseDurationSeconds": 4, "renewTime": meta.micro_timestamp(clock.now())}
    lease = {"metadata": {"name": "kube-scheduler", "namespace": "kube-system"}, "spec": spec}
    await store.create("leases.coordination.k8s.io", "kube-system", "kube-scheduler", lease)
    computed = Components(store, clock).by_resource()
    registry = Registry(store, clock, AdmitAll(), computed=computed)
    statuses = kind(registry, "componentstatuses")

    async def healthy() -> str:
        found = await registry.get(statuses, "", "scheduler")
        return str(found.obj["conditions"][0]["status"])

    assert await healthy() == "True"
    await clock.advance(5)
    assert await healthy() == "False"


async def test_a_component_is_found_by_name_and_selector(store: Store) -> None:
    registry = Registry(store, FakeClock(), AdmitAll(), computed=Components(store, FakeClock()).by_resource())
    statuses = kind(registry, "componentstatuses")
    assert (await registry.get(statuses, "", "etcd-0")).obj["kind"] == "ComponentStatus"
    one = ListOptions(selection=Selection.parse(field_selector="metadata.name=scheduler"))
    assert [each.name for each in (await registry.list(statuses, "", one)).records] == ["scheduler"]
    with pytest.raises(errors.NotFound, match='componentstatuses "none" not found'):
        await registry.get(statuses, "", "none")


async def test_without_components_there_are_no_statuses(store: Store) -> None:
    registry = Registry(store, FakeClock(), AdmitAll())
    assert not registry.serves(kind(registry, "componentstatuses"))


async def test_a_binding_may_be_posted_to_its_own_resource(store: Store) -> None:
    registry = Registry(store, FakeClock(), AdmitAll())
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await registry.create(RequestContext(SYSTEM), kind(registry, "pods"), "default", pod)
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    answer = await registry.create(RequestContext(SYSTEM), kind(registry, "bindings"), "default", binding)
    assert answer.obj["status"] == "Success"
    assert (await registry.get(kind(registry, "pods"), "default", "p")).obj["spec"]["nodeName"] == "n"
    with pytest.raises(errors.BadRequest, match="Name parameter required"):
        await registry.create(RequestContext(SYSTEM), kind(registry, "bindings"), "default", {"target": {}})


async def test_what_is_made_when_asked_for_is_fetched_in_process(store: Store) -> None:
    async def metrics(namespace: str) -> list[dict[str, object]]:
        every = [("a", "one"), ("a", "two"), ("b", "one")]
        metadata = [{"namespace": space, "name": name, "labels": {"n": name}} for space, name in every]
        return [
            {"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics", "metadata": each}
            for each in metadata
            if namespace in ("", each["namespace"])
        ]

    computed = {errors.GroupResource("metrics.k8s.io", "pods"): metrics}
    registry = Registry(store, FakeClock(), AdmitAll(), computed=computed)
    client = LocalClient(registry, store, user=user("system:kube-controller-manager"))
    path = "/apis/metrics.k8s.io/v1beta1"
    found = (await client.fetch(f"{path}/namespaces/a/pods", {"labelSelector": "n=two"}))["items"]
    assert [each["metadata"]["name"] for each in found] == ["two"]
    assert len((await client.fetch(f"{path}/pods", {}))["items"]) == 3
    for elsewhere in (
        f"{path}/nodes",
        "/apis/custom.metrics.k8s.io/v1beta1/namespaces/a/pods/*/x",
        "/api/v1/pods",
    ):
        with pytest.raises(errors.NotFound):
            await client.fetch(elsewhere, {})
    await client.close()
