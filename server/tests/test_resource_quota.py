"""ResourceQuotas: what is charged when something is created, what is refused, and what is counted anew."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.resources import (
    CONFIGMAPS,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    RESOURCE_QUOTAS,
    SECRETS,
    SERVICES,
    Resource,
)
from kubeling.objects import resource_list
from kubeling.objects.errors import ApiError, Forbidden
from kubeling.objects.meta import Object
from server.controllers.quota.controller import MOMENT, RESYNC
from server.tests.plane import Plane, started_plane

CLAIMS = Resource("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        yield plane


async def quota(plane: Plane, name: str = "q", *, spec: Object | None = None, **hard: str) -> None:
    """Underscores in the names of resources stand for dots."""
    limits = {key.replace("_", "."): amount for key, amount in hard.items()}
    wanted = {"hard": limits, **(spec or {})}
    await plane.create(RESOURCE_QUOTAS, {"metadata": {"name": name}, "spec": wanted})


def used(plane: Plane, name: str = "q") -> Object:
    found = plane.get(RESOURCE_QUOTAS, name)
    assert found is not None
    return dict(found["status"].get("used") or {})


def pod_object(name: str, *, spec: Object | None = None, **resources: dict[str, str]) -> Object:
    containers = [{"name": "c", "image": "i", "resources": resources}]
    return {"metadata": {"name": name}, "spec": {"containers": containers, **(spec or {})}}


async def pod(plane: Plane, name: str, *, spec: Object | None = None, **resources: dict[str, str]) -> Object:
    return await plane.create(PODS, pod_object(name, spec=spec, **resources))


async def refusal(plane: Plane, resource: Resource, obj: Object) -> str:
    with pytest.raises(Forbidden) as caught:
        await plane.create(resource, obj)
    return str(caught.value)


async def recounted(plane: Plane) -> None:
    await plane.settle()
    await plane.advance(MOMENT)


async def test_a_new_quota_is_counted_at_once(plane: Plane) -> None:
    await pod(plane, "before")
    await quota(plane, spec={"hard": {"pods": "5", "count/pods": "9", "services": "3"}})
    found = plane.get(RESOURCE_QUOTAS, "q")
    assert found is not None
    assert found["status"]["hard"] == found["spec"]["hard"]
    assert used(plane) == {"pods": "1", "count/pods": "1", "services": "0"}


async def test_pods_are_charged_until_the_quota_is_full(plane: Plane) -> None:
    await quota(plane, pods="2")
    await pod(plane, "one")
    assert used(plane) == {"pods": "1"}
    await pod(plane, "two")
    told = "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2"
    assert await refusal(plane, PODS, pod_object("three")) == f'pods "three" is forbidden: {told}'


async def test_compute_resources_are_summed_and_told_in_their_own_form(plane: Plane) -> None:
    hard = {"requests.cpu": "1", "limits.memory": "1Gi", "requests.example.com/gpu": "2"}
    await quota(plane, spec={"hard": hard})
    given = {"cpu": "300m", "memory": "100Mi", "example.com/gpu": "1"}
    await pod(plane, "one", requests=given, limits={"memory": "600Mi", "example.com/gpu": "1"})
    assert used(plane) == {
        "requests.cpu": "300m",
        "limits.memory": "600Mi",
        "requests.example.com/gpu": "1",
    }
    more = pod_object("two", requests={"cpu": "800m"}, limits={"memory": "500Mi"})
    assert await refusal(plane, PODS, more) == (
        'pods "two" is forbidden: exceeded quota: q, requested: limits.memory=500Mi,requests.cpu=800m,'
        " used: limits.memory=600Mi,requests.cpu=300m, limited: limits.memory=1Gi,requests.cpu=1"
    )


async def test_what_a_quota_limits_each_container_must_say(plane: Plane) -> None:
    await quota(plane, limits_cpu="1", requests_memory="1Gi")
    spec = {"containers": [{"name": name, "image": "i"} for name in ("b", "a")]}
    told = "failed quota: q: must specify limits.cpu for: a,b; requests.memory for: a,b"
    assert told in await refusal(plane, PODS, {"metadata": {"name": "p"}, "spec": spec})


async def test_a_quota_that_is_not_counted_yet_admits_nothing(plane: Plane) -> None:
    await quota(plane, pods="2")
    assert plane.controllers is not None
    await plane.controllers.stop()
    await plane.patch(RESOURCE_QUOTAS, "q", {"status": {"used": None}}, subresource="status")
    assert "status unknown for quota: q, resources: pods" in await refusal(plane, PODS, pod_object("p"))


async def test_many_at_once_get_no_more_than_there_is(plane: Plane) -> None:
    await quota(plane, pods="10")
    bodies = [pod_object(f"p{number}") for number in range(40)]
    results = await asyncio.gather(*(plane.create(PODS, body) for body in bodies), return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in results) == 10
    assert all(isinstance(each, Forbidden) for each in results if isinstance(each, BaseException))
    assert (used(plane), len(plane.list(PODS))) == ({"pods": "10"}, 10)


@pytest.mark.parametrize("seed", range(5))
async def test_coming_and_going_at_once_never_exceeds_and_ends_counted_right(plane: Plane, seed: int) -> None:
    chance = random.Random(seed)
    await quota(plane, pods="8")
    client, most = plane.client, 0

    async def come_and_go(number: int) -> None:
        nonlocal most
        name = f"p{number}"
        for _ in range(6):
            with suppress(Forbidden):
                await client.create(PODS, _in_ns(pod_object(name)))
                most = max(most, len(plane.list(PODS)))
                await asyncio.sleep(chance.random() / 500)
                await client.delete(PODS, name, namespace="ns", grace_period_seconds=0)
            await asyncio.sleep(chance.random() / 500)

    async with asyncio.TaskGroup() as group:
        for number in range(30):
            group.create_task(come_and_go(number))
        for _ in range(20):
            await asyncio.sleep(0.005)
            await plane.advance(MOMENT)
    assert most == 8
    await recounted(plane)
    await plane.advance(RESYNC)
    assert used(plane) == {"pods": str(len(plane.list(PODS)))} == {"pods": "0"}


def _in_ns(obj: Object) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "namespace": "ns"}}


async def test_what_has_ended_or_gone_is_given_back(plane: Plane) -> None:
    await quota(plane, spec={"hard": {"pods": "5", "count/pods": "5"}})
    for name in ("one", "two", "three"):
        await pod(plane, name)
    await plane.set_pod("one", "Succeeded")
    await recounted(plane)
    assert used(plane) == {"pods": "2", "count/pods": "3"}
    await plane.client.delete(PODS, "two", namespace="ns", grace_period_seconds=0)
    await recounted(plane)
    assert used(plane) == {"pods": "1", "count/pods": "2"}


async def test_a_count_waits_until_the_last_charge_is_a_moment_old(plane: Plane) -> None:
    await quota(plane, pods="5")
    await pod(plane, "one")
    await pod(plane, "two")
    await plane.client.delete(PODS, "one", namespace="ns", grace_period_seconds=0)
    await plane.settle()
    assert used(plane) == {"pods": "2"}
    await plane.advance(MOMENT)
    assert used(plane) == {"pods": "1"}


async def test_a_quota_that_changed_is_counted_by_what_it_says_now(plane: Plane) -> None:
    await quota(plane, pods="5")
    await plane.patch(RESOURCE_QUOTAS, "q", {"spec": {"hard": {"pods": None, "configmaps": "3"}}})
    await recounted(plane)
    found = plane.get(RESOURCE_QUOTAS, "q")
    assert found is not None
    assert found["status"] == {"hard": {"configmaps": "3"}, "used": {"configmaps": "1"}}


async def test_a_charge_for_what_was_never_stored_is_found_in_time(plane: Plane) -> None:
    await quota(plane, pods="5")
    await plane.patch(RESOURCE_QUOTAS, "q", {"status": {"used": {"pods": "4"}}}, subresource="status")
    await plane.advance(RESYNC)
    assert used(plane) == {"pods": "0"}


async def test_a_name_that_is_taken_costs_nothing(plane: Plane) -> None:
    await quota(plane, pods="5")
    await pod(plane, "one")
    with pytest.raises(ApiError, match="already exists"):
        await pod(plane, "one")
    assert used(plane) == {"pods": "1"}


async def test_a_service_whose_node_port_is_taken_costs_nothing(plane: Plane) -> None:
    await quota(plane, services="5")
    spec = {"type": "NodePort", "ports": [{"port": 1, "nodePort": 30001}], "selector": {"a": "b"}}
    await plane.create(SERVICES, {"metadata": {"name": "one"}, "spec": spec})
    with pytest.raises(ApiError, match="provided port is already allocated"):
        await plane.create(SERVICES, {"metadata": {"name": "two"}, "spec": spec})
    assert used(plane) == {"services": "1"}


async def test_a_service_that_a_quota_refuses_takes_no_node_port(plane: Plane) -> None:
    await quota(plane, services="0")
    spec = {"type": "NodePort", "ports": [{"port": 1, "nodePort": 30001}], "selector": {"a": "b"}}
    assert "exceeded quota" in await refusal(plane, SERVICES, {"metadata": {"name": "s"}, "spec": spec})
    await plane.client.delete(RESOURCE_QUOTAS, "q", namespace="ns")
    await plane.create(SERVICES, {"metadata": {"name": "s"}, "spec": spec})


async def test_a_dry_run_is_refused_but_not_charged(plane: Plane) -> None:
    from server.registry.context import SYSTEM, RequestContext

    await quota(plane, pods="1")
    kind = plane.registry.kinds.lookup("", "v1", "pods")
    assert kind is not None
    dry = RequestContext(SYSTEM, dry_run=True)
    await plane.registry.create(dry, kind, "ns", pod_object("dry"))
    assert used(plane) == {"pods": "0"}
    await pod(plane, "one")
    with pytest.raises(Forbidden, match="exceeded quota"):
        await plane.registry.create(dry, kind, "ns", pod_object("dry"))


async def test_all_quotas_that_match_are_charged_or_none(plane: Plane) -> None:
    await quota(plane, "wide", pods="5")
    await quota(plane, "narrow", pods="1")
    await pod(plane, "one")
    assert "exceeded quota: narrow" in await refusal(plane, PODS, pod_object("two"))
    assert (used(plane, "wide"), used(plane, "narrow")) == ({"pods": "1"}, {"pods": "1"})


CHEAP: Object = {"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}
AFFINE = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
    {"topologyKey": "t", "namespaceSelector": {}, "labelSelector": {}}]}}  # fmt: skip
CPU = {"requests": {"cpu": "1"}}


@pytest.mark.parametrize(
    ("scope", "inside", "outside"),
    [
        ({"scopes": ["Terminating"]}, {"spec": {"activeDeadlineSeconds": 9}}, {}),
        ({"scopes": ["NotTerminating"]}, {}, {"spec": {"activeDeadlineSeconds": 9}}),
        ({"scopes": ["BestEffort"]}, {}, CPU),
        ({"scopes": ["NotBestEffort"]}, CPU, {}),
        ({"scopes": ["CrossNamespacePodAffinity"]}, {"spec": {"affinity": AFFINE}}, {}),
        ({"scopes": ["BestEffort", "Terminating"]}, {"spec": {"activeDeadlineSeconds": 9}}, {}),
        (
            {"scopeSelector": {"matchExpressions": [CHEAP]}},
            {"spec": {"priorityClassName": "system-node-critical"}},
            {"spec": {"priorityClassName": "system-cluster-critical"}},
        ),
    ],
)
async def test_scopes_narrow_a_quota(plane: Plane, scope: Object, inside: Any, outside: Any) -> None:
    await quota(plane, spec={"hard": {"pods": "5"}, **scope})
    await pod(plane, "outside", **outside)
    assert used(plane) == {"pods": "0"}
    await pod(plane, "inside", **inside)
    assert used(plane) == {"pods": "1"}
    await plane.patch(RESOURCE_QUOTAS, "q", {"status": {"used": {"pods": "4"}}}, subresource="status")
    await plane.advance(RESYNC)
    assert used(plane) == {"pods": "1"}


async def test_a_pod_that_gets_a_deadline_is_charged_where_it_comes_to_belong(plane: Plane) -> None:
    await quota(plane, spec={"hard": {"pods": "5"}, "scopes": ["Terminating"]})
    await pod(plane, "one")
    await plane.patch(PODS, "one", {"spec": {"activeDeadlineSeconds": 60}})
    assert used(plane) == {"pods": "1"}


async def test_a_resize_is_charged_by_the_difference(plane: Plane) -> None:
    await quota(plane, requests_cpu="1")
    await pod(plane, "one", requests={"cpu": "400m"})
    bigger = {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "900m"}}}]}
    await plane.patch(PODS, "one", {"spec": bigger}, subresource="resize")
    assert used(plane) == {"requests.cpu": "900m"}
    bigger["containers"][0]["resources"] = {"requests": {"cpu": "1100m"}}
    with pytest.raises(Forbidden, match=r"requested: requests\.cpu=200m, used: requests\.cpu=900m"):
        await plane.patch(PODS, "one", {"spec": bigger}, subresource="resize")
    bigger["containers"][0]["resources"] = {"requests": {"cpu": "100m"}}
    await plane.patch(PODS, "one", {"spec": bigger}, subresource="resize")
    await recounted(plane)
    assert used(plane) == {"requests.cpu": "100m"}


async def test_services_take_node_ports_and_load_balancers(plane: Plane) -> None:
    await quota(plane, spec={"hard": dict.fromkeys(("services.nodeports", "services.loadbalancers"), "2")})
    spec = {"type": "NodePort", "ports": [{"port": 1}], "selector": {"a": "b"}}
    await plane.create(SERVICES, {"metadata": {"name": "s"}, "spec": spec})
    assert used(plane) == {"services.nodeports": "1", "services.loadbalancers": "0"}
    await plane.patch(SERVICES, "s", {"spec": {"type": "LoadBalancer"}})
    assert used(plane) == {"services.nodeports": "1", "services.loadbalancers": "1"}
    bare = {**spec, "type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}
    await plane.client.delete(SERVICES, "s", namespace="ns")
    await recounted(plane)
    await plane.create(SERVICES, {"metadata": {"name": "s"}, "spec": bare})
    assert used(plane) == {"services.nodeports": "0", "services.loadbalancers": "1"}
    await plane.patch(SERVICES, "s", {"spec": {"type": "ClusterIP", "allocateLoadBalancerNodePorts": None}})
    await recounted(plane)
    assert used(plane) == {"services.nodeports": "0", "services.loadbalancers": "0"}


async def test_claims_take_storage_in_all_and_of_their_class(plane: Plane) -> None:
    gold = "gold.storageclass.storage.k8s.io"
    names = ("persistentvolumeclaims", "requests.storage", f"{gold}/requests.storage")
    hard = dict.fromkeys(names, "5Gi") | {"persistentvolumeclaims": "5"}
    await quota(plane, spec={"hard": {**hard, f"{gold}/persistentvolumeclaims": "1"}})
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    for name, chosen in (("plain", ""), ("fine", "gold")):
        claim = {"metadata": {"name": name}, "spec": {**spec, "storageClassName": chosen}}
        await plane.create(PERSISTENT_VOLUME_CLAIMS, claim)
    assert used(plane) == {
        "persistentvolumeclaims": "2",
        "requests.storage": "2Gi",
        f"{gold}/persistentvolumeclaims": "1",
        f"{gold}/requests.storage": "1Gi",
    }


async def test_a_scope_selects_volume_attributes_classes(plane: Plane) -> None:
    scope = {"scopeName": "VolumeAttributesClass", "operator": "In", "values": ["fast"]}
    spec = {"hard": {"persistentvolumeclaims": "5"}, "scopeSelector": {"matchExpressions": [scope]}}
    await quota(plane, spec=spec)
    for name, chosen in (("plain", {}), ("fine", {"volumeAttributesClassName": "fast"})):
        size = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        claim = {"metadata": {"name": name}, "spec": {**size, "storageClassName": "", **chosen}}
        await plane.create(PERSISTENT_VOLUME_CLAIMS, claim)
    assert used(plane) == {"persistentvolumeclaims": "1"}


async def test_devices_are_counted_at_worst_by_class(plane: Plane) -> None:
    name = "gpu.deviceclass.resource.k8s.io/devices"
    await quota(plane, spec={"hard": {name: "40", "count/resourceclaims.resource.k8s.io": "2"}})
    some = {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 3}
    every = {"name": "s", "deviceClassName": "gpu", "allocationMode": "All"}
    requests = [{"name": "a", "exactly": some}, {"name": "b", "firstAvailable": [every]}]
    spec = {"devices": {"requests": requests}}
    await plane.create(CLAIMS, {"metadata": {"name": "c"}, "spec": spec})
    assert used(plane) == {name: "35", "count/resourceclaims.resource.k8s.io": "1"}


async def test_every_kind_can_be_counted(plane: Plane) -> None:
    hard = {"count/leases.coordination.k8s.io": "1", "secrets": "1", "resourcequotas": "1"}
    await quota(plane, spec={"hard": hard})
    assert used(plane) == {
        "count/leases.coordination.k8s.io": "0",
        "secrets": "0",
        "resourcequotas": "1",
    }
    await plane.create(LEASES, {"metadata": {"name": "l"}})
    told = "requested: count/leases.coordination.k8s.io=1"
    assert told in await refusal(plane, LEASES, {"metadata": {"name": "m"}})
    await plane.create(SECRETS, {"metadata": {"name": "s"}})
    await plane.client.delete(SECRETS, "s", namespace="ns")
    await recounted(plane)
    assert used(plane)["secrets"] == "0"
    assert "exceeded quota" in await refusal(plane, RESOURCE_QUOTAS, {"metadata": {"name": "r"}})


async def test_a_namespace_without_quotas_is_not_looked_at(plane: Plane) -> None:
    await quota(plane, configmaps="1")
    body = {"metadata": {"name": "c", "namespace": "default"}}
    await plane.client.create(
        Resource("", "v1", "namespaces", "Namespace", namespaced=False), {"metadata": {"name": "default"}}
    )
    await plane.create(CONFIGMAPS, body)
    assert used(plane) == {"configmaps": "1"}


def test_a_sum_is_written_in_the_form_of_its_first_part() -> None:
    assert resource_list.add({"m": "0"}, {"m": "1024Mi"}) == {"m": "1Gi"}
    assert resource_list.add({"m": "1Gi"}, {"m": "1000M"}) == {"m": "2073741824"}
    assert resource_list.add({"c": "1"}, {"c": "500m", "d": "1"}) == {"c": "1500m", "d": "1"}
    assert resource_list.increase({"a": "3", "b": "1", "c": "2"}, {"a": "1", "b": "1"}) == {
        "a": "2",
        "c": "2",
    }
