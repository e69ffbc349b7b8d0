"""DaemonSets: a pod on each node that fits, updates by both ways, failures, adoption, history and status."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.resources import CONTROLLER_REVISIONS, DAEMON_SETS, EVENTS, NODES, PODS
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.daemon_set.template import target_node
from server.tests.plane import Plane, started_plane


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        for resource in (PODS, NODES, DAEMON_SETS, CONTROLLER_REVISIONS, EVENTS):
            plane.client.informer(resource)
        for name in "abc":
            await add_node(plane, name)
        yield plane


async def add_node(plane: Plane, name: str) -> None:
    await plane.add_node(name)
    await plane.patch(NODES, name, {"metadata": {"labels": {"disk": f"{name}-disk"}}})
    await plane.advance(0.1)  # a new node is tainted until its readiness has been seen


def template(image: str = "a", **spec: Any) -> Object:
    containers = [{"name": "c", "image": image}]
    return {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": containers, **spec}}


async def create(plane: Plane, **spec: Any) -> None:
    given = {"selector": {"matchLabels": {"app": "x"}}, "template": template(), **spec}
    await plane.create(DAEMON_SETS, {"metadata": {"name": "ds"}, "spec": given})


async def change(plane: Plane, **spec: Any) -> None:
    await plane.patch(DAEMON_SETS, "ds", {"spec": spec})


def standing(plane: Plane) -> list[Object]:
    return [pod for pod in plane.list(PODS) if not meta.is_terminating(pod)]


def on_nodes(plane: Plane) -> list[str]:
    return sorted(map(target_node, standing(plane)))


def images(plane: Plane) -> dict[str, str]:
    return {target_node(pod): pod["spec"]["containers"][0]["image"] for pod in standing(plane)}


def status(plane: Plane) -> Object:
    found = plane.get(DAEMON_SETS, "ds")
    assert found is not None
    return dict(found["status"])


def events(plane: Plane) -> list[tuple[str, str]]:
    return [(each["reason"], each["message"]) for each in plane.list(EVENTS)]


async def run_all(plane: Plane) -> None:
    """What kubelets do until nothing changes any more."""
    while waiting := [pod for pod in standing(plane) if pod["status"].get("phase") != "Running"]:
        for pod in waiting:
            await plane.set_pod(meta.name(pod))


def pod_on(plane: Plane, node: str) -> Object:
    (found,) = [pod for pod in standing(plane) if target_node(pod) == node]
    return found


async def taint(plane: Plane, node: str, effect: str) -> None:
    await plane.patch(NODES, node, {"spec": {"taints": [{"key": "k", "effect": effect}]}})


async def test_each_node_has_one(plane: Plane) -> None:
    await create(plane)
    assert on_nodes(plane) == ["a", "b", "c"]
    await run_all(plane)
    said = status(plane)
    assert [said[name] for name in ("desiredNumberScheduled", "currentNumberScheduled", "numberReady")] == [
        3
    ] * 3
    assert (said["numberAvailable"], said["updatedNumberScheduled"]) == (3, 3)
    assert "numberUnavailable" not in said
    assert said["observedGeneration"] == 1


async def test_nodes_that_come_get_one_and_what_was_for_those_that_go_is_deleted(plane: Plane) -> None:
    await create(plane)
    await add_node(plane, "d")
    assert on_nodes(plane) == ["a", "b", "c", "d"]
    await plane.client.delete(NODES, "d")
    await plane.settle()
    assert on_nodes(plane) == ["a", "b", "c"]
    assert status(plane)["desiredNumberScheduled"] == 3


async def test_its_pods_are_for_their_node_and_stand_its_troubles(plane: Plane) -> None:
    preferred: Object = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    await create(plane, template=template(hostNetwork=True, affinity=preferred))
    pod = pod_on(plane, "a")
    required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    field = {"key": "metadata.name", "operator": "In", "values": ["a"]}
    assert required == {"nodeSelectorTerms": [{"matchFields": [field]}]}
    tolerated = [
        (each["key"].removeprefix("node.kubernetes.io/"), each["effect"])
        for each in pod["spec"]["tolerations"]
    ]
    assert tolerated == [
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
        ("network-unavailable", "NoSchedule"),
    ]
    labels = meta.labels(pod)
    assert labels["pod-template-generation"] == "1"
    (revision,) = plane.list(CONTROLLER_REVISIONS)
    assert meta.name(revision) == f"ds-{labels['controller-revision-hash']}"


async def test_only_selected_nodes_have_one(plane: Plane) -> None:
    await create(plane, template=template(nodeSelector={"disk": "b-disk"}))
    assert on_nodes(plane) == ["b"]
    await plane.patch(NODES, "c", {"metadata": {"labels": {"disk": "b-disk"}}})
    assert on_nodes(plane) == ["b", "c"]
    await plane.patch(NODES, "b", {"metadata": {"labels": {"disk": "other"}}})
    assert on_nodes(plane) == ["c"]
    assert status(plane)["desiredNumberScheduled"] == 1


async def test_a_taint_keeps_new_ones_away_and_one_that_executes_removes_them(plane: Plane) -> None:
    await taint(plane, "a", "NoSchedule")
    await create(plane)
    assert on_nodes(plane) == ["b", "c"]
    await taint(plane, "b", "NoSchedule")
    assert on_nodes(plane) == ["b", "c"]
    assert status(plane)["numberMisscheduled"] == 1
    await taint(plane, "c", "NoExecute")
    assert on_nodes(plane) == ["b"]


async def test_an_update_replaces_no_more_than_may_be_unavailable(plane: Plane) -> None:
    await create(plane)
    await run_all(plane)
    await change(plane, template=template("b"))
    assert sorted(images(plane).values()) == ["a", "a", "b"]
    await run_all(plane)
    assert sorted(images(plane).values()) == ["b", "b", "b"]
    assert status(plane)["updatedNumberScheduled"] == 3


async def test_what_does_not_work_is_replaced_in_any_case(plane: Plane) -> None:
    await create(plane)
    await change(plane, template=template("b"))
    assert sorted(images(plane).values()) == ["b", "b", "b"]


async def test_a_roll_back_leaves_alone_what_is_as_it_was(plane: Plane) -> None:
    await create(plane)
    await run_all(plane)
    before = {meta.uid(pod) for pod in standing(plane)}
    await change(plane, template=template("b"))
    await change(plane, template=template("a"))
    await run_all(plane)
    assert sorted(images(plane).values()) == ["a", "a", "a"]
    assert len(before & {meta.uid(pod) for pod in standing(plane)}) == 2
    assert sorted(each["revision"] for each in plane.list(CONTROLLER_REVISIONS)) == [2, 3]


async def test_with_surge_new_ones_come_first(plane: Plane) -> None:
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    await create(plane, updateStrategy={"type": "RollingUpdate", "rollingUpdate": rolling})
    await run_all(plane)
    await change(plane, template=template("b"))
    assert len(standing(plane)) == 4
    (surging,) = [pod for pod in standing(plane) if pod["spec"]["containers"][0]["image"] == "b"]
    await plane.set_pod(meta.name(surging))
    assert len(standing(plane)) == 4
    assert images(plane)[target_node(surging)] == "b"
    await run_all(plane)
    assert sorted(images(plane).values()) == ["b", "b", "b"]
    assert len(standing(plane)) == 3


async def test_on_delete_nothing_is_replaced(plane: Plane) -> None:
    await create(plane, updateStrategy={"type": "OnDelete"})
    await run_all(plane)
    await change(plane, template=template("b"))
    assert sorted(images(plane).values()) == ["a", "a", "a"]
    await plane.client.delete(PODS, meta.name(pod_on(plane, "a")), namespace="ns")
    await plane.settle()
    assert images(plane) == {"a": "b", "b": "a", "c": "a"}


async def test_failed_pods_are_replaced_ever_more_slowly(plane: Plane) -> None:
    await create(plane)
    first = meta.name(pod_on(plane, "a"))
    await plane.set_pod(first, "Failed")
    second = meta.name(pod_on(plane, "a"))
    assert second != first
    said = f"Found failed daemon pod ns/{first} on node a, will try to kill it"
    assert ("FailedDaemonPod", said) in events(plane)
    await plane.set_pod(second, "Failed")
    assert meta.name(pod_on(plane, "a")) == second
    await plane.advance(1.1)
    assert meta.name(pod_on(plane, "a")) != second


async def test_pods_count_when_they_were_ready_for_long_enough(plane: Plane) -> None:
    await create(plane, minReadySeconds=5)
    await run_all(plane)
    assert status(plane)["numberUnavailable"] == 3
    await plane.advance(6)
    assert status(plane)["numberAvailable"] == 3


async def test_orphans_are_adopted_and_pods_of_other_labels_released(plane: Plane) -> None:
    orphan = {
        "metadata": {"name": "lone", "labels": {"app": "x"}},
        "spec": {**template()["spec"], "nodeName": "a"},
    }
    await plane.create(PODS, orphan)
    await create(plane, updateStrategy={"type": "OnDelete"})
    assert meta.name(pod_on(plane, "a")) == "lone"
    await plane.patch(PODS, "lone", {"metadata": {"labels": {"app": "y"}}})
    lone = plane.get(PODS, "lone")
    assert lone is not None
    assert meta.controller_of(lone) is None
    assert on_nodes(plane) == ["a", "a", "b", "c"]


async def test_the_next_of_its_template_takes_over_what_it_leaves(plane: Plane) -> None:
    await create(plane)
    await run_all(plane)
    before = {meta.uid(pod) for pod in standing(plane)}
    await plane.client.delete(DAEMON_SETS, "ds", namespace="ns", propagation_policy="Orphan")
    await plane.settle()
    assert all(meta.controller_of(pod) is None for pod in standing(plane))
    await create(plane)
    assert {meta.uid(pod) for pod in standing(plane)} == before
    assert status(plane)["updatedNumberScheduled"] == 3


async def test_past_revisions_are_kept_up_to_the_limit(plane: Plane) -> None:
    await create(plane, revisionHistoryLimit=1)
    for image in "bcd":
        await change(plane, template=template(image))
        await run_all(plane)
    assert sorted(each["revision"] for each in plane.list(CONTROLLER_REVISIONS)) == [3, 4]


async def test_a_status_of_others_is_kept(plane: Plane) -> None:
    await create(plane)
    condition = {"type": "Mine", "status": "True"}
    await plane.patch(DAEMON_SETS, "ds", {"status": {"conditions": [condition]}}, subresource="status")
    await run_all(plane)
    assert status(plane)["conditions"][0]["type"] == "Mine"
    assert status(plane)["numberReady"] == 3


async def test_one_that_is_being_deleted_makes_nothing(plane: Plane) -> None:
    await create(plane)
    await plane.patch(DAEMON_SETS, "ds", {"metadata": {"finalizers": ["test/stay"]}})
    await plane.client.delete(DAEMON_SETS, "ds", namespace="ns")
    await add_node(plane, "d")
    assert "d" not in on_nodes(plane)
