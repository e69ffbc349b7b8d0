"""Deployments: upstream's e2e tests of them."""

from conformance.rest import STRATEGIC
from conformance.rollouts import (
    APPS,
    HASH,
    NOWHERE,
    REVISION,
    complete,
    condition,
    deployment,
    listed,
    owner_of,
    ready,
    replica_set,
    replica_sets,
    rolling,
    size,
    until,
)
from conformance.space import Space
from conformance.waiting import eventually

Object = dict[str, object]


def _path(space: Space, name: str = "d", sub: str = "") -> str:
    return space.path("deployments", name, group=APPS) + sub


def _sets_path(space: Space, name: str = "") -> str:
    return space.path("replicasets", name, group=APPS)


def _create(space: Space, replicas: int, **spec: object) -> None:
    space.rest.post(_path(space, ""), deployment(space, "d", replicas, **spec))


def _renew(space: Space, **spec: object) -> None:
    """Another template: its container has another name."""
    main = {**deployment(space, "d", 1)["spec"]["template"]["spec"]["containers"][0], "name": "renewed"}
    patch = {"spec": {"template": {"spec": {"containers": [main], **spec}}}}
    space.rest.patch(_path(space), patch)


def _sizes(space: Space) -> list[int]:
    return [size(each) for each in replica_sets(space, "d")]


def test_deletion_takes_replica_sets_and_pods_along(virtual_space: Space) -> None:
    space = virtual_space
    _create(space, 1)
    found = complete(space, "d")
    (made,) = replica_sets(space, "d")
    assert owner_of(made) == found["metadata"]["uid"]
    space.rest.delete(_path(space), {"propagationPolicy": "Background"})
    space.rest.gone(_path(space))
    eventually(lambda: not replica_sets(space, "d"), what="the replica set is gone")
    eventually(lambda: not listed(space, "pods", {"app": "d"}), what="the pods are gone")


def test_a_rolling_update_adopts_and_replaces_what_was_there(virtual_space: Space) -> None:
    space = virtual_space
    labels = {"app": "d", "pod": "earlier"}
    earlier = replica_set(space, "earlier", 1, labels=labels)
    earlier["metadata"]["annotations"] = {REVISION: "3546343826724305832"}
    space.rest.post(_sets_path(space), earlier)
    ready(space, _sets_path(space, "earlier"), 1)
    _create(space, 1)
    found = complete(space, "d")
    assert found["metadata"]["annotations"][REVISION] == "3546343826724305833"
    old, new = replica_sets(space, "d")
    assert (old["metadata"]["name"], size(old), size(new)) == ("earlier", 0, 1)
    assert owner_of(old) == owner_of(new) == found["metadata"]["uid"]
    assert new["metadata"]["labels"][HASH] == new["spec"]["selector"]["matchLabels"][HASH]
    eventually(lambda: len(listed(space, "pods", {"app": "d"})) == 1, what="the old pod is gone")


def test_recreation_never_runs_old_and_new_pods_at_once(virtual_space: Space) -> None:
    space = virtual_space
    _create(space, 2, strategy={"type": "Recreate"})
    complete(space, "d")
    found = space.rest.get(space.path("pods"))
    running, seen = {pod["metadata"]["name"] for pod in found["items"]}, set[str]()
    _renew(space)
    since = found["metadata"]["resourceVersion"]
    with space.rest.watch(space.path("pods"), resourceVersion=since) as events:
        for event in events:
            pod = event["object"]
            if pod["spec"]["containers"][0]["name"] == "renewed":
                assert not running, "a new pod came before the old ones had ended"
                seen.add(pod["metadata"]["name"])
            elif event["type"] == "DELETED" or pod["status"]["phase"] in ("Succeeded", "Failed"):
                running.discard(pod["metadata"]["name"])
            if len(seen) == 2:
                break
    complete(space, "d")


def test_old_replica_sets_are_deleted(virtual_space: Space) -> None:
    space = virtual_space
    space.rest.post(_sets_path(space), replica_set(space, "earlier", 1, labels={"app": "d", "pod": "e"}))
    ready(space, _sets_path(space, "earlier"), 1)
    _create(space, 1, revisionHistoryLimit=0)
    complete(space, "d")
    space.rest.gone(_sets_path(space, "earlier"))
    assert _sizes(space) == [1]


def test_rollover(virtual_space: Space) -> None:
    """A template that never gets ready gives way to the next, and so does what was there before."""
    space = virtual_space
    space.rest.post(_sets_path(space), replica_set(space, "earlier", 1, labels={"app": "d", "pod": "e"}))
    ready(space, _sets_path(space, "earlier"), 1)
    stuck = deployment(space, "d", 1, strategy=rolling(1, 0), minReadySeconds=2)
    stuck["spec"]["template"]["spec"].update(NOWHERE)
    space.rest.post(_path(space, ""), stuck)
    eventually(lambda: _sizes(space) == [1, 1], what="the stuck template has its pod")
    _renew(space, nodeSelector=None)
    found = complete(space, "d")
    assert found["metadata"]["annotations"][REVISION] == "2"
    assert _sizes(space) == [0, 0, 1]


def test_scaling_in_the_middle_of_a_rollout_is_proportional(virtual_space: Space) -> None:
    space = virtual_space
    _create(space, 10, strategy=rolling(3, 2))
    complete(space, "d")
    _renew(space, **NOWHERE)
    eventually(lambda: _sizes(space) == [8, 5], what="the rollout has come as far as it can")
    old, _ = replica_sets(space, "d")
    ready(space, _sets_path(space, old["metadata"]["name"]), 8)
    space.rest.patch(_path(space, sub="/scale"), {"spec": {"replicas": 30}})
    eventually(lambda: _sizes(space) == [20, 13], what="both have grown in proportion")


