"""In-place resize: decided by the node, put in force through the runtime and cgroups, told in between."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.resources import PODS
from kubeling.objects import conditions
from kubeling.objects.meta import Object
from runtime.errors import RuntimeFailed
from runtime.pods.cgroups.tree import UNLIMITED, Limits
from runtime.tests.pod_node import FakeNode, PodNode, a_container, a_pod, pod_node

SMALL, LARGE = {"cpu": "100m", "memory": "100Mi"}, {"cpu": "200m", "memory": "200Mi"}
RESTART = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]
MIB = 2**20


class FakeCgroups:
    """Keeps what the pod's group is limited to, and in which order that and containers changed."""

    def __init__(self, node: PodNode) -> None:
        self.now = Limits(cpu_shares=2, cpu_quota=UNLIMITED, memory=UNLIMITED)
        self.used = 0
        self.log = node.runtime.calls

    async def make(self, pod: Object) -> None:
        self.now = Limits(cpu_shares=102, cpu_quota=10_000, memory=100 * MIB)

    async def limits(self, pod: Object) -> Limits:
        return self.now

    async def limit(self, pod: Object, limits: Limits) -> None:
        for name in ("cpu_shares", "cpu_quota", "memory"):
            if getattr(limits, name) is not None:
                self.log.append((f"pod-{name}", str(getattr(limits, name))))

    def memory_usage(self, pod: Object, container_id: str = "") -> int | None:
        return self.used

    async def free(self, pod_uid: str) -> None:
        return


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[PodNode]:
    async with pod_node(tmp_path) as made:
        made.context.node = FakeNode()
        made.context.cgroups = FakeCgroups(made)
        yield made


def sized(name: str = "main", size: Object = SMALL, **more: Any) -> Object:
    return a_container(name, resources={"requests": size, "limits": size}, **more)


def guaranteed(name: str = "web", *containers: Object, **spec: Any) -> Object:
    pod = a_pod(name, containers=list(containers) or [sized()], **spec)
    return pod | {"status": {"phase": "Pending", "qosClass": "Guaranteed"}}


def resize(node: PodNode, size: Object, *, kind: str = "containers") -> None:
    changed = node.pod()
    assert changed is not None
    changed["spec"][kind][0]["resources"] = {"requests": size, "limits": size}
    changed["metadata"]["generation"] += 1
    node.client.put(changed)


def condition(node: PodNode, kind: str, pod: str = "web") -> Object:
    return conditions.find(node.pod(pod) or {}, kind) or {}


async def in_force(node: PodNode, size: Object, pod: str = "web") -> None:
    await node.until(lambda: node.container(pod=pod)["resources"].get("limits") == size)
    await node.until(lambda: not condition(node, "PodResizeInProgress", pod))


async def test_a_resize_is_put_in_force_without_a_restart(node: PodNode) -> None:
    node.create(guaranteed())
    await node.running()
    before = node.container()
    resize(node, LARGE)
    await in_force(node, LARGE)
    after = node.container()
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], 0)
    assert after["allocatedResources"] == LARGE
    resources = node.runtime.containers[before["containerID"].partition("//")[2]].resources.linux
    assert (resources.cpu_quota, resources.cpu_shares) == (20_000, 204)
    assert resources.memory_limit_in_bytes == 200 * MIB
    events = dict(await node.events())
    for reason, what in (("ResizeStarted", "started"), ("ResizeCompleted", "completed")):
        prefix, _, summary = events[reason].partition(": ")
        assert prefix == f"Pod resize {what}"
        assert json.loads(summary) == {
            "containers": [{"name": "main", "resources": {"limits": LARGE, "requests": LARGE}}],
            "generation": 2,
        }


async def test_what_grows_grows_from_the_outside_in(node: PodNode) -> None:
    node.create(guaranteed())
    await node.running()
    node.runtime.calls.clear()
    resize(node, LARGE)
    await in_force(node, LARGE)
    kinds = [verb for verb in node.runtime.verbs() if verb.startswith(("pod-", "update"))]
    assert kinds == [
        "pod-memory",
        "update_container_resources",
        "pod-cpu_quota",
        "pod-cpu_shares",
        "update_container_resources",
    ]


async def test_what_shrinks_shrinks_from_the_inside_out(node: PodNode) -> None:
    node.create(guaranteed())
    await node.running()
    node.runtime.calls.clear()
    resize(node, {"cpu": "50m", "memory": "50Mi"})
    await in_force(node, {"cpu": "50m", "memory": "50Mi"})
    kinds = [verb for verb in node.runtime.verbs() if verb.startswith(("pod-", "update"))]
    assert kinds == [
        "update_container_resources",
        "pod-memory",
        "update_container_resources",
        "pod-cpu_shares",
        "pod-cpu_quota",
    ]


