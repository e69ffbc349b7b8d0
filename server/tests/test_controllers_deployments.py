"""Deployments: rolling updates and recreation, revisions, scaling, pausing, and what they say of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeling.client.resources import DEPLOYMENTS, EVENTS, PODS, REPLICA_SETS, SERVICE_ACCOUNTS
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.controllers.deployment.bounds import max_surge, max_unavailable
from server.controllers.deployment.proportion import proportional_sizes
from server.controllers.deployment.replica_sets import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    REVISION,
    REVISION_HISTORY,
    TEMPLATE_HASH,
    revision,
    size,
)
from server.controllers.deployment.revision import history_of
from server.controllers.owned.template_hash import template_hash
from server.tests.plane import Plane, started_plane


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        yield plane


def _deployment(replicas: int = 3, image: str = "one", **spec: object) -> Object:
    template = {
        "metadata": {"labels": {"a": "x"}},
        "spec": {"containers": [{"name": "c", "image": image}]},
    }
    said = {"replicas": replicas, "selector": {"matchLabels": {"a": "x"}}, "template": template, **spec}
    return {"metadata": {"name": "d"}, "spec": said}


def _strategy(surge: int | str, unavailable: int | str) -> Object:
    return {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def _found(plane: Plane) -> Object:
    found = plane.get(DEPLOYMENTS, "d")
    assert found is not None
    return found


def _sets(plane: Plane) -> list[Object]:
    return sorted(plane.list(REPLICA_SETS), key=revision)


def _sizes(plane: Plane) -> list[int]:
    """By revision."""
    return [size(each) for each in _sets(plane)]


def _condition(plane: Plane, kind: str) -> tuple[str, str, str]:
    found = conditions.find(_found(plane), kind)
    return (found["status"], found["reason"], found["message"]) if found else ("", "", "")


def _events(plane: Plane) -> list[str]:
    said = [e for e in plane.list(EVENTS) if e["source"]["component"] == "deployment-controller"]
    return [e["message"] for e in sorted(said, key=lambda e: str(e["metadata"]["name"]))]


async def _image(plane: Plane, image: str) -> None:
    containers = [{"name": "c", "image": image}]
    await plane.patch(DEPLOYMENTS, "d", {"spec": {"template": {"spec": {"containers": containers}}}})


def _pods(plane: Plane, image: str = "") -> list[str]:
    pods = [pod for pod in plane.list(PODS) if not meta.is_terminating(pod)]
    return [meta.name(pod) for pod in pods if image in ("", pod["spec"]["containers"][0]["image"])]


async def _all_run(plane: Plane, image: str = "") -> None:
    """Every pod that comes, until no more come, is ready."""
    while waiting := [name for name in _pods(plane, image) if not _is_ready(plane, name)]:
        for name in waiting:
            if plane.get(PODS, name) is not None:
                await plane.set_pod(name)


def _is_ready(plane: Plane, name: str) -> bool:
    pod = plane.get(PODS, name)
    return pod is not None and conditions.is_true(pod, "Ready")


async def test_a_replica_set_is_made_of_the_template(plane: Plane) -> None:
    deployment = await plane.create(DEPLOYMENTS, _deployment())
    (made,) = _sets(plane)
    label = template_hash(deployment["spec"]["template"])
    assert meta.name(made) == f"d-{label}"
    assert meta.labels(made) == {"a": "x", TEMPLATE_HASH: label}
    assert made["spec"]["selector"]["matchLabels"] == meta.labels(made)
    assert made["spec"]["template"]["metadata"]["labels"] == meta.labels(made)
    assert meta.annotations(made) == {REVISION: "1", DESIRED_REPLICAS: "3", MAX_REPLICAS: "4"}
    assert meta.controller_of(made) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "d",
        "uid": meta.uid(deployment),
        "controller": True,
        "blockOwnerDeletion": True,
    }
    assert len(_pods(plane)) == 3
    assert _events(plane) == [f"Scaled up replica set d-{label} from 0 to 3"]
    assert meta.annotations(_found(plane))[REVISION] == "1"


async def test_the_status_tells_of_progress_and_of_the_end(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment())
    (made,) = _sets(plane)
    name = meta.name(made)
    assert _condition(plane, "Progressing") == (
        "True",
        "ReplicaSetUpdated",
        f'ReplicaSet "{name}" is progressing.',
    )
    lacking = "Deployment does not have minimum availability."
    assert _condition(plane, "Available") == ("False", "MinimumReplicasUnavailable", lacking)
    status = _found(plane)["status"]
    assert (status["replicas"], status["updatedReplicas"], status["unavailableReplicas"]) == (3, 3, 3)
    await _all_run(plane)
    assert _condition(plane, "Progressing") == (
        "True",
        "NewReplicaSetAvailable",
        f'ReplicaSet "{name}" has successfully progressed.',
    )
    enough = "Deployment has minimum availability."
    assert _condition(plane, "Available") == ("True", "MinimumReplicasAvailable", enough)
    found = _found(plane)["status"]
    assert {name: found[name] for name in found if name != "conditions"} == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "terminatingReplicas": 0,
    }


async def test_a_rolling_update_keeps_within_its_bounds(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment(4, strategy=_strategy(2, 1)))
    await _all_run(plane)
    await _image(plane, "two")
    assert _sizes(plane) == [3, 3]
    while fresh := [name for name in _pods(plane, "two") if not _is_ready(plane, name)]:
        await plane.set_pod(fresh[0])
        ready = sum(_is_ready(plane, name) for name in _pods(plane))
        assert ready >= 3
        assert len(_pods(plane)) <= 6
    assert _sizes(plane) == [0, 4]
    assert meta.annotations(_found(plane))[REVISION] == "2"
    assert _condition(plane, "Progressing")[1] == "NewReplicaSetAvailable"


async def test_percentages_are_rounded_towards_progress_above_and_caution_below(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment(10))
    await _all_run(plane)
    await _image(plane, "two")
    assert _sizes(plane) == [8, 5]


async def test_pods_that_do_not_serve_hold_nothing_up(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment(4, strategy=_strategy(1, 1)))
    await _image(plane, "two")
    await _all_run(plane, "two")
    assert _sizes(plane) == [0, 4]


async def test_a_rollover_leaves_the_second_template_for_the_third(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment(4, strategy=_strategy(1, 0)))
    await _all_run(plane)
    await _image(plane, "two")
    await _image(plane, "three")
    await _all_run(plane, "three")
    assert _sizes(plane) == [0, 0, 4]


async def test_recreation_waits_for_the_old_pods_to_be_gone(plane: Plane) -> None:
    await plane.add_node()
    await plane.create(DEPLOYMENTS, _deployment(1, strategy={"type": "Recreate"}))
    (old,) = _pods(plane)
    binding = {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": "n"}}
    where = {"metadata": {"name": old, "namespace": "ns"}}
    await plane.client.create(PODS, {**binding, **where}, subresource="binding")
    await plane.set_pod(old)
    await _image(plane, "two")
    assert _sizes(plane) == [0]
    await plane.client.delete(PODS, old, namespace="ns", grace_period_seconds=0)
    await plane.settle()
    assert _sizes(plane) == [0, 1]
    await _all_run(plane)
    assert _condition(plane, "Progressing")[1] == "NewReplicaSetAvailable"


async def test_going_back_takes_the_old_replica_set_up_again(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment())
    await _all_run(plane)
    first = meta.name(_sets(plane)[0])
    await _image(plane, "two")
    await _all_run(plane)
    await _image(plane, "one")
    await _all_run(plane)
    *_, latest = _sets(plane)
    assert meta.name(latest) == first
    assert (meta.annotations(latest)[REVISION], meta.annotations(latest)[REVISION_HISTORY]) == ("3", "1")
    assert meta.annotations(_found(plane))[REVISION] == "3"
    assert _sizes(plane) == [0, 3]


async def test_annotations_go_along_but_not_what_kubectl_remembers(plane: Plane) -> None:
    said = _deployment()
    remembered = "kubectl.kubernetes.io/last-applied-configuration"
    said["metadata"]["annotations"] = {"kubernetes.io/change-cause": "why", remembered: "{}"}
    await plane.create(DEPLOYMENTS, said)
    (made,) = _sets(plane)
    assert meta.annotations(made)["kubernetes.io/change-cause"] == "why"
    assert remembered not in meta.annotations(made)


async def test_old_replica_sets_are_forgotten_beyond_the_limit(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment(1, revisionHistoryLimit=1))
    for image in ("one", "two", "three", "four"):
        await _image(plane, image)
        await _all_run(plane)
    assert [revision(each) for each in _sets(plane)] == [3, 4]


async def test_scaling_is_no_rollout(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment())
    await _all_run(plane)
    await plane.patch(DEPLOYMENTS, "d", {"spec": {"replicas": 5}}, subresource="scale")
    (made,) = _sets(plane)
    assert (size(made), meta.annotations(made)[DESIRED_REPLICAS]) == (5, "5")
    assert _condition(plane, "Progressing")[1] == "NewReplicaSetAvailable"
    assert _events(plane)[-1] == f"Scaled up replica set {meta.name(made)} from 3 to 5"
    await plane.patch(DEPLOYMENTS, "d", {"spec": {"replicas": 1}})
    assert (_sizes(plane), len(_pods(plane))) == ([1], 1)
    assert _events(plane)[-1] == f"Scaled down replica set {meta.name(made)} from 5 to 1"


async def test_scaling_in_the_middle_of_a_rollout_is_proportional(plane: Plane) -> None:
    """Upstream's own example: 8 old and 5 new of 10, scaled to 30, are 20 and 13."""
    await plane.create(DEPLOYMENTS, _deployment(10, strategy=_strategy(3, 2)))
    await _all_run(plane)
    await _image(plane, "two")
    assert _sizes(plane) == [8, 5]
    await plane.patch(DEPLOYMENTS, "d", {"spec": {"replicas": 30}})
    assert _sizes(plane) == [20, 13]


