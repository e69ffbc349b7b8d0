"""Pods of a virtual node that is lost: nothing is heard of them, until it is found."""

from collections.abc import AsyncIterator

import pytest

from kubeling.client.resources import NODES, PODS
from kubeling.objects.meta import Object
from runtime.tests.pod_node import a_container
from runtime.tests.virtual_cluster import VirtualCluster, virtual_cluster


@pytest.fixture
async def cluster() -> AsyncIterator[VirtualCluster]:
    async with virtual_cluster() as made:
        yield made


async def marked_not_ready(cluster: VirtualCluster) -> None:
    """As the control plane does it with the pods of a node that it takes for dead."""
    pod = cluster.client.stored(PODS, "web", namespace="default")
    assert pod is not None
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "Ready":
            condition["status"] = "False"
    await cluster.client.update(PODS, pod, subresource="status")
    await cluster.settle()


async def deleted(cluster: VirtualCluster, *, grace: int | None = None) -> None:
    await cluster.client.delete(PODS, "web", namespace="default", grace_period_seconds=grace)
    await cluster.settle()


def stored(cluster: VirtualCluster) -> Object:
    return cluster.client.stored(PODS, "web", namespace="default") or {}


async def test_what_the_control_plane_says_of_a_pod_stays_until_the_node_is_found(
    cluster: VirtualCluster,
) -> None:
    await cluster.run()
    await cluster.lose()
    await marked_not_ready(cluster)
    await cluster.clock.advance(600)
    assert not cluster.ready()
    await cluster.find()
    assert cluster.ready()


async def test_a_deletion_is_finished_when_the_node_is_found(cluster: VirtualCluster) -> None:
    await cluster.run()
    await cluster.lose()
    await deleted(cluster)
    await cluster.clock.advance(600)
    assert stored(cluster)["metadata"]["deletionTimestamp"]
    await cluster.find()
    assert stored(cluster) == {}
    assert cluster.agent.pods.workers() == []


async def test_a_pod_that_is_on_its_way_out_when_the_node_is_lost_stays(cluster: VirtualCluster) -> None:
    await cluster.run(said={"stop-latency": "5s"})
    await deleted(cluster)
    await cluster.lose()
    await cluster.clock.advance(600)
    assert stored(cluster)
    await cluster.find()
    assert stored(cluster) == {}


async def test_how_a_pod_with_a_finalizer_ended_is_told_late(cluster: VirtualCluster) -> None:
    await cluster.run(said={"exit-after": "1m"}, restartPolicy="Never")
    await cluster.lose()
    patch = {"metadata": {"finalizers": ["batch.kubernetes.io/job-tracking"]}}
    await cluster.client.patch(PODS, "web", patch, namespace="default")
    await deleted(cluster)
    await cluster.clock.advance(600)
    assert cluster.status()["phase"] == "Running"
    await cluster.find()
    assert cluster.status()["phase"] == "Succeeded"


async def test_containers_end_and_are_started_again_unheard(cluster: VirtualCluster) -> None:
    await cluster.run(said={"crash-after": "60s"})
    await cluster.lose()
    version, events = stored(cluster)["metadata"]["resourceVersion"], await cluster.reasons()
    await cluster.clock.advance(100)
    assert stored(cluster)["metadata"]["resourceVersion"] == version
    assert await cluster.reasons() == events
    await cluster.find()
    assert cluster.container()["restartCount"] == 1
    assert "running" in cluster.container()["state"]
    assert cluster.container()["lastState"]["terminated"]["exitCode"] == 1


async def test_a_pod_that_ended_unheard_says_so_when_the_node_is_found(cluster: VirtualCluster) -> None:
    await cluster.run(restartPolicy="Never", containers=[a_container(command=["sleep", "9"])])
    await cluster.lose()
    await cluster.clock.advance(10)
    assert cluster.status()["phase"] == "Running"
    await cluster.find()
    assert cluster.status()["phase"] == "Succeeded"


async def test_a_late_status_keeps_what_others_said_meanwhile(cluster: VirtualCluster) -> None:
    await cluster.run(said={"exit-after": "1m"}, restartPolicy="Never")
    await cluster.lose()
    await cluster.clock.advance(100)
    others = {"type": "example.com/checked", "status": "True"}
    pod = stored(cluster)
    pod["status"]["conditions"].append(others)
    await cluster.client.update(PODS, pod, subresource="status")
    await cluster.find()
    assert cluster.status()["phase"] == "Succeeded"
    assert others in cluster.status()["conditions"]


async def test_what_annotations_said_meanwhile_holds_from_then_on(cluster: VirtualCluster) -> None:
    await cluster.run()
    await cluster.lose()
    await cluster.say(ready="false")
    assert cluster.ready()
    await cluster.find()
    assert not cluster.ready()


async def test_a_pod_that_comes_to_a_lost_node_waits(cluster: VirtualCluster) -> None:
    await cluster.lose()
    assert "hostIP" not in await cluster.run()
    await cluster.find()
    assert cluster.status()["phase"] == "Running"


async def test_a_pod_that_is_gone_from_the_api_is_forgotten(cluster: VirtualCluster) -> None:
    await cluster.run()
    await cluster.lose()
    await deleted(cluster)
    events = await cluster.reasons()
    await deleted(cluster, grace=0)
    assert cluster.agent.pods.workers() == []
    assert await cluster.reasons() == events


async def test_pods_of_a_lost_node_whose_node_is_deleted_stay_unheard(cluster: VirtualCluster) -> None:
    await cluster.run()
    await cluster.lose()
    await cluster.client.delete(NODES, "virtual-0")
    await cluster.settle()
    await deleted(cluster)
    assert stored(cluster)
    await deleted(cluster, grace=0)  # the pod garbage collector
    assert cluster.agent.pods.workers() == []


async def test_other_nodes_are_heard(cluster: VirtualCluster) -> None:
    await cluster.lose("virtual-1")
    assert (await cluster.run())["phase"] == "Running"


async def test_a_node_stays_lost_when_the_process_is_started_again(cluster: VirtualCluster) -> None:
    await cluster.run(said={"exit-after": "10m"}, restartPolicy="Never")
    await cluster.lose()
    await marked_not_ready(cluster)
    await cluster.agent.stop()
    async with virtual_cluster(client=cluster.client, clock=cluster.clock) as later:
        await later.clock.advance(60)
        assert not later.ready()
        await later.find()
        assert later.ready()
        await later.clock.advance(541)
        assert later.status()["phase"] == "Succeeded"
