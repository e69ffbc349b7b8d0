"""ReplicaSets: upstream's e2e tests of them, and their events."""

from conformance import pods
from conformance.rest import STRATEGIC
from conformance.rollouts import (
    APPS,
    condition,
    limited,
    listed,
    owner_of,
    ready,
    replica_set,
    replica_sets,
    until,
)
from conformance.space import Space
from conformance.waiting import eventually


def _path(space: Space, name: str = "rs", sub: str = "") -> str:
    return space.path("replicasets", name, group=APPS) + sub


def _create(space: Space, replicas: int, name: str = "rs") -> dict[str, object]:
    return space.rest.post(_path(space, ""), replica_set(space, name, replicas))  # type: ignore[no-any-return]


def test_each_replica_serves(virtual_space: Space) -> None:
    _create(virtual_space, 2)
    found = ready(virtual_space, _path(virtual_space), 2)
    status = found["status"]
    assert (status["replicas"], status["fullyLabeledReplicas"], status["observedGeneration"]) == (2, 2, 1)
    assert len(listed(virtual_space, "pods", {"app": "rs"})) == 2
    assert virtual_space.event("rs", "SuccessfulCreate")["source"]["component"] == "replicaset-controller"


def test_matching_pods_are_adopted_on_creation_and_released_when_they_match_no_more(
    virtual_space: Space,
) -> None:
    space = virtual_space
    orphan = pods.pod("orphan", pods.container(space.image), restartPolicy="Always")
    orphan["metadata"]["labels"] = {"app": "rs"}
    space.create(orphan)
    made = space.rest.post(_path(space, ""), replica_set(space, "rs", 1))
    uid = made["metadata"]["uid"]
    eventually(lambda: owner_of(space.pod("orphan")) == uid, what="the orphan is adopted")
    assert len(listed(space, "pods", {"app": "rs"})) == 1
    space.rest.patch(space.path("pods", "orphan"), {"metadata": {"labels": {"app": "released"}}})
    eventually(lambda: owner_of(space.pod("orphan")) == "", what="the pod is released")
    eventually(lambda: len(listed(space, "pods", {"app": "rs"})) == 1, what="it is replaced")


def test_the_scale_subresource_works(virtual_space: Space) -> None:
    space = virtual_space
    _create(space, 1)
    scale = space.rest.get(_path(space, sub="/scale"))
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 1)
    scale["spec"]["replicas"] = 2
    scale["metadata"].pop("resourceVersion")
    assert space.rest.put(_path(space, sub="/scale"), scale)["spec"]["replicas"] == 2
    assert space.rest.get(_path(space))["spec"]["replicas"] == 2
    space.rest.patch(_path(space, sub="/scale"), {"spec": {"replicas": 4}})
    ready(space, _path(space), 4)
    assert space.rest.get(_path(space, sub="/scale"))["status"]["replicas"] == 4


def test_a_replica_set_is_replaced_and_patched(virtual_space: Space) -> None:
    space = virtual_space
    _create(space, 1)
    current = ready(space, _path(space), 1)
    current["spec"]["replicas"] = 2
    current["metadata"].pop("resourceVersion")
    space.rest.put(_path(space), current)
    ready(space, _path(space), 2)
    container = {"name": "main", "image": "example.com/patched:1"}
    patch = {
        "metadata": {"labels": {"test-rs": "patched"}},
        "spec": {"replicas": 3, "template": {"spec": {"containers": [container]}}},
    }
    patched = space.rest.patch(_path(space), patch, content_type=STRATEGIC)
    assert patched["metadata"]["labels"]["test-rs"] == "patched"
    three = until(space, _path(space), lambda rs: rs["status"].get("replicas") == 3, what="has 3 pods")
    assert three["spec"]["template"]["spec"]["containers"][0]["image"] == "example.com/patched:1"


def test_a_collection_is_listed_and_deleted(virtual_space: Space) -> None:
    space = virtual_space
    _create(space, 3)
    ready(space, _path(space), 3)
    assert [each["metadata"]["name"] for each in replica_sets(space, "rs")] == ["rs"]
    everywhere = space.rest.get("/apis/apps/v1/replicasets", labelSelector="app=rs")["items"]
    assert any(each["metadata"]["namespace"] == space.name for each in everywhere)
    space.rest.delete(space.path("replicasets", group=APPS), labelSelector="app=rs")
    space.rest.gone(_path(space))
    eventually(lambda: not listed(space, "pods", {"app": "rs"}), what="its pods are gone")


def test_conditions_of_the_status_are_updated_and_patched(virtual_space: Space) -> None:
    space = virtual_space
    _create(space, 1)
    ready(space, _path(space), 1)

    def update() -> object:
        current = space.rest.get(_path(space, sub="/status"))
        said = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
        current["status"].setdefault("conditions", []).append(said)
        return space.rest.request("PUT", _path(space, sub="/status"), current).code == 200

    eventually(update, what="the status is updated")
    assert condition(space.rest.get(_path(space)), "StatusUpdate")["reason"] == "E2E"
    patch = {"status": {"conditions": [{"type": "StatusPatched", "status": "True"}]}}
    space.rest.patch(_path(space, sub="/status"), patch)
    assert condition(space.rest.get(_path(space)), "StatusPatched")["status"] == "True"


def test_a_refusal_is_a_condition_and_goes_when_no_more_is_asked_for(virtual_space: Space) -> None:
    space = virtual_space
    limited(space, pods=2)
    _create(space, 3)
    failed = until(space, _path(space), lambda rs: condition(rs, "ReplicaFailure"), what="says that it fails")
    assert condition(failed, "ReplicaFailure")["reason"] == "FailedCreate"
    refused = space.event("rs", "FailedCreate")["message"]
    assert refused.startswith('Error creating: pods "rs-')
    assert "is forbidden: exceeded quota: limited" in refused
    space.rest.patch(_path(space, sub="/scale"), {"spec": {"replicas": 2}})
    until(space, _path(space), lambda rs: not condition(rs, "ReplicaFailure"), what="fails no more")


def test_a_pod_that_is_deleted_is_replaced(virtual_space: Space) -> None:
    space = virtual_space
    _create(space, 2)
    ready(space, _path(space), 2)
    victim = listed(space, "pods", {"app": "rs"})[0]["metadata"]["name"]
    space.rest.delete(space.path("pods", victim))
    space.rest.gone(space.path("pods", victim))
    ready(space, _path(space), 2)


def test_pods_of_lower_deletion_cost_go_first(virtual_space: Space) -> None:
    space = virtual_space
    _create(space, 3)
    ready(space, _path(space), 3)
    cheap, *_ = (each["metadata"]["name"] for each in listed(space, "pods", {"app": "rs"}))
    cost = {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-10"}}}
    space.rest.patch(space.path("pods", cheap), cost)
    space.rest.patch(_path(space, sub="/scale"), {"spec": {"replicas": 2}})
    space.rest.gone(space.path("pods", cheap))


def test_pods_are_real_containers(space: Space, containers: None) -> None:
    space.rest.post(_path(space, ""), replica_set(space, "rs", 2))
    ready(space, _path(space), 2)
    space.rest.patch(_path(space, sub="/scale"), {"spec": {"replicas": 1}})
    eventually(lambda: len(listed(space, "pods", {"app": "rs"})) == 1, what="one pod is left")
