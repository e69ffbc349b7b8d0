"""Deleting workloads: what becomes of their pods, by policy; the rules of upstream's conformance tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeling.client.resources import (
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    Resource,
)
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.registry.context import SYSTEM, RequestContext
from server.registry.options import DeleteOptions
from server.tests.owner_references import delete, names, owner_of, owners
from server.tests.plane import Plane, started_plane


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        yield plane


def _template(name: str) -> Object:
    spec = {"containers": [{"name": "c", "image": "i"}]}
    return {"metadata": {"labels": {"app": name}}, "spec": spec}


async def _replication_controller(plane: Plane, name: str = "rc", replicas: int = 3) -> Object:
    spec = {"replicas": replicas, "selector": {"app": name}, "template": _template(name)}
    return await plane.create(REPLICATION_CONTROLLERS, {"metadata": {"name": name}, "spec": spec})


async def _deployment(plane: Plane) -> Object:
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "d"}}, "template": _template("d")}
    return await plane.create(DEPLOYMENTS, {"metadata": {"name": "d"}, "spec": spec})


async def _plainly(plane: Plane, resource: Resource, name: str, options: DeleteOptions) -> None:
    """As a client that says no more than its options."""
    kind = plane.registry.kinds.lookup(resource.group, resource.version, resource.plural)
    assert kind is not None
    await plane.registry.delete(RequestContext(SYSTEM), kind, "ns", name, options)
    await plane.settle()


async def test_pods_go_with_their_replication_controller(plane: Plane) -> None:
    await _replication_controller(plane)
    assert len(names(plane, PODS)) == 3
    await delete(plane, "rc", resource=REPLICATION_CONTROLLERS)
    assert names(plane, PODS) == set()


@pytest.mark.parametrize("options", [DeleteOptions(), DeleteOptions(orphan_dependents=True)])
async def test_pods_stay_when_a_replication_controller_orphans_them(
    plane: Plane, options: DeleteOptions
) -> None:
    """Which it does by default: clients of old expect that."""
    await _replication_controller(plane)
    await _plainly(plane, REPLICATION_CONTROLLERS, "rc", options)
    assert names(plane, REPLICATION_CONTROLLERS) == set()
    assert len(names(plane, PODS)) == 3
    assert all("ownerReferences" not in pod["metadata"] for pod in plane.list(PODS))


async def test_jobs_orphan_by_default_deployments_do_not(plane: Plane) -> None:
    template = _template("j")
    template["spec"]["restartPolicy"] = "Never"
    await plane.create(JOBS, {"metadata": {"name": "j"}, "spec": {"template": template}})
    await _deployment(plane)
    await _plainly(plane, JOBS, "j", DeleteOptions())
    await _plainly(plane, DEPLOYMENTS, "d", DeleteOptions())
    assert {meta.labels(pod).get("app") for pod in plane.list(PODS)} == {"j"}


async def test_replica_sets_and_their_pods_go_with_their_deployment(plane: Plane) -> None:
    await _deployment(plane)
    assert len(names(plane, REPLICA_SETS)) == 1
    await delete(plane, "d", resource=DEPLOYMENTS)
    assert names(plane, REPLICA_SETS) == set()
    assert names(plane, PODS) == set()


async def test_replica_sets_stay_when_a_deployment_orphans_them(plane: Plane) -> None:
    await _deployment(plane)
    await delete(plane, "d", "Orphan", resource=DEPLOYMENTS)
    assert names(plane, DEPLOYMENTS) == set()
    (left,) = names(plane, REPLICA_SETS)
    assert owners(plane, left, REPLICA_SETS) == []
    assert len(names(plane, PODS)) == 2


async def test_a_replication_controller_stays_until_its_pods_are_gone(plane: Plane) -> None:
    await plane.add_node()
    await _replication_controller(plane)
    for name in names(plane, PODS):
        binding = {"metadata": {"name": name, "namespace": "ns"}, "target": {"kind": "Node", "name": "n"}}
        await plane.client.create(PODS, binding, subresource="binding")
        await plane.set_pod(name)
    await delete(plane, "rc", "Foreground", resource=REPLICATION_CONTROLLERS)
    assert names(plane, REPLICATION_CONTROLLERS) == {"rc"}
    pods = plane.list(PODS)
    assert len(pods) == 3
    assert all(meta.is_terminating(pod) for pod in pods)
    for pod in pods:
        await plane.client.delete(PODS, meta.name(pod), namespace="ns", grace_period_seconds=0)
    await plane.settle()
    assert names(plane, REPLICATION_CONTROLLERS) == set()
    assert names(plane, PODS) == set()


async def test_pods_with_another_valid_owner_survive_one_that_waits_for_its_dependents(
    plane: Plane,
) -> None:
    await _replication_controller(plane, "goes", replicas=4)
    other = await _replication_controller(plane, "stays", replicas=0)
    adopted = sorted(names(plane, PODS))[:2]
    for name in adopted:
        pod = plane.get(PODS, name)
        assert pod is not None
        references = [*pod["metadata"]["ownerReferences"], owner_of(other)]
        await plane.patch(PODS, name, {"metadata": {"ownerReferences": references}})
    await delete(plane, "goes", "Foreground", resource=REPLICATION_CONTROLLERS)
    assert names(plane, REPLICATION_CONTROLLERS) == {"stays"}
    assert sorted(names(plane, PODS)) == adopted
    assert all(owners(plane, name, PODS) == ["stays"] for name in adopted)


async def test_three_pods_that_own_each_other_in_a_circle_all_go(plane: Plane) -> None:
    made = [
        await plane.create(PODS, {"metadata": {"name": name}, "spec": _template(name)["spec"]})
        for name in ("a", "b", "c")
    ]
    for pod, owner in zip(made, [made[2], *made], strict=False):
        reference = owner_of(owner, controller=True, blockOwnerDeletion=True)
        await plane.patch(PODS, meta.name(pod), {"metadata": {"ownerReferences": [reference]}})
    await delete(plane, "a", "Foreground", resource=PODS)
    await plane.advance(1)
    assert names(plane, PODS) == set()


async def test_a_second_deletion_of_a_pod_that_terminates_changes_no_policy(plane: Plane) -> None:
    await plane.add_node()
    spec = {**_template("a")["spec"], "nodeName": "n"}
    await plane.create(PODS, {"metadata": {"name": "a"}, "spec": spec})
    await delete(plane, "a", resource=PODS)
    await delete(plane, "a", "Orphan", resource=PODS)
    pod = plane.get(PODS, "a")
    assert pod is not None
    assert meta.is_terminating(pod)
    assert "finalizers" not in pod["metadata"]


async def test_events_have_no_dependents_to_orphan(plane: Plane) -> None:
    involved = {"kind": "Pod", "name": "p", "namespace": "ns"}
    event = {"metadata": {"name": "e"}, "involvedObject": involved, "type": "Normal", "reason": "R"}
    await plane.create(EVENTS, event)
    await delete(plane, "e", "Orphan", resource=EVENTS)
    assert plane.get(EVENTS, "e") is None
