"""How pods end that are evicted, and which a node takes that is short of something."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cri_api.v1 import api_pb2 as cri

from kubeling.client.resources import EVENTS
from kubeling.objects import conditions
from kubeling.objects.meta import Object
from runtime.eviction.candidate import candidates
from runtime.eviction.message import Eviction
from runtime.pods.containers.dead import reclaim
from runtime.tests.pod_node import PodNode, a_container, a_pod, pod_node

MESSAGE = "The node was low on resource: memory. "


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[PodNode]:
    async with pod_node(tmp_path) as made:
        yield made


def evict(node: PodNode, eviction: Eviction) -> None:
    (only,) = candidates(node.agent)
    only.evict(eviction)


async def failed(node: PodNode) -> Object:
    await node.until(lambda: node.status().get("phase") == "Failed")
    return node.status()


async def test_an_evicted_pod_fails_with_the_reason_and_leaves_nothing_on_the_node(node: PodNode) -> None:
    node.create(a_pod())
    await node.running()
    evict(
        node,
        Eviction(
            "memory.available", MESSAGE, 1.0, disruption=True, annotations={"starved_resource": "memory"}
        ),
    )
    status = await failed(node)
    assert (status["reason"], status["message"]) == ("Evicted", MESSAGE)
    condition = conditions.find({"status": status}, "DisruptionTarget")
    assert condition is not None
    assert (condition["reason"], condition["message"]) == ("TerminationByKubelet", MESSAGE)
    assert ("Evicted", MESSAGE) in await node.events()
    assert node.context.tally.evictions == {"memory.available": 1}
    (event,) = [each for each in (await node.client.list(EVENTS)).items if each["reason"] == "Evicted"]
    assert event["metadata"]["annotations"] == {"starved_resource": "memory"}
    await node.until(lambda: not node.runtime.containers)
    assert not node.runtime.sandboxes
    assert "terminated" in node.container()["state"]
    await node.until(lambda: not any((node.root / "logs").iterdir()))


async def test_a_pod_over_its_own_limit_is_no_disruption(node: PodNode) -> None:
    node.create(a_pod())
    await node.running()
    evict(node, Eviction("emptydirfs.limit", "Usage of EmptyDir volume ", 1.0))
    assert conditions.find({"status": await failed(node)}, "DisruptionTarget") is None


async def test_the_pod_gets_as_long_as_the_eviction_says(node: PodNode) -> None:
    node.runtime.stubborn = {"main"}
    node.create(a_pod(terminationGracePeriodSeconds=600))
    await node.running()
    evict(node, Eviction("memory.available", MESSAGE, 20.0, disruption=True))
    await node.until(lambda: "stop_container" in node.runtime.verbs())
    assert node.runtime.running("main")
    assert node.status()["phase"] == "Running"
    await node.clock.advance(20)
    await failed(node)


async def test_what_has_ended_is_no_candidate(node: PodNode) -> None:
    node.create(a_pod(restartPolicy="Never"))
    await node.running()
    node.runtime.exit("main")
    await node.until(lambda: node.status().get("phase") == "Succeeded")
    assert not list(candidates(node.agent))


async def test_a_full_disk_takes_what_a_finished_pod_has_left(node: PodNode) -> None:
    node.create(a_pod(restartPolicy="Never"))
    await node.running()
    node.runtime.exit("main")
    (worker,) = node.agent.workers
    await node.until(lambda: worker.work.settled)
    assert node.runtime.containers
    await reclaim(worker.work)
    assert not node.runtime.containers
    assert "terminated" in node.container()["state"]


async def test_a_full_disk_leaves_one_ended_container_of_each_name(node: PodNode) -> None:
    node.create(a_pod(restartPolicy="Always"))
    await node.running()
    for _ in range(2):
        node.runtime.exit("main", 1)
        await node.until(lambda: not node.runtime.running("main"))
        await node.clock.advance(60)
        await node.until(lambda: node.runtime.running("main"))
    (worker,) = node.agent.workers
    await reclaim(worker.work)
    assert len(node.runtime.named("main")) == 2


MEMORY, DISK = frozenset({"MemoryPressure"}), frozenset({"DiskPressure"})
SOME = {"resources": {"requests": {"memory": "1Mi"}}}
TOLERANT = [{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}]


@pytest.mark.parametrize(
    ("pressures", "container", "spec", "taken"),
    [
        (frozenset(), {}, {}, True),
        (MEMORY, {}, {}, False),
        (MEMORY, SOME, {}, True),
        (MEMORY, {}, {"tolerations": TOLERANT}, True),
        (MEMORY, {}, {"tolerations": [{"operator": "Exists"}]}, True),
        (MEMORY, {}, {"tolerations": [{"key": "other", "operator": "Exists"}]}, False),
        (DISK, SOME, {}, False),
        (DISK, {}, {"priority": 2_000_001_000}, True),
        (MEMORY | DISK, SOME, {}, False),
    ],
    ids=[
        "none",
        "best effort",
        "burstable",
        "tolerant",
        "tolerates all",
        "other",
        "disk",
        "critical",
        "both",
    ],
)
async def test_which_pods_are_taken_under_pressure(
    node: PodNode, pressures: frozenset[str], container: Any, spec: Any, taken: bool
) -> None:
    node.context.pressures = lambda: pressures
    pod = a_pod(containers=[a_container(**container)], **spec)
    if container:
        pod["status"]["qosClass"] = "Burstable"
    node.create(pod)
    if taken:
        await node.running()
    else:
        status = await failed(node)
        text = " ".join(sorted(pressures))
        assert status["reason"] == "Evicted"
        assert status["message"] == f"Pod was rejected: The node had condition: [{text}]. "


async def test_what_a_pod_left_that_is_no_more_is_removed(node: PodNode) -> None:
    await node.until(lambda: "list_containers" in node.runtime.verbs())
    node.create(a_pod())
    await node.running()
    (worker,) = node.agent.workers
    for place in ("pods/gone", "logs/default_old_gone"):
        (node.root / place).mkdir(parents=True)
    await node.runtime.run_pod_sandbox(
        cri.PodSandboxConfig(labels={"io.kubernetes.pod.uid": "lost", "io.kubernetes.pod.name": "lost"})
    )
    await node.agent.sweep()
    await node.until(lambda: node.agent.workers == [worker])
    assert [each.name for each in (node.root / "pods").iterdir()] == [worker.work.identity.uid]
    assert len(list((node.root / "logs").iterdir())) == 1
    assert len(node.runtime.sandboxes) == 1
