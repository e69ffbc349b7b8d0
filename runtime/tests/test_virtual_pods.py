"""Pods on virtual nodes: from Pending to their end, and what annotations make of them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubeling.client.resources import CONFIGMAPS, NODES, PODS
from kubeling.objects.meta import Object
from runtime.tests.pod_node import a_container
from runtime.tests.virtual_cluster import VirtualCluster, virtual_cluster


@pytest.fixture
async def cluster() -> AsyncIterator[VirtualCluster]:
    async with virtual_cluster() as made:
        yield made


def script(text: str, **fields: Any) -> list[Object]:
    return [a_container(command=["sh", "-c", text], **fields)]


async def test_a_pod_runs_with_one_report(cluster: VirtualCluster) -> None:
    status = await cluster.run()
    assert (status["phase"], status["hostIP"]) == ("Running", "192.0.2.7")
    assert cluster.ready()
    assert cluster.written() == 1
    assert {"Pulled", "Created", "Started"} <= set(await cluster.reasons())


async def test_addresses_are_of_the_nodes_network_and_come_back(cluster: VirtualCluster) -> None:
    await cluster.client.patch(NODES, "virtual-0", {"spec": {"podCIDR": "100.64.3.0/24"}})
    await cluster.settle()
    first, second = await cluster.run("a"), await cluster.run("b")
    assert first["podIP"].startswith("100.64.3.")
    assert first["podIP"] != second["podIP"]


async def test_addresses_are_unique_also_before_nodes_have_networks(cluster: VirtualCluster) -> None:
    first = await cluster.run("a")
    second = await cluster.run("b", nodeName="virtual-1")
    assert first["podIP"] != second["podIP"]


async def test_a_pod_that_takes_its_time_is_seen_creating() -> None:
    async with virtual_cluster(latency=3) as cluster:
        status = await cluster.run()
        assert status["phase"] == "Pending"
        assert cluster.container()["state"] == {"waiting": {"reason": "ContainerCreating"}}
        await cluster.clock.advance(3)
        assert cluster.status()["phase"] == "Running"


async def test_a_pod_says_itself_how_long_it_takes(cluster: VirtualCluster) -> None:
    await cluster.run(said={"startup-latency": "1m"})
    await cluster.clock.advance(59)
    assert cluster.status()["phase"] == "Pending"
    await cluster.clock.advance(1)
    assert cluster.status()["phase"] == "Running"


async def test_a_pod_ends_after_a_while_with_its_exit_code(cluster: VirtualCluster) -> None:
    said = {"exit-after": "5s", "exit-code": "3", "exit-reason": "OOMKilled", "termination-message": "bye"}
    await cluster.run(said=said, restartPolicy="Never")
    assert cluster.status()["phase"] == "Running"
    await cluster.clock.advance(5)
    assert cluster.status()["phase"] == "Failed"
    ended = cluster.container()["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (3, "OOMKilled", "bye")


async def test_a_command_that_ends_ends_the_pod(cluster: VirtualCluster) -> None:
    await cluster.run(restartPolicy="Never", containers=script("echo hi; sleep 2"))
    await cluster.clock.advance(2)
    assert cluster.status()["phase"] == "Succeeded"


async def test_a_crashing_container_backs_off_as_on_a_real_node(cluster: VirtualCluster) -> None:
    await cluster.run(containers=script("exit 1"))
    assert cluster.container()["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert cluster.container()["restartCount"] == 1
    await cluster.clock.advance(11)
    assert cluster.container()["restartCount"] == 2
    assert "BackOff" in await cluster.reasons()


async def test_it_crashes_only_so_often(cluster: VirtualCluster) -> None:
    await cluster.run(said={"crash-times": "1"})
    assert cluster.container()["restartCount"] == 1
    assert "running" in cluster.container()["state"]


async def test_images_that_are_to_fail_back_off(cluster: VirtualCluster) -> None:
    await cluster.run(said={"image-pull-error": "denied"})
    assert cluster.container()["state"]["waiting"]["reason"] == "ErrImagePull"
    await cluster.clock.advance(2)
    waiting = cluster.container()["state"]["waiting"]
    assert waiting["reason"] == "ImagePullBackOff"
    assert "denied" in waiting["message"]
    await cluster.say(image_pull_error=None)
    assert "running" in cluster.container()["state"]


@pytest.mark.parametrize(
    "image", ["webserver:404", "a/b:nonexistent", "invalid.registry.io/x:1", "x.invalid/y"]
)
async def test_images_that_cannot_exist(cluster: VirtualCluster, image: str) -> None:
    await cluster.run(containers=[a_container(image=image)])
    assert cluster.container()["state"]["waiting"]["reason"] == "ErrImagePull"


@pytest.mark.parametrize(
    ("key", "reason"), [("create-error", "CreateContainerError"), ("start-error", "RunContainerError")]
)
async def test_containers_that_cannot_be_made_or_started(
    cluster: VirtualCluster, key: str, reason: str
) -> None:
    await cluster.run(said={key: "broken"})
    waiting = cluster.container()["state"]["waiting"]
    assert (waiting["reason"], waiting["message"]) in [
        (reason, "broken"),
        ("CrashLoopBackOff", waiting["message"]),
    ]


async def test_a_sandbox_that_cannot_be_made_holds_the_pod(cluster: VirtualCluster) -> None:
    await cluster.run(said={"sandbox-error": "true"})
    assert cluster.container()["state"]["waiting"]["reason"] == "ContainerCreating"
    assert "FailedCreatePodSandBox" in await cluster.reasons()
    await cluster.say(sandbox_error=None)
    assert cluster.status()["phase"] == "Running"


async def test_readiness_follows_the_annotation(cluster: VirtualCluster) -> None:
    await cluster.run()
    await cluster.say(ready="false")
    assert not cluster.ready()
    assert cluster.status()["phase"] == "Running"
    await cluster.say(ready=None)
    assert cluster.ready()


async def test_probes_succeed_after_their_initial_delay(cluster: VirtualCluster) -> None:
    probe = {"httpGet": {"port": 80}, "initialDelaySeconds": 7}
    await cluster.run(containers=[a_container(readinessProbe=probe)])
    assert not cluster.ready()
    await cluster.clock.advance(7)
    assert cluster.ready()


async def test_a_failing_liveness_probe_kills_after_its_periods(cluster: VirtualCluster) -> None:
    probe = {"exec": {"command": ["x"]}, "periodSeconds": 5, "failureThreshold": 3}
    await cluster.run(said={"live": "false"}, containers=[a_container(livenessProbe=probe)])
    await cluster.clock.advance(9)
    assert cluster.container()["restartCount"] == 0
    await cluster.clock.advance(2)
    assert cluster.container()["restartCount"] == 1


async def test_a_missing_config_map_holds_a_pod_and_its_coming_frees_it(cluster: VirtualCluster) -> None:
    volumes = [{"name": "files", "configMap": {"name": "later"}}]
    await cluster.run(volumes=volumes)
    assert cluster.container()["state"]["waiting"]["reason"] == "ContainerCreating"
    assert "FailedMount" in await cluster.reasons()
    cluster.client.put(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "later", "namespace": "default"}}
    )
    await cluster.settle()
    assert cluster.status()["phase"] == "Running"
    assert cluster.client.stored(CONFIGMAPS, "later", namespace="default")


async def test_init_containers_are_not_meant_by_annotations_of_the_pod(cluster: VirtualCluster) -> None:
    init = [a_container("first", command=["whatever"]), a_container("second", command=["sleep", "4"])]
    await cluster.run(said={"crash-after": "1h", "ready": "false"}, initContainers=init)
    assert cluster.container()["state"]["waiting"]["reason"] == "PodInitializing"
    await cluster.clock.advance(4)
    assert cluster.status()["phase"] == "Running"


async def test_annotations_of_one_container(cluster: VirtualCluster) -> None:
    await cluster.run(said={"ready.b": "false"}, containers=[a_container("a"), a_container("b")])
    statuses = {each["name"]: each["ready"] for each in cluster.status()["containerStatuses"]}
    assert statuses == {"a": True, "b": False}


async def test_deletion_takes_one_request_where_nobody_looks(cluster: VirtualCluster) -> None:
    await cluster.run()
    before = cluster.written()
    await cluster.client.delete(PODS, "web", namespace="default")
    await cluster.settle()
    assert cluster.status() == {}
    assert cluster.written() == before + 2  # the test's own request, and the node's


async def test_a_pod_with_a_finalizer_shows_how_it_ended(cluster: VirtualCluster) -> None:
    await cluster.run(said={"stop-exit-code": "0"}, restartPolicy="Never")
    patch = {"metadata": {"finalizers": ["batch.kubernetes.io/job-tracking"]}}
    await cluster.client.patch(PODS, "web", patch, namespace="default")
    await cluster.client.delete(PODS, "web", namespace="default")
    await cluster.settle()
    assert cluster.status()["phase"] == "Succeeded"


async def test_a_slow_container_is_killed_when_its_grace_is_over(cluster: VirtualCluster) -> None:
    await cluster.run(said={"stop-latency": "1h"}, terminationGracePeriodSeconds=20)
    await cluster.client.delete(PODS, "web", namespace="default")
    await cluster.clock.advance(19)
    assert cluster.status()["phase"] == "Running"
    await cluster.clock.advance(2)
    assert cluster.status() == {}


async def test_a_pre_stop_hook_takes_its_time(cluster: VirtualCluster) -> None:
    hook = {"preStop": {"exec": {"command": ["sleep", "5"]}}}
    await cluster.run(containers=[a_container(lifecycle=hook)])
    await cluster.client.delete(PODS, "web", namespace="default")
    await cluster.clock.advance(4)
    assert cluster.status()
    await cluster.clock.advance(2)
    assert cluster.status() == {}


async def test_pods_run_on_when_the_process_is_started_again(cluster: VirtualCluster) -> None:
    await cluster.run("a", said={"exit-after": "10m"}, restartPolicy="Never")
    await cluster.run("b", restartPolicy="Never", containers=script("exit 2"))
    before, ended = cluster.status("a"), cluster.status("b")
    await cluster.agent.stop()
    async with virtual_cluster(client=cluster.client, clock=cluster.clock) as next_one:
        assert next_one.status("a") == before
        assert next_one.status("b") == ended
        fresh = await next_one.run("c")
        assert fresh["podIP"] != before["podIP"]
        await next_one.clock.advance(601)
        assert next_one.status("a")["phase"] == "Succeeded"


async def test_a_pod_ends_at_its_deadline(cluster: VirtualCluster) -> None:
    await cluster.run(activeDeadlineSeconds=5)
    await cluster.clock.advance(4)
    assert cluster.status()["phase"] == "Running"
    await cluster.clock.advance(2)
    assert (cluster.status()["phase"], cluster.status()["reason"]) == ("Failed", "DeadlineExceeded")


async def test_a_crash_loop_goes_on_counting_when_the_process_is_started_again(
    cluster: VirtualCluster,
) -> None:
    await cluster.run(containers=script("exit 1"))
    await cluster.clock.advance(11)
    before = cluster.container()
    assert (before["restartCount"], before["state"]["waiting"]["reason"]) == (2, "CrashLoopBackOff")
    await cluster.agent.stop()
    async with virtual_cluster(client=cluster.client, clock=cluster.clock) as next_one:
        after = next_one.container()
        assert after["restartCount"] in (3, 4)
        assert after["lastState"]["terminated"]["exitCode"] == 1
