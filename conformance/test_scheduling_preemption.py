"""More important pods take the place of lesser ones, as upstream's own suite asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from conformance import pods
from conformance.rest import Rest
from conformance.space import Space
from conformance.spare_nodes import Spare, spare
from conformance.waiting import eventually

Object = dict[str, Any]
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
FAKE = "example.com/fakecpu"
APPS = "apis/apps/v1"


def priority_class(name: str, value: int, **more: Any) -> Object:
    meta = {"name": name, "labels": {"e2e": "conformance"}}
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": meta,
        "value": value,
        **more,
    }


@pytest.fixture
def classes(virtual_space: Space) -> Iterator[dict[str, str]]:
    """The names of priority classes that are the test's own."""
    names = {each: f"{each}-{virtual_space.name}" for each in ("low", "middle", "high")}
    for value, name in enumerate(names.values()):
        virtual_space.rest.post(CLASSES, priority_class(name, 100 * value + 1))
    yield names
    for name in names.values():
        virtual_space.rest.request("DELETE", f"{CLASSES}/{name}")


def wanting(amount: str, resource: str = "cpu") -> Object:
    return {"resources": {"requests": {resource: amount}, "limits": {resource: amount}}}


def run(space: Space, node: Spare, name: str, priority: str, amount: str, **more: Any) -> None:
    resource = more.pop("resource", "cpu")
    space.run(
        name, container=wanting(amount, resource), priorityClassName=priority, **{**node.here(), **more}
    )


def is_gone(space: Space, name: str) -> None:
    eventually(
        lambda: space.rest.request("GET", space.path("pods", name)).code == 404, what=f"{name} is gone"
    )


def test_a_lesser_pod_makes_room(virtual_space: Space, classes: dict[str, str]) -> None:
    with spare(virtual_space, count=2, cpu="1") as nodes:
        run(virtual_space, nodes[0], "low", classes["low"], "600m")
        run(virtual_space, nodes[1], "middle", classes["middle"], "600m")
        virtual_space.ready("low")
        virtual_space.ready("middle")
        run(virtual_space, nodes[0], "preemptor", classes["high"], "600m", **nodes[0].among())
        virtual_space.ready("preemptor")
        assert virtual_space.pod("preemptor")["spec"]["nodeName"] == nodes[0].name
        is_gone(virtual_space, "low")
        assert pods.ready(virtual_space.pod("middle"))
        message = virtual_space.event("low", "Preempted")["message"]
        uid = virtual_space.pod("preemptor")["metadata"]["uid"]
        assert message == f"Preempted by pod {uid} on node {nodes[0].name}"


def test_a_critical_pod_preempts(virtual_space: Space, classes: dict[str, str]) -> None:
    name = f"critical-{virtual_space.name}"
    system = "/api/v1/namespaces/kube-system/pods"
    with spare(virtual_space, cpu="1") as (node,):
        run(virtual_space, node, "low", classes["low"], "600m")
        virtual_space.ready("low")
        main = pods.container(virtual_space.image, **wanting("600m"))
        critical = pods.pod(name, main, priorityClassName="system-cluster-critical", **node.here())
        virtual_space.rest.post(system, critical)
        try:
            eventually(
                lambda: pods.ready(virtual_space.rest.get(f"{system}/{name}")), what="the critical pod runs"
            )
            is_gone(virtual_space, "low")
        finally:
            virtual_space.rest.delete(f"{system}/{name}", gracePeriodSeconds=0)


def test_the_victim_says_what_happened_to_it(virtual_space: Space, classes: dict[str, str]) -> None:
    """A finalizer keeps it to be looked at."""
    with spare(virtual_space) as (node,):
        node.offer(example_com__fakecpu="5")
        main = pods.container(virtual_space.image, **wanting("3", FAKE))
        victim = pods.pod("victim", main, priorityClassName=classes["low"], **node.here())
        victim["metadata"]["finalizers"] = ["conformance/keep"]
        virtual_space.create(victim)
        virtual_space.ready("victim")
        run(virtual_space, node, "preemptor", classes["high"], "3", resource=FAKE)
        terminating = virtual_space.until(
            "victim", lambda pod: pod["metadata"].get("deletionTimestamp"), what="is being deleted"
        )
        condition = pods.condition(terminating, "DisruptionTarget")
        assert (condition["status"], condition["reason"]) == ("True", "PreemptionByScheduler")
        assert condition["message"] == "default-scheduler: preempting to accommodate a higher priority pod"
        virtual_space.ready("preemptor")
        virtual_space.rest.patch(virtual_space.path("pods", "victim"), {"metadata": {"finalizers": None}})
        is_gone(virtual_space, "victim")


def test_extended_resources_are_preempted_for(virtual_space: Space, classes: dict[str, str]) -> None:
    with spare(virtual_space) as (node,):
        node.offer(example_com__fakecpu="10")
        run(virtual_space, node, "low", classes["low"], "9", resource=FAKE)
        virtual_space.ready("low")
        run(virtual_space, node, "high", classes["high"], "9", resource=FAKE)
        virtual_space.ready("high")
        is_gone(virtual_space, "low")


