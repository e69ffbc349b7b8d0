"""Pods from the watch event to their end, on a node without containers."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cri_api.v1 import api_pb2 as cri

from kubeling.client.errors import ConnectionLost
from kubeling.client.resources import PODS
from kubeling.objects.errors import Conflict
from kubeling.objects.meta import Object
from runtime.container_runtime import RuntimeEventKind
from runtime.errors import RuntimeFailed
from runtime.tests.pod_node import PodNode, a_container, a_pod, pod_node


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[PodNode]:
    async with pod_node(tmp_path) as made:
        yield made


async def test_a_pod_runs(node: PodNode) -> None:
    node.create(a_pod())
    await node.running()
    status = node.status()
    assert status["podIP"] == "10.244.0.1"
    assert status["hostIP"] == "192.0.2.7"
    assert {each["type"]: each["status"] for each in status["conditions"]} == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
        "PodScheduled": "True",
    }
    container = node.container()
    assert container["ready"] is True
    assert container["restartCount"] == 0
    assert container["containerID"] == "containerd://container-2"
    assert container["state"]["running"]["startedAt"]


async def test_the_runtime_is_asked_nothing_twice_on_the_way_to_running(node: PodNode) -> None:
    await node.until(lambda: "list_containers" in node.runtime.verbs())
    node.runtime.calls.clear()
    node.create(a_pod())
    await node.running()
    assert node.runtime.verbs() == [
        "run_pod_sandbox",
        "pod_sandbox_status",
        "image_status",
        "create_container",
        "start_container",
        "container_status",
    ]


async def test_an_end_that_the_status_shows_late_is_seen(node: PodNode) -> None:
    """containerd tells of an end a moment before its CRI notes it."""
    node.create(a_pod(restartPolicy="Never"))
    await node.running()
    ended = node.container()["containerID"].partition("://")[2]
    node.runtime.calls.clear()
    node.runtime.emit(RuntimeEventKind.STOPPED, ended)
    await node.until(lambda: node.runtime.verbs().count("container_status") == 1)
    assert node.status()["phase"] == "Running"
    node.runtime.containers[ended].state = cri.CONTAINER_EXITED
    await node.clock.advance(0.01)
    await node.until(lambda: node.status()["phase"] == "Succeeded")


async def test_the_events_of_a_start_are_the_kubelets(node: PodNode) -> None:
    node.create(a_pod())
    await node.running()
    assert await node.events() == [
        ("Pulled", 'Container image "app:1" already present on machine and can be accessed by the pod'),
        ("Created", "Container created"),
        ("Started", "Container started"),
    ]


async def test_init_containers_run_one_after_the_other(node: PodNode) -> None:
    node.create(a_pod(initContainers=[a_container("first"), a_container("second")]))
    await node.until(lambda: node.runtime.running("first"))
    assert not node.runtime.named("second")
    assert node.waiting() == "PodInitializing"
    node.runtime.exit("first")
    await node.until(lambda: node.runtime.running("second"))
    assert not node.runtime.named("main")
    node.runtime.exit("second")
    await node.running()


async def test_a_failing_init_container_of_a_pod_that_never_restarts_fails_the_pod(node: PodNode) -> None:
    node.create(a_pod(initContainers=[a_container("first")], restartPolicy="Never"))
    await node.until(lambda: node.runtime.running("first"))
    node.runtime.exit("first", 3)
    await node.until(lambda: node.status()["phase"] == "Failed")
    assert not node.runtime.named("main")


async def test_a_sidecar_runs_beside_the_containers(node: PodNode) -> None:
    node.create(a_pod(initContainers=[a_container("proxy", restartPolicy="Always")], restartPolicy="Never"))
    await node.running()
    assert node.runtime.running("proxy")
    node.runtime.exit("main")
    await node.until(lambda: node.status()["phase"] == "Succeeded")
    await node.until(lambda: not node.runtime.running("proxy"))


async def test_a_crashing_container_backs_off(node: PodNode) -> None:
    node.create(a_pod())
    await node.running()
    node.runtime.exit("main", 1)
    await node.until(lambda: node.container()["restartCount"] == 1 and node.runtime.running("main"))
    assert node.container()["lastState"]["terminated"]["exitCode"] == 1
    node.runtime.exit("main", 1)
    await node.until(lambda: node.waiting() == "CrashLoopBackOff")
    uid = (node.pod() or {})["metadata"]["uid"]
    message = node.container()["state"]["waiting"]["message"]
    assert message == f"back-off 10s restarting failed container=main pod=web_default({uid})"
    assert ("BackOff", f"Back-off restarting failed container main in pod web_default({uid})") in (
        await node.events()
    )
    await node.clock.advance(9)
    assert not node.runtime.running("main")
    await node.clock.advance(1)
    await node.until(lambda: node.container()["restartCount"] == 2)
    node.runtime.exit("main", 1)
    await node.until(lambda: "back-off 20s" in str(node.container()["state"]))


async def test_a_container_that_succeeds_on_failure_policy_ends_the_pod(node: PodNode) -> None:
    node.create(a_pod(restartPolicy="OnFailure"))
    await node.running()
    node.runtime.exit("main", 1)
    await node.until(lambda: node.runtime.running("main") and node.container()["restartCount"] == 1)
    node.runtime.exit("main", 0)
    await node.until(lambda: node.status()["phase"] == "Succeeded")
    assert node.container()["state"]["terminated"]["reason"] == "Completed"
    ready = next(each for each in node.status()["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "PodCompleted")
    await node.until(
        lambda: all(each.state == cri.SANDBOX_NOTREADY for each in node.runtime.sandboxes.values())
    )


async def test_a_failed_pod_that_never_restarts(node: PodNode) -> None:
    node.create(a_pod(restartPolicy="Never"))
    await node.running()
    node.runtime.exit("main", 7)
    await node.until(lambda: node.status()["phase"] == "Failed")
    assert node.container()["state"]["terminated"]["exitCode"] == 7
    assert len(node.runtime.named("main")) == 1


async def test_two_containers_start_though_the_image_of_one_is_missing(node: PodNode) -> None:
    node.create(a_pod(containers=[a_container("a", image="gone:1"), a_container("b")]))
    await node.until(lambda: node.runtime.running("b") and node.waiting("a") == "ErrImagePull")
    assert node.status()["phase"] == "Pending"


async def test_a_pull_that_fails_backs_off_and_is_tried_again(node: PodNode) -> None:
    node.create(a_pod(containers=[a_container(image="later:1")]))
    await node.until(lambda: node.waiting() == "ErrImagePull")
    await node.clock.advance(2)
    await node.until(lambda: node.waiting() == "ImagePullBackOff")
    message = node.container()["state"]["waiting"]["message"]
    assert message.startswith('Back-off pulling image "later:1": ErrImagePull: ')
    node.runtime.pullable.add("later:1")
    await node.clock.advance(10)
    await node.running()
    reasons = [reason for reason, _ in await node.events()]
    assert reasons == ["Pulling", "Failed", "Failed", "BackOff", "Failed", "Pulled", "Created", "Started"]


async def test_an_image_that_may_not_be_pulled(node: PodNode) -> None:
    node.create(a_pod(containers=[a_container(image="gone:1", imagePullPolicy="Never")]))
    await node.until(lambda: node.waiting() == "ErrImageNeverPull")
    message = node.container()["state"]["waiting"]["message"]
    assert message == 'Container image "gone:1" is not present with pull policy of Never'


async def test_an_image_name_that_is_none(node: PodNode) -> None:
    node.create(a_pod(containers=[a_container(image="UPPER:1")]))
    await node.until(lambda: node.waiting() == "InvalidImageName")


async def test_a_missing_config_map_is_a_config_error_until_it_appears(node: PodNode) -> None:
    source = {"configMapKeyRef": {"name": "settings", "key": "mode"}}
    node.create(a_pod(containers=[a_container(env=[{"name": "MODE", "valueFrom": source}])]))
    await node.until(lambda: node.waiting() == "CreateContainerConfigError")
    assert node.container()["state"]["waiting"]["message"] == 'configmap "settings" not found'
    node.client.put(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": "default"},
            "data": {"mode": "fast"},
        }
    )
    await node.running()
    config = next(iter(node.runtime.configs.values()))
    assert [(each.key, each.value) for each in config.envs] == [("MODE", "fast")]


async def test_a_container_that_cannot_be_executed(node: PodNode) -> None:
    node.runtime.fail("start_container", RuntimeFailed("exec: no such file"))
    node.create(a_pod())
    await node.until(lambda: node.waiting() == "RunContainerError")
    assert node.container()["lastState"]["terminated"]["exitCode"] == 128
    await node.until(lambda: node.runtime.running("main"))


async def test_a_sandbox_that_fails_is_tried_again(node: PodNode) -> None:
    node.runtime.fail("run_pod_sandbox", RuntimeFailed("no network"))
    node.create(a_pod())
    await node.until(lambda: node.runtime.calls and "run_pod_sandbox" in node.runtime.verbs())
    expected = "Failed to create pod sandbox: rpc error: code = Unknown desc = no network"
    assert ("FailedCreatePodSandBox", expected) in await node.events()
    await node.clock.advance(5)
    await node.running()


async def test_deletion_is_graceful_and_ends_with_a_delete(node: PodNode) -> None:
    node.runtime.stubborn.add("main")
    node.create(a_pod())
    await node.running()
    await node.client.delete(PODS, "web", namespace="default")
    await node.until(lambda: "stop_container" in node.runtime.verbs())
    assert ("Killing", "Stopping container main") in await node.events()
    await node.clock.advance(29)
    assert node.runtime.running("main")
    await node.clock.advance(1)
    await node.until(lambda: node.pod() is None)
    await node.until(lambda: not node.agent.workers)
    assert not node.runtime.sandboxes
    assert not node.runtime.containers
    final = [each for each in node.client.writes() if each.resource == PODS][-2:]
    assert final[0].body["status"]["phase"] == "Failed"
    assert final[1].body["gracePeriodSeconds"] == 0
    assert final[1].body["preconditions"]


async def test_a_shorter_grace_period_hastens_the_end(node: PodNode) -> None:
    node.runtime.stubborn.add("main")
    node.create(a_pod())
    await node.running()
    await node.client.delete(PODS, "web", namespace="default")
    await node.until(lambda: "stop_container" in node.runtime.verbs())
    await node.client.delete(PODS, "web", namespace="default", grace_period_seconds=3)
    await node.until(lambda: node.runtime.verbs("stop_container") == ["stop_container"] * 2)
    await node.clock.advance(3)
    await node.until(lambda: node.pod() is None)


async def test_a_pod_that_vanishes_is_taken_down(node: PodNode) -> None:
    node.create(a_pod())
    await node.running()
    node.client.remove(PODS, "web", namespace="default")
    await node.until(lambda: not node.agent.workers)
    assert not node.runtime.sandboxes
    assert not node.runtime.containers
    assert not any((node.root / "pods").iterdir())


async def test_a_deletion_interrupts_a_start_that_waits(node: PodNode) -> None:
    volume = {"name": "v", "configMap": {"name": "never"}}
    node.create(a_pod(volumes=[volume]))
    await node.until(lambda: "volumes" in "".join(str(node.agent.workers)) or node.agent.workers)
    await node.client.delete(PODS, "web", namespace="default")
    await node.until(lambda: node.pod() is None)
    assert "run_pod_sandbox" not in node.runtime.verbs()


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
async def test_a_changed_image_replaces_the_container(node: PodNode, policy: str) -> None:
    node.create(a_pod(restartPolicy=policy))
    await node.running()
    node.runtime.has_image("app:2")
    changed = node.pod()
    assert changed is not None
    changed["spec"]["containers"][0]["image"] = "app:2"
    changed["metadata"]["generation"] = 2
    node.client.put(changed)
    await node.until(lambda: node.container().get("image") == "app:2" and node.runtime.running("main"))
    await node.until(lambda: node.container()["restartCount"] == 1 and node.container()["ready"])
    assert ("Killing", "Container main definition changed, will be restarted") in await node.events()


async def test_the_agent_restarts_without_touching_a_running_container(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as first:
        first.create(a_pod())
        await first.running()
        first.runtime.exit("main", 1)
        await first.until(lambda: first.container()["restartCount"] == 1)
        before = first.pod()
    first.runtime.calls.clear()
    async with pod_node(tmp_path, client=first.client, runtime=first.runtime) as second:
        await second.until(lambda: second.agent.workers)
        await second.until(lambda: "container_status" in second.runtime.verbs())
        await second.events()
        assert not second.runtime.verbs("create_container", "stop_container", "run_pod_sandbox")
        assert second.status() == (before or {})["status"]
        second.runtime.exit("main", 1)
        await second.until(lambda: second.container()["restartCount"] == 2)


async def test_a_reboot_brings_pods_back(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as first:
        first.create(a_pod())
        await first.running()
    first.runtime.lose_sandboxes()
    await first.clock.advance(60)
    async with pod_node(tmp_path, client=first.client, runtime=first.runtime) as second:
        await second.until(lambda: second.container().get("restartCount") == 1)
        await second.until(lambda: second.container()["ready"])
        assert second.status()["podIP"] == "10.244.0.3"
        reasons = [reason for reason, _ in await second.events()]
        assert "SandboxChanged" in reasons


async def test_pods_that_are_not_in_the_api_are_taken_down_at_the_start(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as first:
        first.create(a_pod())
        await first.running()
    first.client.remove(PODS, "web", namespace="default")
    async with pod_node(tmp_path, client=first.client, runtime=first.runtime) as second:
        await second.until(lambda: not second.runtime.sandboxes)
        await second.until(lambda: not second.agent.workers)


async def test_old_containers_are_removed_but_the_last(node: PodNode) -> None:
    node.create(a_pod())
    await node.running()
    for count in (1, 2, 3):
        node.runtime.exit("main", 1)
        await node.clock.advance(60 * count)
        await node.until(partial(_restarted, node, count))
    await node.until(lambda: [each.metadata.attempt for each in node.runtime.named("main")] == [2, 3])


def _restarted(node: PodNode, count: int) -> bool:
    return bool(node.container()["restartCount"] == count)


async def test_the_servers_absence_stops_nothing_and_the_status_catches_up(node: PodNode) -> None:
    node.client.fail("patch", ConnectionLost("away"), times=5)
    node.create(a_pod())
    await node.until(lambda: node.runtime.running("main"))
    assert node.status()["phase"] == "Pending"
    await node.clock.advance(30)
    await node.running()


async def test_a_pod_that_is_active_for_too_long_fails(node: PodNode) -> None:
    node.create(a_pod(activeDeadlineSeconds=60))
    await node.running()
    await node.clock.advance(59)
    assert node.runtime.running("main")
    await node.clock.advance(1)
    await node.until(lambda: node.status()["phase"] == "Failed")
    assert node.status()["reason"] == "DeadlineExceeded"
    await node.until(lambda: not node.runtime.running("main"))


async def test_a_status_that_meets_a_conflict_is_written_again(node: PodNode) -> None:
    node.client.fail("patch", Conflict("somebody else was first"), times=2)
    node.create(a_pod())
    await node.until(lambda: node.runtime.running("main"))
    await node.clock.advance(5)
    await node.running()


def _on_port(name: str, **port: Any) -> Object:
    return a_pod(name, containers=[a_container(ports=[{"containerPort": 80, "hostPort": 8080, **port}])])


async def test_a_pod_that_asks_for_a_port_of_another_is_rejected(node: PodNode) -> None:
    node.create(_on_port("first"))
    await node.running("first")
    node.create(_on_port("second"))
    await node.until(lambda: node.status("second")["phase"] == "Failed")
    status = node.status("second")
    assert status["reason"] == "NodePorts"
    assert status["message"].startswith("Pod was rejected: Predicate NodePorts failed")
    node.create(_on_port("third", protocol="UDP"))
    await node.running("third")


async def test_a_port_is_free_again_when_its_pod_is_gone(node: PodNode) -> None:
    node.create(_on_port("first"))
    await node.running("first")
    await node.client.delete(PODS, "first", namespace="default", grace_period_seconds=1)
    await node.until(lambda: node.pod("first") is None)
    node.create(_on_port("second"))
    await node.running("second")


async def test_a_pod_that_runs_keeps_its_port_over_a_restart_of_the_agent(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as before:
        before.create(_on_port("first"))
        await before.running("first")
    async with pod_node(tmp_path, client=before.client, runtime=before.runtime) as node:
        await node.until(lambda: node.agent.workers)
        node.create(_on_port("second"))
        await node.until(lambda: node.status("second")["phase"] == "Failed")
        assert node.status("first")["phase"] == "Running"
