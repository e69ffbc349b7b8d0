"""StatefulSets: names and their order, scaling, rolling updates, claims, adoption, status and events."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.resources import (
    CONTROLLER_REVISIONS,
    EVENTS,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    STATEFUL_SETS,
    Resource,
)
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.tests.plane import Plane, started_plane


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        for resource in (PODS, STATEFUL_SETS, CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, EVENTS):
            plane.client.informer(resource)
        yield plane


def template(image: str = "a") -> Object:
    containers = [{"name": "c", "image": image}]
    return {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": containers}}


async def create(plane: Plane, replicas: int = 3, name: str = "web", **spec: Any) -> None:
    given = {
        "replicas": replicas,
        "serviceName": "svc",
        "selector": {"matchLabels": {"app": "x"}},
        "template": template(),
        **spec,
    }
    await plane.create(STATEFUL_SETS, {"metadata": {"name": name}, "spec": given})


async def change(plane: Plane, name: str = "web", **spec: Any) -> None:
    await plane.patch(STATEFUL_SETS, name, {"spec": spec})


def names(plane: Plane, resource: Resource = PODS) -> list[str]:
    return sorted(map(meta.name, plane.list(resource)))


def pod(plane: Plane, name: str) -> Object:
    found = plane.get(PODS, name)
    assert found is not None
    return found


def images(plane: Plane) -> list[str]:
    return [pod(plane, name)["spec"]["containers"][0]["image"] for name in names(plane)]


def status(plane: Plane, name: str = "web") -> Object:
    found = plane.get(STATEFUL_SETS, name)
    assert found is not None
    return dict(found["status"])


def events(plane: Plane) -> list[tuple[str, str]]:
    return [(each["reason"], each["message"]) for each in plane.list(EVENTS)]


async def run_all(plane: Plane) -> None:
    """What a kubelet does until nothing changes any more."""
    while waiting := [each for each in names(plane) if "phase" not in _ready(plane, each)]:
        for each in waiting:
            await plane.set_pod(each)


def _ready(plane: Plane, name: str) -> Object:
    return {"phase": 1} if (pod(plane, name).get("status") or {}).get("phase") == "Running" else {}


async def test_pods_come_one_after_the_other_each_when_the_last_is_ready(plane: Plane) -> None:
    await create(plane)
    assert names(plane) == ["web-0"]
    await plane.set_pod("web-0", ready=False)
    assert names(plane) == ["web-0"]
    await plane.set_pod("web-0")
    assert names(plane) == ["web-0", "web-1"]
    await run_all(plane)
    assert names(plane) == ["web-0", "web-1", "web-2"]
    assert status(plane)["readyReplicas"] == 3
    assert ("SuccessfulCreate", "create Pod web-1 in StatefulSet web successful") in events(plane)


async def test_a_pod_has_the_identity_of_its_ordinal(plane: Plane) -> None:
    await create(plane, 1, ordinals={"start": 5})
    made = pod(plane, "web-5")
    labels = meta.labels(made)
    assert labels["statefulset.kubernetes.io/pod-name"] == "web-5"
    assert labels["apps.kubernetes.io/pod-index"] == "5"
    assert labels["controller-revision-hash"] == names(plane, CONTROLLER_REVISIONS)[0]
    assert made["metadata"]["generateName"] == "web-"
    assert (made["spec"]["hostname"], made["spec"]["subdomain"]) == ("web-5", "svc")


async def test_pods_go_from_the_highest_one_at_a_time(plane: Plane) -> None:
    await create(plane)
    await run_all(plane)
    for name in names(plane):
        await plane.patch(PODS, name, {"metadata": {"finalizers": ["test/stay"]}})
    await change(plane, replicas=1)
    assert [name for name in names(plane) if meta.is_terminating(pod(plane, name))] == ["web-2"]
    await plane.patch(PODS, "web-2", {"metadata": {"finalizers": None}})
    assert [name for name in names(plane) if meta.is_terminating(pod(plane, name))] == ["web-1"]
    await plane.patch(PODS, "web-1", {"metadata": {"finalizers": None}})
    assert names(plane) == ["web-0"]


async def test_nothing_is_removed_while_one_that_stays_is_unhealthy(plane: Plane) -> None:
    await create(plane)
    await run_all(plane)
    await plane.set_pod("web-0", ready=False)
    await change(plane, replicas=1)
    assert len(names(plane)) == 3
    await plane.set_pod("web-0")
    assert names(plane) == ["web-0"]


async def test_in_parallel_all_come_and_go_at_once(plane: Plane) -> None:
    await create(plane, 5, podManagementPolicy="Parallel")
    assert len(names(plane)) == 5
    await change(plane, replicas=2)
    assert names(plane) == ["web-0", "web-1"]


async def test_an_update_goes_from_the_highest_and_waits_for_each(plane: Plane) -> None:
    await create(plane)
    await run_all(plane)
    first = status(plane)["currentRevision"]
    await change(plane, template=template("b"))
    assert names(plane) == ["web-0", "web-1", "web-2"]
    assert images(plane) == ["a", "a", "b"]
    assert status(plane)["currentRevision"] == first != status(plane)["updateRevision"]
    await plane.set_pod("web-2")
    assert images(plane) == ["a", "b", "b"]
    await run_all(plane)
    assert images(plane) == ["b", "b", "b"]
    said = status(plane)
    assert said["currentRevision"] == said["updateRevision"] != first
    assert (said["currentReplicas"], said["updatedReplicas"]) == (3, 3)


async def test_a_roll_back_takes_the_old_revision_with_a_new_number(plane: Plane) -> None:
    await create(plane, 1)
    await run_all(plane)
    (first,) = names(plane, CONTROLLER_REVISIONS)
    for image in ("b", "a"):
        await change(plane, template=template(image))
        await run_all(plane)
    assert status(plane)["currentRevision"] == first
    assert {meta.name(each): each["revision"] for each in plane.list(CONTROLLER_REVISIONS)}[first] == 3
    assert images(plane) == ["a"]


async def test_below_the_partition_pods_stay_what_they_were(plane: Plane) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    await create(plane, updateStrategy=rolling)
    await run_all(plane)
    await change(plane, template=template("b"))
    await run_all(plane)
    assert images(plane) == ["a", "a", "b"]
    await plane.client.delete(PODS, "web-0", namespace="ns", grace_period_seconds=0)
    await plane.settle()
    await run_all(plane)
    assert images(plane) == ["a", "a", "b"]
    await change(plane, updateStrategy={"rollingUpdate": {"partition": 0}})
    await run_all(plane)
    assert images(plane) == ["b", "b", "b"]


async def test_so_many_may_be_away_at_once(plane: Plane) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}
    await create(plane, 4, updateStrategy=rolling, podManagementPolicy="Parallel")
    await run_all(plane)
    await change(plane, template=template("b"))
    assert images(plane) == ["a", "a", "b", "b"]
    await plane.set_pod("web-2")
    assert images(plane) == ["a", "b", "b", "b"]


async def test_what_is_broken_by_the_old_template_is_replaced_in_parallel(plane: Plane) -> None:
    await create(plane, 2, podManagementPolicy="Parallel")
    await change(plane, template=template("b"))
    assert images(plane) == ["b", "b"]


async def test_in_order_an_update_waits_for_what_is_broken(plane: Plane) -> None:
    await create(plane, 2)
    await plane.set_pod("web-0", ready=False)
    await change(plane, template=template("b"))
    assert images(plane) == ["a"]


async def test_on_delete_only_those_that_are_deleted_change(plane: Plane) -> None:
    await create(plane, 2, updateStrategy={"type": "OnDelete"})
    await run_all(plane)
    await change(plane, template=template("b"))
    assert images(plane) == ["a", "a"]
    await plane.client.delete(PODS, "web-0", namespace="ns", grace_period_seconds=0)
    await plane.settle()
    assert images(plane) == ["b", "a"]


async def test_pods_that_ended_are_made_anew(plane: Plane) -> None:
    await create(plane, 1)
    before = meta.uid(pod(plane, "web-0"))
    await plane.set_pod("web-0", "Failed")
    assert meta.uid(pod(plane, "web-0")) != before
    assert ("SuccessfulDelete", "delete Pod web-0 in StatefulSet web successful") in events(plane)


async def test_a_pod_that_ends_again_and_again_is_made_anew_ever_more_slowly(plane: Plane) -> None:
    await create(plane, 1)
    await plane.set_pod("web-0", "Succeeded")
    second = meta.uid(pod(plane, "web-0"))
    await plane.set_pod("web-0", "Failed")
    assert meta.uid(pod(plane, "web-0")) == second
    await plane.advance(0.6)
    assert meta.uid(pod(plane, "web-0")) != second


async def test_a_pod_counts_when_it_was_ready_for_long_enough(plane: Plane) -> None:
    await create(plane, 2, minReadySeconds=10)
    await plane.set_pod("web-0")
    assert names(plane) == ["web-0"]
    assert (status(plane)["readyReplicas"], status(plane)["availableReplicas"]) == (1, 0)
    await plane.advance(11)
    assert names(plane) == ["web-0", "web-1"]
    assert status(plane)["availableReplicas"] == 1


CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def owners(plane: Plane, claim: str) -> list[str]:
    found = plane.get(PERSISTENT_VOLUME_CLAIMS, claim)
    assert found is not None
    return [each["name"] for each in found["metadata"].get("ownerReferences") or []]


async def test_each_pod_has_its_claims(plane: Plane) -> None:
    await create(plane, 1, volumeClaimTemplates=[CLAIM])
    assert names(plane, PERSISTENT_VOLUME_CLAIMS) == ["data-web-0"]
    (volume,) = [each for each in pod(plane, "web-0")["spec"]["volumes"] if each["name"] == "data"]
    assert volume["persistentVolumeClaim"]["claimName"] == "data-web-0"
    claim = plane.get(PERSISTENT_VOLUME_CLAIMS, "data-web-0")
    assert claim is not None
    assert meta.labels(claim) == {"app": "x"}
    said = "create Claim data-web-0 Pod web-0 in StatefulSet web success"
    assert ("SuccessfulCreate", said) in events(plane)


async def test_a_claim_that_is_gone_is_made_anew_for_a_pod_that_waits(plane: Plane) -> None:
    await create(plane, 1, volumeClaimTemplates=[CLAIM])
    await plane.set_pod("web-0", "Pending")
    await plane.patch(PERSISTENT_VOLUME_CLAIMS, "data-web-0", {"metadata": {"finalizers": None}})
    await plane.client.delete(PERSISTENT_VOLUME_CLAIMS, "data-web-0", namespace="ns")
    await plane.settle()
    assert names(plane, PERSISTENT_VOLUME_CLAIMS) == ["data-web-0"]


async def test_a_pod_waits_until_the_claim_of_its_predecessor_is_gone(plane: Plane) -> None:
    policy = {"whenScaled": "Delete"}
    await create(plane, 1, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=policy)
    await plane.set_pod("web-0")
    stay = {"metadata": {"finalizers": ["test/stay"]}}
    await plane.patch(PERSISTENT_VOLUME_CLAIMS, "data-web-0", stay)
    await change(plane, replicas=0)
    assert names(plane) == []
    await change(plane, replicas=1)
    assert names(plane) == []
    await plane.patch(PERSISTENT_VOLUME_CLAIMS, "data-web-0", {"metadata": {"finalizers": None}})
    assert names(plane) == ["web-0"]


async def test_claims_belong_to_whom_the_policy_says(plane: Plane) -> None:
    await create(plane, 1, volumeClaimTemplates=[CLAIM])
    assert owners(plane, "data-web-0") == []
    await plane.set_pod("web-0")
    await change(plane, persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"})
    assert owners(plane, "data-web-0") == ["web"]
    await plane.patch(PODS, "web-0", {"metadata": {"finalizers": ["test/stay"]}})
    await change(plane, replicas=0, persistentVolumeClaimRetentionPolicy={"whenScaled": "Delete"})
    assert owners(plane, "data-web-0") == ["web-0"]


async def test_orphans_of_its_name_are_adopted_and_others_released(plane: Plane) -> None:
    orphan = {"metadata": {"name": "web-0", "labels": {"app": "x"}}, "spec": template()["spec"]}
    await plane.create(PODS, orphan)
    await create(plane, 1)
    assert meta.controller_of(pod(plane, "web-0")) is not None
    await plane.patch(PODS, "web-0", {"metadata": {"labels": {"app": "y"}}})
    assert meta.controller_of(pod(plane, "web-0")) is None


async def test_others_names_are_not_adopted(plane: Plane) -> None:
    await plane.create(
        PODS, {"metadata": {"name": "other-0", "labels": {"app": "x"}}, "spec": template()["spec"]}
    )
    await create(plane, 1)
    assert meta.controller_of(pod(plane, "other-0")) is None


async def test_history_is_kept_up_to_its_limit(plane: Plane) -> None:
    await create(plane, 1, revisionHistoryLimit=1)
    await run_all(plane)
    for image in "bcd":
        await change(plane, template=template(image))
        await run_all(plane)
    assert sorted(each["revision"] for each in plane.list(CONTROLLER_REVISIONS)) == [3, 4]


async def test_a_revision_is_a_patch_that_puts_the_template_back(plane: Plane) -> None:
    await create(plane, 1)
    (revision,) = plane.list(CONTROLLER_REVISIONS)
    made = revision["data"]["spec"]["template"]
    assert made["$patch"] == "replace"
    assert made["spec"]["containers"][0]["image"] == "a"
    name = meta.name(revision)
    assert meta.labels(revision)["controller.kubernetes.io/hash"] == name.removeprefix("web-")


async def test_a_pod_that_cannot_be_made_says_why(plane: Plane) -> None:
    broken = template()
    broken["spec"]["serviceAccountName"] = "nobody"
    await create(plane, 1, template=broken)
    assert names(plane) == []
    reason, message = next(each for each in events(plane) if each[0].startswith("Failed"))
    assert reason == "FailedCreate"
    assert message.startswith("create Pod web-0 in StatefulSet web failed error: ")
