"""The end of the node's pods before the node's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeling.objects.tasks import Tasks
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.node.graceful_shutdown import CRITICAL, Group, end_pods, shutdown_groups
from runtime.tests.pod_node import PodNode, a_pod, pod_node


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[PodNode]:
    async with pod_node(tmp_path) as made:
        yield made


def test_the_time_is_divided_between_critical_pods_and_others() -> None:
    given = KubeletConfiguration(shutdown_grace_period=30, shutdown_grace_period_critical_pods=10)
    assert shutdown_groups(given) == [Group(0, 20), Group(CRITICAL, 10)]
    assert shutdown_groups(KubeletConfiguration()) == []
    by_priority = ({"priority": 100, "shutdownGracePeriodSeconds": 5}, {"shutdownGracePeriodSeconds": 7})
    more = KubeletConfiguration(shutdown_grace_period_by_pod_priority=by_priority)
    assert shutdown_groups(more) == [Group(0, 7), Group(100, 5)]


async def test_pods_fail_group_after_group(node: PodNode) -> None:
    node.runtime.stubborn.add("main")
    node.create(a_pod("web"))
    node.create(a_pod("critical", priority=CRITICAL, terminationGracePeriodSeconds=1))
    await node.running("web")
    await node.running("critical")
    groups = [Group(0, 20), Group(CRITICAL, 10)]
    async with Tasks("test") as tasks:
        ending = tasks.start(end_pods(node.agent.workers, groups, node.clock), name="end")
        for _ in range(20):
            await node.clock.advance(1)
        await node.until(lambda: node.status("web")["phase"] == "Failed")
        assert node.status("critical")["phase"] == "Running"
        while not ending.done():
            await node.clock.advance(1)
    status = node.status("critical")
    assert (status["phase"], status["reason"]) == ("Failed", "Terminated")
    assert status["message"] == "Pod was terminated in response to imminent node shutdown."
    disruption = next(each for each in status["conditions"] if each["type"] == "DisruptionTarget")
    assert (disruption["status"], disruption["reason"]) == ("True", "TerminationByKubelet")
    assert disruption["observedGeneration"] == 1


async def test_a_node_that_is_shutting_down_takes_no_more_pods(node: PodNode) -> None:
    node.context.shutting_down = lambda: True
    node.create(a_pod("late"))
    await node.until(lambda: node.status("late").get("phase") == "Failed")
    status = node.status("late")
    assert status["reason"] == "NodeShutdown"
    assert status["message"] == "Pod was rejected: Pod was rejected as the node is shutting down."
