"""Sidecars, ephemeral containers, hooks and restarts in the life of a pod, on a node without containers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cri_api.v1 import api_pb2 as cri

from kubeling.client.resources import PODS
from kubeling.objects.meta import Object
from runtime.container_runtime import ExecResult, RuntimeEventKind
from runtime.errors import RuntimeFailed
from runtime.tests.pod_node import PodNode, a_container, a_pod, pod_node

SIDECAR = {"restartPolicy": "Always"}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[PodNode]:
    async with pod_node(tmp_path) as made:
        yield made


def sleeping(seconds: int) -> dict[str, Any]:
    return {"preStop": {"sleep": {"seconds": seconds}}}


async def delete(node: PodNode, grace: int | None = None) -> None:
    await node.client.delete(PODS, "web", namespace="default", grace_period_seconds=grace)


def stopped(node: PodNode) -> list[str]:
    """The names of the containers that were told to stop, in that order."""
    ids = [subject for verb, subject in node.runtime.calls if verb == "stop_container"]
    return [node.runtime.containers[each].metadata.name for each in ids if each in node.runtime.containers]


async def debugged(node: PodNode, **fields: Any) -> None:
    pod = node.pod() or {}
    pod["spec"]["ephemeralContainers"] = [a_container("debug", **fields)]
    pod["metadata"]["generation"] = 2
    node.client.put(pod)


async def test_an_ephemeral_container_runs_once_and_goes_with_the_pod(node: PodNode) -> None:
    node.create(a_pod())
    await node.running()
    await debugged(node, targetContainerName="main")
    await node.until(lambda: node.runtime.running("debug"))
    config = node.runtime.configs[node.runtime.named("debug")[0].id]
    options = config.linux.security_context.namespace_options
    assert (options.pid, options.target_id) == (cri.TARGET, node.runtime.named("main")[0].id)
    node.runtime.exit("debug", 3)
    await node.until(lambda: "terminated" in str(node.status().get("ephemeralContainerStatuses")))
    assert node.status()["phase"] == "Running"
    await node.clock.advance(700)
    assert len(node.runtime.named("debug")) == 1
    events = await node.events()
    assert ("Started", "Container started") in events


async def test_a_target_that_never_ran_is_a_config_error(node: PodNode) -> None:
    node.create(a_pod(containers=[a_container(image="gone:1")]))
    await node.until(lambda: node.waiting() == "ErrImagePull")
    await debugged(node, targetContainerName="main")
    await node.until(lambda: "CreateContainerConfigError" in str(node.status()))
    (status,) = node.status()["ephemeralContainerStatuses"]
    assert status["state"]["waiting"]["message"] == "unable to find target container main"


async def test_sidecars_stop_after_the_others_the_last_first(node: PodNode) -> None:
    node.runtime.stubborn.update({"main", "first", "second"})
    node.create(a_pod(initContainers=[a_container(each, **SIDECAR) for each in ("first", "second")]))
    await node.running()
    await delete(node)
    await node.until(lambda: stopped(node) == ["main"])
    messages = [message for reason, message in await node.events() if reason == "Killing"]
    assert sorted(messages) == [f"Stopping container {each}" for each in ("first", "main", "second")]
    node.runtime.exit("main")
    await node.until(lambda: stopped(node) == ["main", "second"])
    node.runtime.exit("second")
    await node.until(lambda: stopped(node) == ["main", "second", "first"])
    node.runtime.exit("first")
    await node.until(lambda: node.pod() is None)


async def test_sidecars_wait_no_longer_than_the_pods_grace(node: PodNode) -> None:
    node.runtime.stubborn.update({"main", "side"})
    node.create(a_pod(initContainers=[a_container("side", **SIDECAR)]))
    await node.running()
    await delete(node, 5)
    await node.until(lambda: stopped(node) == ["main"])
    await node.clock.advance(5)
    await node.until(lambda: stopped(node) == ["main", "side"])
    await node.clock.advance(2)
    await node.until(lambda: node.pod() is None)


async def test_a_sidecars_stop_hook_begins_with_the_pods_end(node: PodNode) -> None:
    node.runtime.stubborn.add("main")
    hooked = a_container("side", **SIDECAR, lifecycle={"preStop": {"exec": {"command": ["bye"]}}})
    node.create(a_pod(initContainers=[hooked]))
    await node.running()
    await delete(node)
    await node.until(lambda: ("exec_sync", "bye") in node.runtime.calls)
    assert stopped(node) == ["main"]


async def test_the_end_of_a_jobs_container_ends_its_sidecars_in_order(node: PodNode) -> None:
    node.runtime.stubborn.add("side")
    node.create(a_pod(initContainers=[a_container("side", **SIDECAR)], restartPolicy="Never"))
    await node.running()
    node.runtime.exit("main")
    await node.until(lambda: stopped(node) == ["side"])
    assert node.status()["phase"] == "Running"
    node.runtime.exit("side", 5)
    await node.until(lambda: node.status()["phase"] == "Succeeded")


async def test_a_stop_hook_takes_of_the_grace_and_its_failure_is_told(node: PodNode) -> None:
    node.runtime.stubborn.add("main")
    node.create(a_pod(containers=[a_container(lifecycle=sleeping(10))], terminationGracePeriodSeconds=15))
    await node.running()
    await delete(node)
    await node.events()
    assert not stopped(node)
    await node.clock.advance(10)
    await node.until(lambda: stopped(node) == ["main"])
    await node.clock.advance(5)
    await node.until(lambda: node.pod() is None)


async def test_a_stop_hook_that_takes_too_long_leaves_two_seconds(node: PodNode) -> None:
    node.runtime.stubborn.add("main")
    node.create(a_pod(containers=[a_container(lifecycle=sleeping(100))], terminationGracePeriodSeconds=5))
    await node.running()
    await delete(node)
    await node.clock.advance(5)
    await node.until(lambda: stopped(node) == ["main"])
    await node.clock.advance(1)
    assert node.runtime.running("main")
    await node.clock.advance(1)
    await node.until(lambda: node.pod() is None)
    assert "FailedPreStopHook" not in dict(await node.events())


async def test_a_shorter_deletion_cuts_a_stop_hook(node: PodNode) -> None:
    node.create(a_pod(containers=[a_container(lifecycle=sleeping(600))], terminationGracePeriodSeconds=600))
    await node.running()
    await delete(node)
    await node.events()
    await delete(node, 1)
    await node.clock.advance(1)
    await node.until(lambda: node.pod() is None)


async def test_a_failed_stop_hook_is_told(node: PodNode) -> None:
    hook = {"preStop": {"tcpSocket": {"port": 80}}}
    node.create(a_pod(containers=[a_container(lifecycle=hook)]))
    await node.running()
    await delete(node)
    await node.until(lambda: node.pod() is None)
    assert ("FailedPreStopHook", "PreStopHook failed") in await node.events()


async def test_a_container_runs_when_its_start_hook_has_ended(node: PodNode) -> None:
    hook = {"postStart": {"sleep": {"seconds": 10}}}
    containers = [a_container(lifecycle=hook), a_container("next")]
    node.create(a_pod(containers=containers))
    await node.until(lambda: node.runtime.running("main"))
    await node.events()
    assert (node.waiting(), node.status()["phase"]) == ("ContainerCreating", "Pending")
    assert not node.runtime.named("next")
    await node.clock.advance(10)
    await node.until(lambda: node.container("next").get("ready"))
    await node.running()


async def test_a_failed_start_hook_ends_the_container(node: PodNode) -> None:
    node.runtime.exec_result = ExecResult(b"oh", b" no", 2)
    hook = {"postStart": {"exec": {"command": ["sh", "-c", "x"]}}}
    node.create(a_pod(containers=[a_container(lifecycle=hook)], restartPolicy="Always"))
    await node.until(lambda: node.waiting() == "PostStartHookError")
    uid = (node.pod() or {})["metadata"]["uid"]
    assert node.container()["state"]["waiting"]["message"] == (
        f'Exec lifecycle hook ([sh -c x]) for Container "main" in Pod "web_default({uid})" failed - '
        'error: command terminated with exit code 2, message: "oh no"'
    )
    events = await node.events()
    assert ("FailedPostStartHook", "PostStartHook failed") in events
    assert ("Killing", "FailedPostStartHook") in events


async def test_a_rule_restarts_one_container_of_a_pod_that_never_does(node: PodNode) -> None:
    rules = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]
    container = a_container(restartPolicy="Never", restartPolicyRules=rules)
    node.create(a_pod(containers=[container], restartPolicy="Never"))
    await node.running()
    node.runtime.exit("main", 42)
    await node.until(lambda: node.container()["restartCount"] == 1 and node.container()["ready"])
    node.runtime.exit("main", 1)
    await node.until(lambda: node.status()["phase"] == "Failed")


def restarter() -> Object:
    rules = [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]
    container = a_container(restartPolicy="Never", restartPolicyRules=rules)
    other = a_container("other", lifecycle={"preStop": {"exec": {"command": ["bye"]}}})
    return a_pod(containers=[container, other], initContainers=[a_container("init")], restartPolicy="Never")


async def test_a_rule_restarts_the_whole_pod_in_its_sandbox(node: PodNode) -> None:
    node.create(restarter())
    await node.until(lambda: node.runtime.running("init"))
    node.runtime.exit("init")
    await node.running()
    node.runtime.exit("main", 42)
    await node.until(lambda: node.runtime.running("init"))
    assert not node.runtime.named("other")
    node.runtime.exit("init")
    await node.until(lambda: node.container("other").get("ready") and node.container().get("ready"))
    assert [node.container(each)["restartCount"] for each in ("main", "other")] == [1, 1]
    assert node.container()["lastState"]["terminated"]["exitCode"] == 42
    assert ("exec_sync", "bye") not in node.runtime.calls
    assert len(node.runtime.sandboxes) == 1


async def test_a_pod_that_restarts_all_over_and_over_backs_off(node: PodNode) -> None:
    pod = restarter()
    del pod["spec"]["initContainers"]
    node.create(pod)
    await node.running()
    node.runtime.exit("main", 42)
    await node.until(lambda: node.container()["restartCount"] == 1 and node.runtime.running("main"))
    node.runtime.exit("main", 42)
    await node.until(lambda: node.waiting() == "CrashLoopBackOff")
    await node.clock.advance(10)
    await node.until(lambda: node.container()["restartCount"] == 2 and node.runtime.running("main"))


async def test_a_deadline_shows_when_the_containers_have_ended(node: PodNode) -> None:
    node.runtime.stubborn.add("main")
    node.create(a_pod(activeDeadlineSeconds=60))
    await node.running()
    await node.clock.advance(60)
    await node.until(lambda: stopped(node) == ["main"])
    await node.events()
    assert node.status()["phase"] == "Running"
    await node.clock.advance(30)
    await node.until(lambda: node.status()["phase"] == "Failed")
    assert node.status()["reason"] == "DeadlineExceeded"


async def test_a_stop_signal_of_its_own_goes_to_the_runtime_and_with_the_stop(node: PodNode) -> None:
    node.create(a_pod(containers=[a_container(lifecycle={"stopSignal": "SIGUSR1"}), a_container("other")]))
    await node.running()
    assert node.container()["stopSignal"] == "SIGUSR1"
    assert "stopSignal" not in node.container("other")
    (main,) = node.runtime.named("main")
    assert node.runtime.configs[main.id].stop_signal == cri.SIGUSR1
    await delete(node)
    await node.until(lambda: node.pod() is None)
    assert sorted(node.runtime.signals) == ["", "SIGUSR1"]


async def test_a_runtime_that_knows_the_stop_signal_sends_it_itself(node: PodNode) -> None:
    node.runtime.knows_signals = True
    node.create(a_pod(containers=[a_container(lifecycle={"stopSignal": "SIGRTMIN+3"})]))
    await node.running()
    await delete(node)
    await node.until(lambda: node.pod() is None)
    assert node.runtime.signals == [""]


async def test_a_deletion_does_not_wait_for_a_start_hook(node: PodNode) -> None:
    node.create(a_pod(containers=[a_container(lifecycle={"postStart": {"sleep": {"seconds": 600}}})]))
    await node.until(lambda: node.runtime.running("main"))
    await delete(node)
    await node.until(lambda: node.pod() is None)


async def test_what_cannot_be_stopped_is_told_and_tried_again(node: PodNode) -> None:
    node.create(a_pod())
    await node.running()
    node.runtime.fail("stop_container", RuntimeFailed("busy"))
    node.runtime.fail("stop_pod_sandbox", RuntimeFailed("network"))
    await delete(node)
    await node.events()
    for _ in range(3):
        await node.clock.advance(2)
    await node.until(lambda: node.pod() is None)
    told = [message for reason, message in await node.events() if reason == "FailedKillPod"]
    assert len(told) == 2
    assert told[0].endswith(
        'failed to "KillContainer" for "main" with KillContainerError: "rpc error: code = '
        'Unknown desc = busy"'
    )
    assert 'with KillPodSandboxError: "rpc error: code = Unknown desc = network"' in told[1]


async def test_what_outlives_its_sandbox_is_stopped_in_peace_before_there_is_a_new_one(node: PodNode) -> None:
    hook = {"preStop": {"exec": {"command": ["bye"]}}}
    node.create(a_pod(containers=[a_container(lifecycle=hook)]))
    await node.running()
    for sandbox in node.runtime.sandboxes.values():
        sandbox.state = cri.SANDBOX_NOTREADY
    node.runtime.emit(RuntimeEventKind.RELIST)
    await node.until(lambda: node.container().get("restartCount") == 1 and node.container()["ready"])
    verbs = node.runtime.verbs("exec_sync", "stop_container", "run_pod_sandbox")
    assert verbs == ["run_pod_sandbox", "exec_sync", "stop_container", "run_pod_sandbox"]
    assert ("Killing", "Stopping container main") in await node.events()