async def test_a_paused_deployment_is_scaled_but_not_rolled_out(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment())
    await _all_run(plane)
    await plane.patch(DEPLOYMENTS, "d", {"spec": {"paused": True}})
    assert _condition(plane, "Progressing") == ("Unknown", "DeploymentPaused", "Deployment is paused")
    await _image(plane, "two")
    await plane.patch(DEPLOYMENTS, "d", {"spec": {"replicas": 4}})
    assert _sizes(plane) == [4]
    await plane.patch(DEPLOYMENTS, "d", {"spec": {"paused": False}})
    assert len(_sizes(plane)) == 2
    await _all_run(plane)
    assert _sizes(plane) == [0, 4]
    assert _condition(plane, "Progressing")[1] == "NewReplicaSetAvailable"


async def test_resuming_is_told(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment(paused=True))
    assert _sizes(plane) == []
    await plane.patch(DEPLOYMENTS, "d", {"spec": {"paused": False, "replicas": 0}})
    assert _condition(plane, "Progressing")[1] in ("NewReplicaSetCreated", "NewReplicaSetAvailable")


async def test_a_lack_of_progress_is_told_at_the_deadline(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment(progressDeadlineSeconds=10))
    await plane.advance(9)
    assert _condition(plane, "Progressing")[1] == "ReplicaSetUpdated"
    await plane.advance(3)
    name = meta.name(_sets(plane)[0])
    late = f'ReplicaSet "{name}" has timed out progressing.'
    assert _condition(plane, "Progressing") == ("False", "ProgressDeadlineExceeded", late)
    await _all_run(plane)
    assert _condition(plane, "Progressing")[:2] == ("True", "NewReplicaSetAvailable")