def test_the_lifecycle(virtual_space: Space) -> None:
    space = virtual_space
    made = deployment(space, "d", 2)
    made["metadata"]["labels"]["test-deployment-static"] = "true"
    space.rest.post(_path(space, ""), made)
    ready(space, _path(space), 2)
    patch = {
        "metadata": {"labels": {"test-deployment": "patched"}},
        "spec": {"replicas": 1, "template": {"spec": {"terminationGracePeriodSeconds": 0}}},
    }
    patched = space.rest.patch(_path(space), patch, content_type=STRATEGIC)
    assert patched["metadata"]["labels"]["test-deployment"] == "patched"
    complete(space, "d")
    everywhere = space.rest.get("/apis/apps/v1/deployments", labelSelector="test-deployment-static=true")
    assert space.name in {each["metadata"]["namespace"] for each in everywhere["items"]}
    current = complete(space, "d")
    current["metadata"].pop("resourceVersion")
    current["metadata"]["labels"]["test-deployment"] = "updated"
    current["spec"]["replicas"] = 2
    space.rest.put(_path(space), current)
    complete(space, "d")
    zero = {"status": {"readyReplicas": 0, "availableReplicas": 0}}
    answer = space.rest.patch(_path(space, sub="/status"), zero, content_type=STRATEGIC)
    assert answer["status"].get("readyReplicas", 0) == 0
    assert answer["metadata"]["labels"]["test-deployment"] == "updated"
    ready(space, _path(space), 2)
    space.rest.delete(_path(space, ""), labelSelector="test-deployment-static=true")
    space.rest.gone(_path(space))


def test_conditions_of_the_status_are_updated_and_patched(virtual_space: Space) -> None:
    space = virtual_space
    _create(space, 1)
    complete(space, "d")

    def update() -> bool:
        current = space.rest.get(_path(space, sub="/status"))
        said = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
        current["status"]["conditions"].append(said)
        return space.rest.request("PUT", _path(space, sub="/status"), current).code == 200

    eventually(update, what="the status is updated")
    assert condition(space.rest.get(_path(space)), "StatusUpdate")["reason"] == "E2E"
    patch = {"status": {"conditions": [{"type": "StatusPatched", "status": "True"}]}}
    space.rest.patch(_path(space, sub="/status"), patch)
    assert condition(space.rest.get(_path(space)), "StatusPatched")["status"] == "True"


def test_the_scale_subresource_works(virtual_space: Space) -> None:
    space = virtual_space
    _create(space, 1)
    complete(space, "d")
    scale = space.rest.get(_path(space, sub="/scale"))
    assert (scale["spec"]["replicas"], scale["status"]["selector"]) == (1, "app=d")
    scale["spec"]["replicas"] = 2
    scale["metadata"].pop("resourceVersion")
    assert space.rest.put(_path(space, sub="/scale"), scale)["spec"]["replicas"] == 2
    assert size(space.rest.get(_path(space))) == 2
    applied = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 4}}
    space.rest.patch(
        _path(space, sub="/scale"),
        {**applied, "metadata": {"name": "d"}},
        content_type="application/apply-patch+yaml",
        fieldManager="test",
        force="true",
    )
    assert size(complete(space, "d")) == 4


def test_an_orphaned_replica_set_is_taken_up_again(virtual_space: Space) -> None:
    """What a deleted Deployment left behind belongs to the next one of the same template."""
    space = virtual_space
    _create(space, 1)
    complete(space, "d")
    space.rest.delete(_path(space), {"propagationPolicy": "Orphan"})
    space.rest.gone(_path(space))
    (left,) = replica_sets(space, "d")
    assert owner_of(left) == ""
    _create(space, 1)
    found = complete(space, "d")
    (taken,) = replica_sets(space, "d")
    assert taken["metadata"]["uid"] == left["metadata"]["uid"]
    assert owner_of(taken) == found["metadata"]["uid"]


def test_refused_pods_are_the_deployments_failure(virtual_space: Space) -> None:
    space = virtual_space
    made = deployment(space, "d", 1)
    made["spec"]["template"]["spec"]["serviceAccountName"] = "late"
    space.rest.post(_path(space, ""), made)
    failed = until(
        space, _path(space), lambda found: condition(found, "ReplicaFailure"), what="says that it fails"
    )
    assert condition(failed, "ReplicaFailure")["reason"] == "FailedCreate"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "late"}}
    space.create(account, "serviceaccounts")
    assert not condition(complete(space, "d"), "ReplicaFailure")


def test_a_lack_of_progress_is_told(virtual_space: Space) -> None:
    space = virtual_space
    made = deployment(space, "d", 1, progressDeadlineSeconds=1)
    made["spec"]["template"]["spec"].update(NOWHERE)
    space.rest.post(_path(space, ""), made)
    reason = "ProgressDeadlineExceeded"
    late = until(
        space,
        _path(space),
        lambda found: condition(found, "Progressing").get("reason") == reason,
        what="is late",
    )
    (stuck,) = replica_sets(space, "d")
    told = condition(late, "Progressing")
    assert told["message"] == f'ReplicaSet "{stuck["metadata"]["name"]}" has timed out progressing.'
    assert condition(late, "Available")["reason"] == "MinimumReplicasUnavailable"
    _renew(space, nodeSelector=None)
    done = condition(complete(space, "d"), "Progressing")
    assert (done["status"], done["reason"]) == ("True", "NewReplicaSetAvailable")


def test_an_update_of_real_containers(space: Space, containers: None) -> None:
    _create(space, 2)
    complete(space, "d")
    _renew(space)
    complete(space, "d")
    eventually(lambda: _sizes(space) == [0, 2], what="the old pods are scaled away")
