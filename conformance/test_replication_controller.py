"""ReplicationControllers: upstream's e2e tests of them."""

from conformance import pods
from conformance.rollouts import condition, limited, listed, owner_of, ready, replication_controller, until
from conformance.space import Space
from conformance.waiting import eventually


def _path(space: Space, name: str = "rc", sub: str = "") -> str:
    return space.path("replicationcontrollers", name) + sub


def _create(space: Space, replicas: int) -> dict[str, dict[str, object]]:
    made: dict[str, dict[str, object]] = space.create(
        replication_controller(space, "rc", replicas), "replicationcontrollers"
    )
    return made


def test_each_replica_serves(virtual_space: Space) -> None:
    _create(virtual_space, 2)
    ready(virtual_space, _path(virtual_space), 2)
    created = virtual_space.event("rc", "SuccessfulCreate")
    assert created["source"]["component"] == "replication-controller"


def test_a_refusal_is_a_condition_and_goes_when_no_more_is_asked_for(virtual_space: Space) -> None:
    space = virtual_space
    limited(space, pods=2)
    _create(space, 3)
    failed = until(space, _path(space), lambda rc: condition(rc, "ReplicaFailure"), what="says that it fails")
    failure = condition(failed, "ReplicaFailure")
    assert (failure["status"], failure["reason"]) == ("True", "FailedCreate")
    assert "is forbidden: exceeded quota: limited" in failure["message"]
    space.rest.patch(_path(space, sub="/scale"), {"spec": {"replicas": 2}})
    until(
        space,
        _path(space),
        lambda rc: not condition(rc, "ReplicaFailure") and rc["status"]["replicas"] == 2,
        what="fails no more",
    )


def test_matching_pods_are_adopted_on_creation(virtual_space: Space) -> None:
    space = virtual_space
    orphan = pods.pod("orphan", pods.container(space.image), restartPolicy="Always")
    orphan["metadata"]["labels"] = {"app": "rc"}
    space.create(orphan)
    uid = _create(space, 1)["metadata"]["uid"]
    eventually(lambda: owner_of(space.pod("orphan")) == uid, what="the orphan is adopted")


def test_pods_that_match_no_more_are_released(virtual_space: Space) -> None:
    space = virtual_space
    _create(space, 1)
    ready(space, _path(space), 1)
    name = listed(space, "pods", {"app": "rc"})[0]["metadata"]["name"]
    space.rest.patch(space.path("pods", name), {"metadata": {"labels": {"app": "other"}}})
    eventually(lambda: owner_of(space.pod(name)) == "", what="the pod is released")
    ready(space, _path(space), 1)


def test_the_lifecycle(virtual_space: Space) -> None:
    space = virtual_space
    _create(space, 1)
    ready(space, _path(space), 1)
    patched = space.rest.patch(_path(space), {"metadata": {"labels": {"test-rc": "patched"}}})
    assert patched["metadata"]["labels"]["test-rc"] == "patched"
    zero = {"status": {"readyReplicas": 0, "availableReplicas": 0}}
    assert space.rest.patch(_path(space, sub="/status"), zero)["status"].get("readyReplicas", 0) == 0
    ready(space, _path(space), 1)
    space.rest.patch(_path(space, sub="/scale"), {"spec": {"replicas": 2}})
    current = ready(space, _path(space), 2)
    current["metadata"]["annotations"] = {"updated": "true"}
    current["metadata"].pop("resourceVersion")
    assert space.rest.put(_path(space), current)["metadata"]["annotations"] == {"updated": "true"}
    selector = "test-rc=patched"
    everywhere = space.rest.get("/api/v1/replicationcontrollers", labelSelector=selector)["items"]
    assert [each["metadata"]["name"] for each in everywhere] == ["rc"]
    space.rest.delete(space.path("replicationcontrollers"), labelSelector=selector)
    space.rest.gone(_path(space))


def test_the_scale_is_read_and_written(virtual_space: Space) -> None:
    space = virtual_space
    _create(space, 1)
    scale = space.rest.get(_path(space, sub="/scale"))
    assert scale["spec"]["replicas"] == 1
    scale["spec"]["replicas"] = 2
    scale["metadata"].pop("resourceVersion")
    assert space.rest.put(_path(space, sub="/scale"), scale)["spec"]["replicas"] == 2
    ready(space, _path(space), 2)


def test_pods_are_real_containers(space: Space, containers: None) -> None:
    _create(space, 1)
    ready(space, _path(space), 1)