async def test_every_progress_extends_the_deadline(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment(progressDeadlineSeconds=10))
    for name in _pods(plane)[:2]:
        await plane.advance(8)
        await plane.set_pod(name)
    await plane.advance(8)
    assert _condition(plane, "Progressing")[1] == "ReplicaSetUpdated"


async def test_a_refused_pod_is_the_deployments_failure(plane: Plane) -> None:
    said = _deployment(1)
    said["spec"]["template"]["spec"]["serviceAccountName"] = "late"
    await plane.create(DEPLOYMENTS, said)
    status, reason, message = _condition(plane, "ReplicaFailure")
    assert (status, reason) == ("True", "FailedCreate")
    assert 'serviceaccount "late" not found' in message
    await plane.create(SERVICE_ACCOUNTS, {"metadata": {"name": "late"}})
    await plane.advance(60)
    assert _condition(plane, "ReplicaFailure") == ("", "", "")
    assert len(_pods(plane)) == 1


async def test_replica_sets_are_adopted_and_released_by_their_labels(plane: Plane) -> None:
    deployment = await plane.create(DEPLOYMENTS, _deployment(1))
    (made,) = _sets(plane)
    await plane.patch(REPLICA_SETS, meta.name(made), {"metadata": {"ownerReferences": None}})
    (adopted,) = _sets(plane)
    assert adopted["metadata"]["ownerReferences"][0]["uid"] == meta.uid(deployment)
    await plane.patch(REPLICA_SETS, meta.name(made), {"metadata": {"labels": {"a": "other"}}})
    released = plane.get(REPLICA_SETS, meta.name(made))
    assert released is not None
    assert "ownerReferences" not in released["metadata"]


