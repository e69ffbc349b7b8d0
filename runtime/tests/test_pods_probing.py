"""Probes: what they do to readiness, and to containers that fail them."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from runtime.container_runtime import ExecResult
from runtime.tests.fake_runtime import FakeRuntime
from runtime.tests.pod_node import PodNode, a_container, a_pod, pod_node


class ProbedRuntime(FakeRuntime):
    """Commands answer as `answers` says; they succeed when it says nothing."""

    answers: dict[str, int]
    asked: int = 0

    async def exec_sync(self, container_id: str, command: Sequence[str], *, timeout: float) -> ExecResult:
        self.asked += 1
        code = self.answers.get(command[0], 0)
        return ExecResult(b"", b"no" if code else b"", code)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[PodNode]:
    runtime = ProbedRuntime()
    runtime.answers = {}
    async with pod_node(tmp_path, runtime=runtime) as made:
        yield made


def answers(node: PodNode) -> dict[str, int]:
    assert isinstance(node.runtime, ProbedRuntime)
    return node.runtime.answers


def a_probe(command: str, **fields: int) -> dict[str, object]:
    return {"exec": {"command": [command]}, "periodSeconds": 5, **fields}


async def test_a_container_is_not_ready_before_its_readiness_probe_succeeds(node: PodNode) -> None:
    answers(node)["ready"] = 1
    node.create(a_pod(containers=[a_container(readinessProbe=a_probe("ready"))]))
    await node.running()
    assert node.container()["ready"] is False
    assert ("Unhealthy", "Readiness probe failed: no") in await node.events()
    answers(node)["ready"] = 0
    await node.clock.advance(5)
    await node.until(lambda: node.container()["ready"])


async def test_a_ready_container_stays_ready_until_the_threshold(node: PodNode) -> None:
    node.create(a_pod(containers=[a_container(readinessProbe=a_probe("ready", failureThreshold=2))]))
    await node.until(lambda: node.container().get("ready"))
    answers(node)["ready"] = 1
    await node.clock.advance(5)
    assert node.container()["ready"]
    await node.clock.advance(5)
    await node.until(lambda: not node.container()["ready"])


@pytest.mark.parametrize("policy", ["Always", "OnFailure"])
async def test_a_failed_liveness_probe_restarts_the_container(node: PodNode, policy: str) -> None:
    """However it ends then: without an error here."""
    answers(node)["live"] = 1
    probe = a_probe("live", failureThreshold=2, initialDelaySeconds=3)
    node.create(a_pod(containers=[a_container(livenessProbe=probe)], restartPolicy=policy))
    await node.running()
    await node.clock.advance(3)
    assert node.container()["restartCount"] == 0
    await node.clock.advance(5)
    await node.until(lambda: node.container()["restartCount"] == 1)
    assert ("Killing", "Container main failed liveness probe, will be restarted") in await node.events()


async def test_a_container_that_is_being_killed_is_not_probed_any_more(node: PodNode) -> None:
    runtime = node.runtime
    assert isinstance(runtime, ProbedRuntime)
    runtime.answers["live"] = 1
    runtime.stubborn.add("main")
    node.create(a_pod(containers=[a_container(livenessProbe=a_probe("live", failureThreshold=2))]))
    await node.running()
    await node.clock.advance(5)
    for _ in range(4):
        await node.clock.advance(5)
    assert runtime.asked == 2


async def test_other_probes_wait_for_the_startup_probe(node: PodNode) -> None:
    answers(node).update(up=1, live=1)
    container = a_container(startupProbe=a_probe("up", failureThreshold=30), livenessProbe=a_probe("live"))
    node.create(a_pod(containers=[container]))
    await node.running()
    await node.clock.advance(60)
    assert (node.container()["started"], node.container()["ready"]) == (False, False)
    assert node.container()["restartCount"] == 0
    answers(node).update(up=0, live=0)
    await node.clock.advance(5)
    await node.until(lambda: node.container()["started"] and node.container()["ready"])


async def test_a_startup_probe_that_never_succeeds_kills_the_container(node: PodNode) -> None:
    answers(node)["up"] = 1
    container = a_container(startupProbe=a_probe("up", failureThreshold=2))
    node.create(a_pod(containers=[container]))
    await node.running()
    await node.clock.advance(5)
    await node.until(lambda: node.container()["restartCount"] == 1)


async def test_a_ready_container_stays_ready_over_the_agents_restart(tmp_path: Path) -> None:
    runtime = ProbedRuntime()
    runtime.answers = {}
    async with pod_node(tmp_path, runtime=runtime) as first:
        first.create(a_pod(containers=[a_container(readinessProbe=a_probe("ready"))]))
        await first.until(lambda: first.container().get("ready"))
    async with pod_node(tmp_path, runtime=runtime, client=first.client) as second:
        await second.until(lambda: second.agent.workers)
        await second.events()
        assert second.container()["ready"]


class SlowRuntime(ProbedRuntime):
    """Each command takes two seconds."""

    async def exec_sync(self, container_id: str, command: Sequence[str], *, timeout: float) -> ExecResult:
        await self.clock.sleep(2)
        return await super().exec_sync(container_id, command, timeout=timeout)


async def test_a_slow_probe_keeps_its_beat(tmp_path: Path) -> None:
    """A period is from one beginning to the next, as the kubelet's."""
    runtime = SlowRuntime()
    runtime.answers = {}
    async with pod_node(tmp_path, runtime=runtime) as node:
        node.create(a_pod(containers=[a_container(readinessProbe=a_probe("ready"))]))
        await node.running()
        for _ in range(12):
            await node.clock.advance(1)
        assert runtime.asked == 3
