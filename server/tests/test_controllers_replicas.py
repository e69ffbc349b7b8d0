"""ReplicaSets and ReplicationControllers: as many pods as are asked for, and a status that says so."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kubeling.client.resources import (
    EVENTS,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    SERVICE_ACCOUNTS,
    Resource,
)
from kubeling.client.workqueue import WorkQueue
from kubeling.objects import conditions, meta
from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from server.controllers.owned.pace import FEW, Pace
from server.controllers.replicas.deletion_order import first_to_go
from server.controllers.replicas.standing import DELETION_COST, standing_of
from server.tests.plane import Plane, started_plane


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        yield plane


def _template(**labels: str) -> Object:
    return {
        "metadata": {"labels": labels or {"a": "x"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }


def _set(name: str = "rs", replicas: int = 2, **more: object) -> Object:
    spec = {"replicas": replicas, "selector": {"matchLabels": {"a": "x"}}, "template": _template()}
    return {"metadata": {"name": name}, "spec": {**spec, **more}}


def _controller(name: str = "rc", replicas: int = 2) -> Object:
    spec = {"replicas": replicas, "selector": {"a": "x"}, "template": _template()}
    return {"metadata": {"name": name}, "spec": spec}


def _pod(name: str, **labels: str) -> Object:
    return {"metadata": {"name": name, "labels": labels}, "spec": _template()["spec"]}


def _active(plane: Plane) -> list[Object]:
    return [pod for pod in plane.list(PODS) if not meta.is_terminating(pod)]


def _status(plane: Plane, resource: Resource = REPLICA_SETS, name: str = "rs") -> Object:
    found = plane.get(resource, name)
    assert found is not None
    status: Object = found["status"]
    return status


@pytest.mark.parametrize("resource", [REPLICA_SETS, REPLICATION_CONTROLLERS])
async def test_pods_are_made_of_the_template_and_owned(plane: Plane, resource: Resource) -> None:
    made = await plane.create(resource, _set("o") if resource is REPLICA_SETS else _controller("o"))
    pods = plane.list(PODS)
    assert len(pods) == 2
    for pod in pods:
        assert meta.name(pod).startswith("o-")
        assert pod["metadata"]["labels"] == {"a": "x"}
        assert pod["metadata"]["ownerReferences"] == [
            {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "name": "o",
                "uid": meta.uid(made),
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
    messages = {(e["source"]["component"], e["reason"], e["message"]) for e in plane.list(EVENTS)}
    component = "replicaset-controller" if resource is REPLICA_SETS else "replication-controller"
    assert messages == {(component, "SuccessfulCreate", f"Created pod: {meta.name(pod)}") for pod in pods}


async def test_the_status_counts(plane: Plane) -> None:
    await plane.create(REPLICA_SETS, _set(replicas=3))
    first, second, _ = (meta.name(pod) for pod in plane.list(PODS))
    await plane.set_pod(first)
    await plane.set_pod(second, ready=False)
    assert _status(plane) == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "terminatingReplicas": 0,
        "observedGeneration": 1,
    }


async def test_a_replication_controller_does_not_count_what_ends(plane: Plane) -> None:
    await plane.create(REPLICATION_CONTROLLERS, _controller())
    assert _status(plane, REPLICATION_CONTROLLERS, "rc") == {
        "replicas": 2,
        "fullyLabeledReplicas": 2,
        "observedGeneration": 1,
    }


async def test_scaling_makes_and_deletes(plane: Plane) -> None:
    await plane.create(REPLICA_SETS, _set(replicas=1))
    await plane.patch(REPLICA_SETS, "rs", {"spec": {"replicas": 40}})
    assert len(_active(plane)) == 40
    await plane.patch(REPLICA_SETS, "rs", {"spec": {"replicas": 3}}, subresource="scale")
    assert len(_active(plane)) == 3
    assert _status(plane)["replicas"] == 3
    assert _status(plane)["observedGeneration"] == 3


async def test_a_pod_that_ends_is_replaced(plane: Plane) -> None:
    await plane.create(REPLICA_SETS, _set(replicas=1))
    (pod,) = plane.list(PODS)
    await plane.set_pod(meta.name(pod), "Failed")
    assert len(plane.list(PODS)) == 2
    assert _status(plane)["replicas"] == 1


async def test_what_is_about_to_end_is_replaced_and_counted_apart(plane: Plane) -> None:
    await plane.add_node()
    await plane.create(REPLICA_SETS, _set(replicas=1))
    (pod,) = plane.list(PODS)
    binding = {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": "n"}}
    await plane.client.create(PODS, {**binding, "metadata": pod["metadata"]}, subresource="binding")
    await plane.set_pod(meta.name(pod))
    await plane.client.delete(PODS, meta.name(pod), namespace="ns")
    await plane.settle()
    assert len(plane.list(PODS)) == 2
    assert _status(plane)["replicas"] == 1
    assert _status(plane)["terminatingReplicas"] == 1
    await plane.client.delete(PODS, meta.name(pod), namespace="ns", grace_period_seconds=0)
    await plane.settle()
    assert _status(plane)["terminatingReplicas"] == 0


async def test_orphans_are_adopted_instead_of_making_pods(plane: Plane) -> None:
    await plane.create(PODS, _pod("mine", a="x", more="y"))
    made = await plane.create(REPLICA_SETS, _set(replicas=1))
    (pod,) = plane.list(PODS)
    assert pod["metadata"]["ownerReferences"][0]["uid"] == meta.uid(made)
    assert _status(plane)["fullyLabeledReplicas"] == 1


async def test_an_orphan_that_comes_later_is_adopted_and_one_too_many_goes(plane: Plane) -> None:
    await plane.create(REPLICA_SETS, _set(replicas=1))
    (pod,) = plane.list(PODS)
    await plane.set_pod(meta.name(pod))
    await plane.create(PODS, _pod("late"))
    assert len(_active(plane)) == 2
    await plane.patch(PODS, "late", {"metadata": {"labels": {"a": "x"}}})
    assert [meta.name(each) for each in _active(plane)] == [meta.name(pod)]


async def test_a_pod_that_is_selected_no_more_is_released_and_replaced(plane: Plane) -> None:
    await plane.create(REPLICA_SETS, _set(replicas=1))
    (pod,) = plane.list(PODS)
    await plane.patch(PODS, meta.name(pod), {"metadata": {"labels": {"a": "z"}}})
    released = plane.get(PODS, meta.name(pod))
    assert released is not None
    assert "ownerReferences" not in released["metadata"]
    assert len(plane.list(PODS)) == 2


async def test_ready_pods_are_available_after_a_while(plane: Plane) -> None:
    await plane.create(REPLICA_SETS, _set(replicas=1, minReadySeconds=10))
    (pod,) = plane.list(PODS)
    await plane.set_pod(meta.name(pod))
    assert (_status(plane)["readyReplicas"], "availableReplicas" in _status(plane)) == (1, False)
    await plane.advance(9)
    assert "availableReplicas" not in _status(plane)
    await plane.advance(2)
    assert _status(plane)["availableReplicas"] == 1


async def test_a_refused_pod_is_a_condition_until_it_is_made(plane: Plane) -> None:
    template = _template()
    template["spec"]["serviceAccountName"] = "late"
    await plane.create(REPLICA_SETS, _set(template=template))
    condition = conditions.find({"status": _status(plane)}, "ReplicaFailure")
    assert condition is not None
    assert condition["reason"] == "FailedCreate"
    assert condition["message"] == (
        'pods "rs-" is forbidden: error looking up service account ns/late: serviceaccount "late" not found'
    )
    failed = [event for event in plane.list(EVENTS) if event["reason"] == "FailedCreate"]
    assert failed[0]["message"] == f"Error creating: {condition['message']}"
    await plane.create(SERVICE_ACCOUNTS, {"metadata": {"name": "late"}})
    await plane.advance(60)
    assert len(plane.list(PODS)) == 2
    assert conditions.find({"status": _status(plane)}, "ReplicaFailure") is None


async def test_others_conditions_stay(plane: Plane) -> None:
    await plane.create(REPLICA_SETS, _set())
    theirs = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
    await plane.patch(REPLICA_SETS, "rs", {"status": {"conditions": [theirs]}}, subresource="status")
    await plane.patch(REPLICA_SETS, "rs", {"spec": {"replicas": 3}})
    assert conditions.find({"status": _status(plane)}, "StatusUpdate") is not None


async def test_nothing_is_made_for_an_owner_that_goes(plane: Plane) -> None:
    kept = _set()
    kept["metadata"]["finalizers"] = ["example.com/kept"]
    await plane.create(REPLICA_SETS, kept)
    await plane.client.delete(REPLICA_SETS, "rs", namespace="ns", propagation_policy="Background")
    await plane.settle()
    for pod in plane.list(PODS):
        await plane.client.delete(PODS, meta.name(pod), namespace="ns", grace_period_seconds=0)
    await plane.settle()
    assert plane.list(PODS) == []
    assert _status(plane)["replicas"] == 0


_NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _ranked(**fields: object) -> Object:
    """A running, ready pod on a node, unless `fields` says otherwise."""
    since = fields.get("since", "2026-01-01T00:00:00Z")
    ready = {"type": "Ready", "status": fields.get("ready", "True"), "lastTransitionTime": since}
    return {
        "metadata": {
            "uid": fields.get("uid", "u"),
            "creationTimestamp": fields.get("created", "2026-01-01T00:00:00Z"),
            "annotations": {DELETION_COST: str(fields.get("cost", 0))},
        },
        "spec": {"nodeName": fields.get("node", "n")},
        "status": {
            "phase": fields.get("phase", "Running"),
            "conditions": [ready],
            "containerStatuses": [{"restartCount": fields.get("restarts", 0)}],
        },
    }


def _first(*pods: Object, related: Sequence[Object] = ()) -> int:
    """The position of the one that goes first."""
    standings = {("ns", str(number)): standing_of(pod) for number, pod in enumerate(pods)}
    near = [standing_of(pod) for pod in related]
    ((_, name),) = first_to_go(standings, 1, related=near, now=_NOW)
    return int(name)


@pytest.mark.parametrize(
    "first",
    [
        {"node": ""},
        {"phase": "Pending"},
        {"ready": "False"},
        {"cost": -5},
        {"since": "2026-01-01T11:00:00Z"},
        {"restarts": 3},
        {"created": "2026-01-01T11:00:00Z"},
    ],
    ids=lambda first: next(iter(first)),
)
def test_some_pods_go_before_others(first: dict[str, object]) -> None:
    assert _first(_ranked(uid="a"), _ranked(uid="z", **first), _ranked(uid="b")) == 1


def test_of_pods_of_about_the_same_age_any_may_go() -> None:
    assert _first(_ranked(uid="b", since="2026-01-01T00:00:09Z"), _ranked(uid="a")) == 1


def test_pods_doubled_up_on_a_node_go_first() -> None:
    lonely, doubled = _ranked(uid="a", node="n1"), _ranked(uid="b", node="n2")
    other = _ranked(uid="c", node="n2")
    assert _first(lonely, doubled, related=[lonely, doubled, other]) == 1


def test_a_cost_that_is_no_number_is_none() -> None:
    assert _first(_ranked(uid="a", cost="much"), _ranked(uid="b", cost="-1")) == 1


async def test_the_status_of_many_pods_is_right_in_the_end(plane: Plane) -> None:
    await plane.create(REPLICA_SETS, _set(replicas=FEW + 1))
    for pod in plane.list(PODS):
        ready = {"type": "Ready", "status": "True"}
        said = {"status": {"phase": "Running", "conditions": [ready]}}
        await plane.client.patch(PODS, meta.name(pod), said, namespace="ns", subresource="status")
    await plane.settle()
    assert _status(plane)["readyReplicas"] == FEW + 1


class Timers:
    def __init__(self) -> None:
        self.rings: list[Callable[[], None]] = []

    def later(self, seconds: float, ring: Callable[[], None]) -> "Timers":
        self.rings.append(ring)
        return self

    def cancel(self) -> None:
        self.rings.clear()


async def test_an_owner_of_many_pods_is_woken_once_for_many_changes() -> None:
    queue, timers = WorkQueue(FakeClock()), Timers()
    pace = Pace(queue, later=timers.later)
    for _ in range(3):
        pace.wake_soon("many", FEW + 1)
    assert (len(queue), len(timers.rings), pace.idle) == (0, 1, False)
    timers.rings[0]()
    assert (len(queue), pace.idle) == (1, True)
    await queue.close()


async def test_an_owner_of_few_pods_is_woken_at_once() -> None:
    queue, timers = WorkQueue(FakeClock()), Timers()
    pace = Pace(queue, later=timers.later)
    pace.wake_soon("few", FEW)
    assert (len(queue), timers.rings) == (1, [])
    pace.wake_soon("many", FEW + 1)
    pace.stop()
    assert (timers.rings, pace.idle) == ([], True)
    await queue.close()