async def test_a_hash_that_is_taken_is_counted_and_another_one_used(plane: Plane) -> None:
    taken = template_hash((await plane.create(DEPLOYMENTS, _deployment(1)))["spec"]["template"])
    other = _deployment(1)
    other["metadata"]["name"] = "e"
    labels = {"b": "y"}
    spec = {"containers": [{"name": "c", "image": "i"}]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    blocking = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    await plane.create(REPLICA_SETS, {"metadata": {"name": f"e-{taken}"}, "spec": blocking})
    made = await plane.create(DEPLOYMENTS, other)
    await plane.advance(1)
    second = template_hash(made["spec"]["template"], 1)
    assert plane.get(REPLICA_SETS, f"e-{second}") is not None
    found = plane.get(DEPLOYMENTS, "e")
    assert found is not None
    assert found["status"]["collisionCount"] == 1


async def test_minimum_seconds_of_readiness_reach_the_replica_set(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment(1))
    await plane.patch(DEPLOYMENTS, "d", {"spec": {"minReadySeconds": 10}})
    assert _sets(plane)[0]["spec"]["minReadySeconds"] == 10
    await _all_run(plane)
    assert _condition(plane, "Available")[0] == "False"
    await plane.advance(12)
    assert _condition(plane, "Available")[0] == "True"


async def test_others_conditions_stay(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment(1))
    theirs = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
    await plane.patch(DEPLOYMENTS, "d", {"status": {"conditions": [theirs]}}, subresource="status")
    await plane.patch(DEPLOYMENTS, "d", {"spec": {"replicas": 2}})
    assert _condition(plane, "StatusUpdate")[0] == "True"
    assert _condition(plane, "Available")[0] == "False"


async def test_two_of_one_selector_leave_each_other_alone(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment(2))
    other = _deployment(3)
    other["metadata"]["name"] = "e"
    await plane.create(DEPLOYMENTS, other)
    await _all_run(plane)
    assert sorted(size(each) for each in _sets(plane)) == [2, 3]
    assert len(_pods(plane)) == 5
    await _image(plane, "two")
    await _all_run(plane)
    assert (len(_pods(plane, "one")), len(_pods(plane, "two"))) == (3, 2)


async def test_a_lack_of_progress_stays_told_while_paused(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment(progressDeadlineSeconds=10))
    await plane.advance(13)
    await plane.patch(DEPLOYMENTS, "d", {"spec": {"paused": True}})
    assert _condition(plane, "Progressing")[1] == "ProgressDeadlineExceeded"


async def test_a_replica_set_that_is_deleted_comes_again(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment(1))
    (made,) = _sets(plane)
    await plane.client.delete(REPLICA_SETS, meta.name(made), namespace="ns")
    await plane.settle()
    (again,) = _sets(plane)
    assert meta.name(again) == meta.name(made)
    assert meta.uid(again) != meta.uid(made)


async def test_switching_to_recreation_in_the_middle_ends_the_update(plane: Plane) -> None:
    await plane.create(DEPLOYMENTS, _deployment(4, strategy=_strategy(1, 0)))
    await _all_run(plane)
    await _image(plane, "two")
    assert _sizes(plane) == [4, 1]
    recreate = {"strategy": {"type": "Recreate", "rollingUpdate": None}, "replicas": 2}
    await plane.patch(DEPLOYMENTS, "d", {"spec": recreate})
    await _all_run(plane)
    assert _sizes(plane) == [0, 2]


def _bounded(replicas: int, surge: int | str, unavailable: int | str) -> Object:
    return _deployment(replicas, strategy=_strategy(surge, unavailable))


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "bounds"),
    [
        (10, "25%", "25%", (3, 2)),
        (1, "25%", "25%", (1, 0)),
        (10, 3, 2, (3, 2)),
        (10, "0%", "5%", (0, 1)),
        (2, 0, 5, (0, 2)),
        (0, "25%", 1, (0, 0)),
        (1, "100%", "100%", (1, 1)),
    ],
)
def test_bounds(replicas: int, surge: int | str, unavailable: int | str, bounds: tuple[int, int]) -> None:
    deployment = _bounded(replicas, surge, unavailable)
    assert (max_surge(deployment), max_unavailable(deployment)) == bounds


