"""Sidecars, ephemeral containers, hooks, restart rules on virtual nodes: as on others, but nothing runs."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubeling.client.resources import PODS
from kubeling.objects.meta import Object
from runtime.tests.pod_node import a_container
from runtime.tests.virtual_cluster import VirtualCluster, virtual_cluster


@pytest.fixture
async def cluster() -> AsyncIterator[VirtualCluster]:
    async with virtual_cluster() as made:
        yield made


def script(text: str, **fields: Any) -> Object:
    return a_container(command=["sh", "-c", text], **fields)


def rule(code: int, action: str = "Restart") -> dict[str, Any]:
    rules = [{"action": action, "exitCodes": {"operator": "In", "values": [code]}}]
    return {"restartPolicy": "Never", "restartPolicyRules": rules}


async def test_an_ephemeral_container_joins_a_running_pod(cluster: VirtualCluster) -> None:
    await cluster.run()
    patch = {"spec": {"ephemeralContainers": [a_container("debug", targetContainerName="main")]}}
    await cluster.client.patch(PODS, "web", patch, namespace="default")
    await cluster.settle()
    (status,) = cluster.status()["ephemeralContainerStatuses"]
    assert "running" in status["state"]
    assert cluster.ready()


async def test_sidecars_end_with_the_others(cluster: VirtualCluster) -> None:
    sidecar = a_container("side", restartPolicy="Always")
    status = await cluster.run(
        initContainers=[sidecar], containers=[script("sleep 5")], restartPolicy="Never"
    )
    assert status["phase"] == "Running"
    assert cluster.ready()
    await cluster.clock.advance(5)
    await cluster.settle()
    assert cluster.status()["phase"] == "Succeeded"
    assert "terminated" in cluster.status()["initContainerStatuses"][0]["state"]


async def test_a_rule_restarts_a_container(cluster: VirtualCluster) -> None:
    await cluster.run(containers=[script("sleep 5; exit 42", **rule(42))], restartPolicy="Never")
    await cluster.clock.advance(5)
    await cluster.settle()
    assert cluster.container()["restartCount"] == 1
    assert cluster.status()["phase"] == "Running"


async def test_a_rule_restarts_all_containers(cluster: VirtualCluster) -> None:
    trigger = script("sleep 5; exit 42", **rule(42, "RestartAllContainers"))
    await cluster.run(containers=[trigger, a_container("other")], restartPolicy="Never")
    await cluster.clock.advance(5)
    await cluster.settle()
    assert [each["restartCount"] for each in cluster.status()["containerStatuses"]] == [1, 1]
    assert cluster.ready()


async def test_a_start_hook_holds_a_container_back(cluster: VirtualCluster) -> None:
    hook = {"postStart": {"sleep": {"seconds": 5}}}
    await cluster.run(containers=[a_container(lifecycle=hook)])
    assert cluster.container()["state"] == {"waiting": {"reason": "ContainerCreating"}}
    await cluster.clock.advance(5)
    await cluster.settle()
    assert cluster.ready()
