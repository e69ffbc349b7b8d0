"""What PodDisruptionBudgets' statuses say, and when what was said of a disruption is taken back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.fake import FakeClient
from kubeling.client.resources import EVENTS, POD_DISRUPTION_BUDGETS, PODS, Resource
from kubeling.objects import conditions
from kubeling.objects.clock import let_others_run
from kubeling.objects.errors import TooManyRequests
from kubeling.objects.meta import Object
from server.controllers.disruption.counting import scaled
from server.controllers.disruption.scales import Scales, ScaleUnknown
from server.tests.plane import Plane, started_plane

WIDGETS = Resource("example.com", "v1", "widgets", "Widget")


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        yield plane


async def budget(plane: Plane, name: str = "b", **spec: Any) -> None:
    wanted = {"selector": {"matchLabels": {"app": "a"}}, **spec}
    await plane.create(POD_DISRUPTION_BUDGETS, {"metadata": {"name": name}, "spec": wanted})


async def pod(plane: Plane, name: str, *, ready: bool = True, node: str = "") -> None:
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": node}
    await plane.create(PODS, {"metadata": {"name": name, "labels": {"app": "a"}}, "spec": spec})
    await plane.set_pod(name, ready=ready)


async def evict(plane: Plane, name: str) -> None:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "ns"}}
    await plane.client.create(PODS, body, subresource="eviction")
    await plane.settle()


def status(plane: Plane, name: str = "b") -> Object:
    found = plane.get(POD_DISRUPTION_BUDGETS, name)
    assert found is not None
    return dict(found["status"])


def counts(plane: Plane) -> tuple[int, ...]:
    """Expected, healthy, desired, allowed."""
    said = status(plane)
    names = ("expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed")
    return tuple(said[name] for name in names)


def condition(plane: Plane) -> Object:
    found = conditions.find({"status": status(plane)}, "DisruptionAllowed")
    assert found is not None
    return found


def told(plane: Plane) -> list[str]:
    return [event["reason"] for event in plane.list(EVENTS)]


async def test_a_budget_without_pods_allows_nothing(plane: Plane) -> None:
    await budget(plane, minAvailable=0)
    assert counts(plane) == (0, 0, 0, 0)
    assert condition(plane)["reason"] == "InsufficientPods"
    assert status(plane)["observedGeneration"] == 1
    assert told(plane) == ["NoPods"]


async def test_a_budget_follows_its_pods(plane: Plane) -> None:
    await budget(plane, minAvailable=1)
    await pod(plane, "one")
    await pod(plane, "two", ready=False)
    assert counts(plane) == (2, 1, 1, 0)
    await plane.set_pod("two")
    assert counts(plane) == (2, 2, 1, 1)
    assert (condition(plane)["status"], condition(plane)["reason"]) == ("True", "SufficientPods")
    assert condition(plane)["observedGeneration"] == 1
    await plane.patch(PODS, "one", {"metadata": {"labels": {"app": "other"}}})
    assert counts(plane) == (1, 1, 1, 0)


async def test_a_changed_budget_is_counted_anew(plane: Plane) -> None:
    await pod(plane, "one")
    await budget(plane, minAvailable=1)
    await plane.patch(POD_DISRUPTION_BUDGETS, "b", {"spec": {"minAvailable": 0}})
    assert counts(plane) == (1, 1, 0, 1)
    assert (status(plane)["observedGeneration"], condition(plane)["observedGeneration"]) == (2, 2)


async def test_what_does_not_change_a_count_writes_nothing(plane: Plane) -> None:
    await pod(plane, "one")
    await budget(plane, minAvailable=1)
    before = plane.get(POD_DISRUPTION_BUDGETS, "b")
    await plane.patch(PODS, "one", {"metadata": {"annotations": {"x": "y"}}})
    assert plane.get(POD_DISRUPTION_BUDGETS, "b") == before


async def test_an_eviction_that_is_allowed_uses_the_budget_up(plane: Plane) -> None:
    await budget(plane, minAvailable=1)
    await pod(plane, "one", node="n")
    await pod(plane, "two", node="n")
    await evict(plane, "one")
    assert counts(plane) == (2, 1, 1, 0)
    assert "disruptedPods" not in status(plane)  # it is being deleted, and that is counted
    with pytest.raises(TooManyRequests) as refused:
        await evict(plane, "two")
    (cause,) = (refused.value.details or {})["causes"]
    assert cause["message"] == "The disruption budget b needs 1 healthy pods and has 1 currently"


async def test_an_eviction_that_was_not_followed_by_a_deletion_expires(plane: Plane) -> None:
    await pod(plane, "one")
    await budget(plane, minAvailable=0)
    now = plane.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    said = {"disruptedPods": {"one": now}, "disruptionsAllowed": 0}
    await plane.patch(POD_DISRUPTION_BUDGETS, "b", {"status": said}, subresource="status")
    assert counts(plane) == (1, 0, 0, 0)
    assert status(plane)["disruptedPods"] == {"one": now}
    await plane.advance(122)
    assert counts(plane) == (1, 1, 0, 1)
    assert "disruptedPods" not in status(plane)
    assert "NotDeleted" in told(plane)


async def test_pods_without_a_scale_make_the_budget_fail_safe(plane: Plane) -> None:
    await budget(plane, maxUnavailable="50%")
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": True}
    spec = {"containers": [{"name": "c", "image": "i"}]}
    metadata = {"name": "p", "labels": {"app": "a"}, "ownerReferences": [owner]}
    await plane.create(PODS, {"metadata": metadata, "spec": spec})
    assert condition(plane)["reason"] == "SyncFailed"
    assert condition(plane)["message"] == "jobs.batch does not implement the scale subresource"
    assert "CalculateExpectedPodCountFailed" in told(plane)


async def test_unmanaged_pods_are_told_of_where_a_scale_is_needed(plane: Plane) -> None:
    await pod(plane, "one")
    await budget(plane, maxUnavailable=1)
    assert counts(plane) == (0, 1, 0, 0)
    (event,) = [each for each in plane.list(EVENTS) if each["reason"] == "UnmanagedPods"]
    printed = "&LabelSelector{MatchLabels:map[string]string{app: a,},MatchExpressions:[]LabelSelectorRequire"
    assert printed in event["message"]


async def test_two_budgets_for_one_pod_are_told_of(plane: Plane) -> None:
    await budget(plane, "b", minAvailable=1)
    await budget(plane, "c", minAvailable=1)
    await pod(plane, "one")
    assert "MultiplePodDisruptionBudgets" in told(plane)
    assert status(plane, "b")["currentHealthy"] == status(plane, "c")["currentHealthy"] == 1


async def test_a_disruption_that_does_not_come_is_taken_back(plane: Plane) -> None:
    await pod(plane, "one")
    now = plane.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    said = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
    status = {"conditions": [ready, {**said, "lastTransitionTime": now}]}
    await plane.patch(PODS, "one", {"status": status}, subresource="status")

    def target() -> str:
        found = conditions.find(plane.get(PODS, "one") or {}, "DisruptionTarget") or {}
        return str(found.get("status"))

    await plane.advance(119)
    assert target() == "True"
    await plane.advance(2)
    assert target() == "False"
    assert conditions.is_true(plane.get(PODS, "one") or {}, "Ready")


@pytest.mark.parametrize(("bound", "total", "expected"), [(2, 9, 2), ("50%", 3, 2), ("0%", 3, 0)])
def test_percentages_are_rounded_up(bound: int | str, total: int, expected: int) -> None:
    assert scaled(bound, total) == expected


def owned(
    kind: str, name: str, *, group: str = "apps", replicas: int = 0, by: Object | None = None
) -> Object:
    owner = {"ownerReferences": [{**reference(by), "controller": True}]} if by else {}
    metadata = {"name": name, "namespace": "ns", "uid": f"uid-{name}", **owner}
    version = f"{group}/v1" if group else "v1"
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {"replicas": replicas}}


def reference(obj: Object) -> Object:
    own = obj["metadata"]
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": own["name"], "uid": own["uid"]}


async def test_scales_come_from_the_owners_each_counted_once() -> None:
    deployment = owned("Deployment", "d", replicas=5)
    old = owned("ReplicaSet", "old", replicas=1, by=deployment)
    new = owned("ReplicaSet", "new", replicas=4, by=deployment)
    alone = owned("ReplicaSet", "alone", replicas=2)
    stateful = owned("StatefulSet", "s", replicas=3)
    controller = owned("ReplicationController", "rc", group="", replicas=7)
    custom = owned("Widget", "w", group="example.com", replicas=11)
    owners = (old, new, alone, stateful, controller, custom)
    client = FakeClient(deployment, *owners[:5], resources=[WIDGETS])
    client.put(custom)
    pods = [owned("Pod", f"p{number}", group="", by=owner) for number, owner in enumerate((*owners, old))]
    scales = Scales(client)
    await let_others_run()
    found = await scales.expected([*pods, owned("Pod", "alone", group="")])
    assert found == (5 + 2 + 3 + 7 + 11, ("alone",))
    await client.close()


async def test_an_owner_that_is_another_one_by_now_has_no_scale() -> None:
    gone = owned("Widget", "w", group="example.com")
    client = FakeClient(resources=[WIDGETS])
    client.put(gone | {"metadata": {**gone["metadata"], "uid": "another"}})
    with pytest.raises(ScaleUnknown, match='found no controllers for pod "p"'):
        await Scales(client).expected([owned("Pod", "p", group="", by=gone)])
    await client.close()