def _sized(name: str, replicas: int, most: int) -> Object:
    metadata = {"name": name, "creationTimestamp": f"2026-01-01T00:00:0{name[-1]}Z"}
    return {
        "metadata": {**metadata, "annotations": {MAX_REPLICAS: str(most)}},
        "spec": {"replicas": replicas},
    }


@pytest.mark.parametrize(
    ("wanted", "sizes", "expected"),
    [
        (15, [3, 7], [4, 11]),
        (5, [3, 7], [2, 3]),
        (0, [3, 7], [0, 0]),
        (11, [5, 5], [5, 6]),
        (9, [5, 5], [4, 5]),
        (20, [10], [20]),
    ],
)
def test_proportions(wanted: int, sizes: list[int], expected: list[int]) -> None:
    """Without surge; of equals the newer one gains more, and the older one loses more."""
    deployment = _bounded(wanted, 0, 1)
    sets = [_sized(f"rs{number}", each, sum(sizes)) for number, each in enumerate(sizes)]
    found = {meta.name(each): to for each, to in proportional_sizes(deployment, sets)}
    assert [found[f"rs{number}"] for number in range(len(sizes))] == expected


def test_a_history_of_revisions_stays_within_its_bounds() -> None:
    long = ",".join(str(number) for number in range(1000, 1400))
    kept = history_of(long, "1400")
    assert len(kept) <= 2000
    assert kept.endswith(",1399,1400")
    assert history_of("", "1") == "1"


def test_the_hash_is_of_the_content_and_written_in_safe_letters() -> None:
    one = template_hash({"spec": {"a": 1, "b": 2}})
    assert one == template_hash({"spec": {"b": 2, "a": 1}})
    assert len({one, template_hash({"spec": {"a": 1}}), template_hash({"spec": {"a": 1, "b": 2}}, 1)}) == 3
    assert set(one) <= set(meta.SUFFIX_ALPHABET)
