"""Admission by the node: what it takes, what it refuses in which words, and who goes for a critical pod."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.resources import PODS
from kubeling.objects.meta import Object
from runtime.pods.admission.predicates import Insufficient, insufficient, is_extended
from runtime.pods.admission.preemption import Candidate, NoVictims, victims
from runtime.tests.pod_node import FakeNode, PodNode, a_container, a_pod, pod_node

CRITICAL = {"priority": 2_000_000_000, "priorityClassName": "system-cluster-critical"}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[PodNode]:
    async with pod_node(tmp_path) as made:
        made.context.node = FakeNode()
        yield made


def asking(name: str, *, spec: Object | None = None, **requests: str) -> Object:
    container = a_container(resources={"requests": requests})
    pod = a_pod(name, containers=[container], **(spec or {}))
    return pod | {"status": {"phase": "Pending", "qosClass": "Burstable"}}


async def refused(node: PodNode, name: str) -> Object:
    await node.until(lambda: node.status(name).get("phase") == "Failed")
    return node.status(name)


async def test_a_pod_that_asks_for_more_than_is_left_is_rejected(node: PodNode) -> None:
    node.create(asking("first", cpu="1500m"))
    await node.running("first")
    node.create(asking("second", cpu="1"))
    status = await refused(node, "second")
    message = "Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000"
    assert (status["reason"], status["message"]) == ("OutOfcpu", f"Pod was rejected: {message}")
    assert status["qosClass"] == "Burstable"
    assert "containerStatuses" not in status
    assert ("OutOfcpu", message) in await node.events()


async def test_there_are_only_so_many_pods(node: PodNode) -> None:
    for each in ("a", "b", "c"):
        node.create(a_pod(each))
        await node.running(each)
    node.create(a_pod("d"))
    assert (await refused(node, "d"))["reason"] == "OutOfpods"


async def test_there_is_room_again_when_a_pod_has_ended(node: PodNode) -> None:
    node.create(asking("first", cpu="2", spec={"restartPolicy": "Never"}))
    await node.running("first")
    node.runtime.exit("main")
    await node.until(lambda: node.status("first")["phase"] == "Succeeded")
    node.create(asking("second", cpu="2"))
    await node.running("second")


async def test_a_pod_that_vanished_holds_nothing_while_it_is_stopped(node: PodNode) -> None:
    node.runtime.stubborn.add("main")
    node.create(asking("first", cpu="2"))
    await node.running("first")
    node.client.remove(PODS, "first", namespace="default")
    node.create(asking("second", cpu="2"))
    await node.running("second")


async def test_extended_resources_that_the_node_does_not_have_are_others_affair(node: PodNode) -> None:
    pod = a_pod(
        "a", containers=[a_container(resources={"requests": {"example.com/gpu": "1", "example.com/x": "9"}})]
    )
    node.create(pod)
    await node.running("a")
    again = a_pod("b", containers=pod["spec"]["containers"])
    node.create(again)
    assert (await refused(node, "b"))["reason"] == "OutOfexample.com/gpu"


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        (
            {"nodeSelector": {"zone": "b"}},
            "NodeAffinity",
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
        ),
        (
            {"os": {"name": "windows"}},
            "PodOSNotSupported",
            "Failed to admit pod as the OS field doesn't match node OS",
        ),
    ],
    ids=["selector", "os"],
)
async def test_a_pod_that_does_not_belong_on_the_node(
    node: PodNode, spec: Object, reason: str, message: str
) -> None:
    node.create(a_pod("stray", **spec))
    status = await refused(node, "stray")
    assert (status["reason"], status["message"]) == (reason, f"Pod was rejected: {message}")


async def test_a_label_that_was_set_just_now_counts(node: PodNode) -> None:
    view = node.context.node
    assert isinstance(view, FakeNode)
    view.later = {**view.node, "metadata": {"name": "node-1", "labels": {"zone": "b"}}}
    node.create(a_pod("late", nodeSelector={"zone": "b"}))
    await node.running("late")


async def test_only_taints_that_drive_pods_out_keep_them_out(node: PodNode) -> None:
    view = node.context.node
    assert isinstance(view, FakeNode)
    view.node["spec"] = {"taints": [{"key": "full", "effect": "NoSchedule"}]}
    node.create(a_pod("first"))
    await node.running("first")
    view.node["spec"] = {"taints": [{"key": "gone", "effect": "NoExecute"}]}
    node.create(a_pod("second"))
    status = await refused(node, "second")
    assert status["reason"] == "TaintToleration"
    node.create(a_pod("third", tolerations=[{"operator": "Exists"}]))
    await node.running("third")


async def test_a_critical_pod_lets_others_go(node: PodNode) -> None:
    node.create(asking("small", cpu="500m"))
    node.create(asking("large", cpu="1500m"))
    await node.running("small")
    await node.running("large")
    node.create(asking("critical", cpu="1", spec=CRITICAL))
    await node.running("critical")
    status = node.status("large")
    assert (status["phase"], status["reason"]) == ("Failed", "Preempting")
    assert status["message"] == "Preempted in order to admit critical pod"
    target = next(each for each in status["conditions"] if each["type"] == "DisruptionTarget")
    assert (target["status"], target["reason"]) == ("True", "TerminationByKubelet")
    assert target["message"] == "Pod was preempted by Kubelet to accommodate a critical pod."
    assert node.status("small")["phase"] == "Running"
    assert ("Preempting", "Preempted in order to admit critical pod") in await node.events()


async def test_a_critical_pod_that_never_fits_is_rejected(node: PodNode) -> None:
    node.create(asking("critical", cpu="3", spec=CRITICAL))
    status = await refused(node, "critical")
    assert status["reason"] == "UnexpectedAdmissionError"
    assert "no set of running pods found to reclaim resources: [(res: cpu, q: 1000), ]" in status["message"]


async def test_pods_that_run_keep_what_they_have_over_a_restart(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as before:
        before.context.node = FakeNode()
        before.create(asking("first", cpu="2", spec={"nodeSelector": {"zone": "a"}}))
        await before.running("first")
    async with pod_node(tmp_path, client=before.client, runtime=before.runtime) as node:
        moved = FakeNode()
        moved.node["metadata"]["labels"] = {"zone": "b"}
        node.context.node = moved
        await node.until(lambda: node.agent.workers)
        node.create(asking("second", cpu="1"))
        assert (await refused(node, "second"))["reason"] == "OutOfcpu"
        assert node.status("first")["phase"] == "Running"


async def test_a_rejected_pod_stays_as_it_is_over_a_restart(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as before:
        before.context.node = FakeNode()
        before.create(asking("large", cpu="3"))
        shown = await refused(before, "large")
    async with pod_node(tmp_path, client=before.client, runtime=before.runtime) as node:
        await node.until(lambda: node.agent.workers)
        await node.events()
        assert node.status("large") == shown


def test_resources_are_counted_in_the_schedulers_order() -> None:
    wanted = {"example.com/gpu": 2, "memory": 3, "cpu": 5}
    found = insufficient(wanted, [{"memory": 1}], {"cpu": 4, "memory": 3, "pods": 1, "example.com/gpu": 1})
    assert [(each.resource, each.used, each.missing) for each in found] == [
        ("pods", 1, 1),
        ("cpu", 0, 1),
        ("memory", 1, 1),
        ("example.com/gpu", 0, 1),
    ]


@pytest.mark.parametrize(
    ("name", "extended"),
    [
        ("cpu", False),
        ("example.com/gpu", True),
        ("hugepages-2Mi", False),
        ("attachable.kubernetes.io/x", False),
    ],
)
def test_what_an_extended_resource_is(name: str, extended: bool) -> None:
    assert is_extended(name) is extended


def candidate(uid: str, quality: str, cpu: int, **more: Any) -> Candidate:
    return Candidate(uid, {"spec": more, "status": {"qosClass": quality}}, {"cpu": cpu, "pods": 1})


def short_of(cpu: int) -> list[Insufficient]:
    return [Insufficient("cpu", cpu, 0, 0)]


def test_the_least_important_pods_go_first_and_few_of_them() -> None:
    pods = [
        candidate("guaranteed", "Guaranteed", 1000),
        candidate("large", "Burstable", 900),
        candidate("small", "Burstable", 300),
        candidate("tiny", "Burstable", 200),
    ]
    critical = {"spec": CRITICAL}
    assert victims(critical, pods, short_of(250)) == ["small"]
    assert victims(critical, pods, short_of(1000)) == ["large", "tiny"]
    assert victims(critical, pods, short_of(2000)) == ["large", "tiny", "guaranteed"]


def test_critical_pods_do_not_go_for_each_other() -> None:
    with pytest.raises(NoVictims):
        victims({"spec": CRITICAL}, [candidate("x", "Burstable", 900, **CRITICAL)], short_of(100))