async def test_a_container_whose_policy_says_so_is_restarted(node: PodNode) -> None:
    node.create(guaranteed("web", sized(resizePolicy=RESTART), restartPolicy="OnFailure"))
    await node.running()
    resize(node, {**SMALL, "memory": "150Mi"})
    await in_force(node, {**SMALL, "memory": "150Mi"})
    assert node.container()["restartCount"] == 0
    resize(node, LARGE)
    await in_force(node, LARGE)
    await node.until(lambda: node.container()["restartCount"] == 1 and node.runtime.running("main"))
    assert ("Killing", "Container main resize requires restart") in await node.events()
    latest = node.runtime.named("main")[-1]
    assert node.runtime.configs[latest.id].linux.resources.cpu_quota == 20_000


async def test_a_sidecar_is_resized_as_well(node: PodNode) -> None:
    side = sized("side", restartPolicy="Always")
    node.create(guaranteed("web", sized(), initContainers=[side]))
    await node.running()
    resize(node, LARGE, kind="initContainers")
    await node.until(lambda: node.status()["initContainerStatuses"][0]["resources"]["limits"] == LARGE)


async def test_what_the_node_never_has_is_infeasible(node: PodNode) -> None:
    node.create(guaranteed())
    await node.running()
    resize(node, {**SMALL, "cpu": "5"})
    await node.until(lambda: condition(node, "PodResizePending"))
    found = condition(node, "PodResizePending")
    message = "Node didn't have enough capacity: cpu, requested: 5000, capacity: 2000"
    assert (found["status"], found["reason"], found["message"]) == ("True", "Infeasible", message)
    assert found["observedGeneration"] == 2
    assert node.container()["resources"]["limits"] == node.container()["allocatedResources"] == SMALL
    assert (await node.events())[-1][0] == "ResizeInfeasible"
    resize(node, SMALL)
    await node.until(lambda: not condition(node, "PodResizePending"))


async def test_what_others_have_is_waited_for(node: PodNode) -> None:
    node.create(guaranteed("web"))
    node.create(guaranteed("other", sized(size={"cpu": "1500m", "memory": "100Mi"})))
    await node.running("web")
    await node.running("other")
    resize(node, {**SMALL, "cpu": "1"})
    await node.until(lambda: condition(node, "PodResizePending"))
    found = condition(node, "PodResizePending")
    message = "Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000"
    assert (found["reason"], found["message"]) == ("Deferred", message)
    assert "ResizeDeferred" in dict(await node.events())
    node.client.remove(PODS, "other", namespace="default")
    await in_force(node, {**SMALL, "cpu": "1"})
    assert not condition(node, "PodResizePending")


async def test_memory_is_not_taken_from_below_its_user(node: PodNode) -> None:
    node.create(guaranteed())
    await node.running()
    cgroups = node.context.cgroups
    assert isinstance(cgroups, FakeCgroups)
    cgroups.used = 60 * MIB
    resize(node, {**SMALL, "memory": "10Mi"})
    await node.until(lambda: condition(node, "PodResizeInProgress").get("reason") == "Error")
    text = condition(node, "PodResizeInProgress")["message"]
    assert f"memory limit ({10 * MIB}) below current usage ({60 * MIB})" in text
    assert node.container()["resources"]["limits"] == SMALL
    assert node.container()["allocatedResources"]["memory"] == "10Mi"
    assert "ResizeError" in dict(await node.events())
    resize(node, SMALL)
    await in_force(node, SMALL)


async def test_what_the_runtime_refuses_is_tried_again(node: PodNode) -> None:
    node.create(guaranteed())
    await node.running()
    node.runtime.fail("update_container_resources", RuntimeFailed("busy"))
    resize(node, LARGE)
    await node.until(lambda: condition(node, "PodResizeInProgress").get("reason") == "Error")
    await node.clock.advance(10)
    await in_force(node, LARGE)


async def test_a_resize_that_is_half_done_goes_on_after_a_restart_of_the_agent(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as before:
        before.context.node = FakeNode()
        before.create(guaranteed())
        await before.running()
        before.runtime.fail("update_container_resources", RuntimeFailed("busy"))
        resize(before, LARGE)
        await before.until(lambda: condition(before, "PodResizeInProgress").get("reason") == "Error")
    async with pod_node(tmp_path, client=before.client, runtime=before.runtime) as node:
        node.context.node = FakeNode()
        await in_force(node, LARGE)
        assert node.container()["restartCount"] == 0


async def test_what_was_given_holds_while_the_agent_is_away(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as before:
        before.context.node = FakeNode()
        before.create(guaranteed())
        await before.running()
    resize(before, {**SMALL, "cpu": "5"})
    async with pod_node(tmp_path, client=before.client, runtime=before.runtime) as node:
        node.context.node = FakeNode()
        await node.until(lambda: condition(node, "PodResizePending").get("reason") == "Infeasible")
        assert node.container()["allocatedResources"] == SMALL