def test_a_pod_that_never_preempts_waits(virtual_space: Space, classes: dict[str, str]) -> None:
    with spare(virtual_space, cpu="1") as (node,):
        run(virtual_space, node, "low", classes["low"], "600m")
        virtual_space.ready("low")
        polite = f"polite-{virtual_space.name}"
        virtual_space.rest.post(CLASSES, priority_class(polite, 1000, preemptionPolicy="Never"))
        try:
            run(virtual_space, node, "polite", polite, "600m")
            message = virtual_space.event("polite", "FailedScheduling")["message"]
            assert message.endswith("preemption: not eligible due to preemptionPolicy=Never."), message
            assert pods.ready(virtual_space.pod("low"))
        finally:
            virtual_space.rest.delete(f"{CLASSES}/{polite}")


@contextmanager
def replicas(space: Space, node: Spare, name: str, count: int, priority: str, amount: str) -> Iterator[None]:
    main = pods.container(space.image, **wanting(amount, FAKE))
    labels = {"app": name}
    spec = {
        "containers": [main],
        "terminationGracePeriodSeconds": 0,
        "priorityClassName": priority,
        **node.here(),
    }
    replica_set = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
    space.rest.post(space.path("replicasets", group=APPS), replica_set)
    try:
        yield
    finally:
        space.rest.request("DELETE", space.path("replicasets", name, group=APPS))


def available(space: Space, name: str) -> int:
    found = space.rest.get(space.path("replicasets", name, group=APPS))
    return int(found["status"].get("readyReplicas") or 0)


def has_ready(space: Space, name: str, count: int) -> None:
    eventually(lambda: available(space, name) == count, what=f"{name} has {count} ready replicas")


def test_replica_sets_give_way_in_the_order_of_their_priority(
    virtual_space: Space, classes: dict[str, str]
) -> None:
    with spare(virtual_space) as (node,):
        node.offer(example_com__fakecpu="1k")
        with (
            replicas(virtual_space, node, "low", 5, classes["low"], "100"),
            replicas(virtual_space, node, "middle", 4, classes["middle"], "100"),
        ):
            has_ready(virtual_space, "low", 5)
            has_ready(virtual_space, "middle", 4)
            with replicas(virtual_space, node, "high", 4, classes["high"], "100"):
                has_ready(virtual_space, "high", 4)
                has_ready(virtual_space, "low", 2)
                has_ready(virtual_space, "middle", 4)


def test_spreading_is_preempted_for(virtual_space: Space, classes: dict[str, str]) -> None:
    key = "conformance/domain"
    constraint = {
        "topologyKey": key,
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"foo": ""}},
    }
    with spare(virtual_space, count=2) as nodes:
        for position, node in enumerate(nodes):
            node.label(**{key: f"{virtual_space.name}-{position}"})
            node.offer(example_com__fakecpu="10")

        def create(name: str, node: Spare, priority: str, amount: str, labels: Object, **more: Any) -> None:
            main = pods.container(virtual_space.image, **wanting(amount, FAKE))
            pod = pods.pod(name, main, priorityClassName=classes[priority], **{**node.here(), **more})
            pod["metadata"]["labels"] = labels
            virtual_space.create(pod)

        create("high", nodes[0], "high", "9", {"foo": ""})
        for number in range(3):
            create(f"low-{number}", nodes[1], "low", "3", {"foo": ""})
        for name in ("high", "low-0", "low-1", "low-2"):
            virtual_space.ready(name)
        spread = {"topologySpreadConstraints": [constraint]}
        create("medium", nodes[0], "middle", "3", {"foo": ""}, **{**nodes[0].among(), **spread})
        virtual_space.ready("medium")
        left = [name for name in ("low-0", "low-1", "low-2") if _stays(virtual_space, name)]
        assert pods.ready(virtual_space.pod("high"))
        assert len(left) == 1


def _stays(space: Space, name: str) -> bool:
    answer = space.rest.request("GET", space.path("pods", name))
    return answer.code == 200 and "deletionTimestamp" not in answer.object["metadata"]


def test_priority_class_endpoints(virtual_space: Space, virtual_rest: Rest) -> None:
    """Create, get, list, watch, update, patch and delete; the value does not change."""
    names = [f"p{number}-{virtual_space.name}" for number in (1, 2)]
    for number, name in enumerate(names):
        virtual_rest.post(CLASSES, priority_class(name, number + 1, description="before"))
    found = virtual_rest.get(f"{CLASSES}/{names[0]}")
    changed = virtual_rest.put(f"{CLASSES}/{names[0]}", {**found, "description": "after"})
    assert changed["description"] == "after"
    refused = virtual_rest.request(
        "PATCH", f"{CLASSES}/{names[0]}", {"value": 9}, content_type="application/merge-patch+json"
    )
    assert refused.code == 422
    assert refused.object["details"]["causes"][0]["field"] == "value"
    patched = virtual_rest.patch(f"{CLASSES}/{names[1]}", {"metadata": {"annotations": {"a": "b"}}})
    assert patched["metadata"]["annotations"] == {"a": "b"}
    listed = virtual_rest.get(CLASSES, labelSelector="e2e=conformance")["items"]
    assert set(names) <= {each["metadata"]["name"] for each in listed}
    virtual_rest.delete(f"{CLASSES}/{names[0]}")
    virtual_rest.gone(f"{CLASSES}/{names[0]}")
    virtual_rest.delete(CLASSES, labelSelector="e2e=conformance")
    virtual_rest.gone(f"{CLASSES}/{names[1]}")
