"""kubectl with ReplicationControllers and ReplicaSets: upstream's Update Demo, describe, expose."""

from conformance.kubectl import Kubectl
from conformance.rollouts import replica_set, replication_controller
from conformance.space import Space
from conformance.waiting import eventually


def _names(kubectl: Kubectl, selector: str) -> set[str]:
    found = kubectl.json("get", "pods", "--selector", selector)["items"]
    return {each["metadata"]["name"] for each in found if not each["metadata"].get("deletionTimestamp")}


def test_a_replication_controller_is_scaled_up_and_down(
    virtual_kubectl: Kubectl, virtual_space: Space
) -> None:
    kubectl = virtual_kubectl
    kubectl.apply(replication_controller(virtual_space, "rc", 2))
    eventually(lambda: len(_names(kubectl, "app=rc")) == 2, what="two pods are there")
    kubectl("scale", "rc", "rc", "--replicas=1", "--timeout=1m")
    eventually(lambda: len(_names(kubectl, "app=rc")) == 1, what="one pod is left")
    kubectl("scale", "rc", "rc", "--replicas=2", "--timeout=1m")
    kubectl("wait", "--for=condition=Ready", "pod", "--selector=app=rc", "--timeout=30s")
    assert len(_names(kubectl, "app=rc")) == 2
    kubectl("delete", "rc", "rc", "--grace-period=0", "--force")
    eventually(lambda: not _names(kubectl, "app=rc"), what="the pods are gone")


def test_describe_tells_of_a_replication_controller(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    kubectl = virtual_kubectl
    kubectl.apply(replication_controller(virtual_space, "rc", 1))
    kubectl("wait", "--for=jsonpath={.status.readyReplicas}=1", "rc/rc", "--timeout=30s")
    (name,) = _names(kubectl, "app=rc")
    virtual_space.event("rc", "SuccessfulCreate")
    said = " ".join(kubectl("describe", "rc", "rc").text.split())
    assert "Selector: app=rc" in said
    assert "Replicas: 1 current / 1 desired" in said
    assert "Pods Status: 1 Running / 0 Waiting / 0 Succeeded / 0 Failed" in said
    assert f"replication-controller Created pod: {name}" in said
    assert "Controlled By: ReplicationController/rc" in " ".join(
        kubectl("describe", "pod", name).text.split()
    )


def test_what_a_replication_controller_exposes_has_endpoints(
    virtual_kubectl: Kubectl, virtual_space: Space
) -> None:
    kubectl = virtual_kubectl
    kubectl.apply(replication_controller(virtual_space, "rc", 1))
    kubectl("expose", "rc", "rc", "--name=first", "--port=1234", "--target-port=6379")
    kubectl("expose", "service", "first", "--name=second", "--port=2345", "--target-port=6379")
    for service, port in (("first", 1234), ("second", 2345)):
        ports = kubectl.json("get", "service", service)["spec"]["ports"]
        assert [(each["port"], each["targetPort"]) for each in ports] == [(port, 6379)]

        def has_endpoint(service: str = service) -> bool:
            subsets = kubectl.json("get", "endpoints", service).get("subsets") or []
            return any(each.get("addresses") for each in subsets)

        eventually(has_endpoint, what=f"{service} has an endpoint")


def test_columns_and_deletion_that_leaves_pods(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    kubectl = virtual_kubectl
    kubectl.apply(replica_set(virtual_space, "rs", 2))
    kubectl("wait", "--for=jsonpath={.status.readyReplicas}=2", "rs/rs", "--timeout=30s")
    assert kubectl("get", "rs", "rs", "--no-headers").text.split()[:4] == ["rs", "2", "2", "2"]
    before = _names(kubectl, "app=rs")
    kubectl("delete", "rs", "rs", "--cascade=orphan")
    assert _names(kubectl, "app=rs") == before
    kubectl.apply(replica_set(virtual_space, "rs", 2))
    kubectl("wait", "--for=jsonpath={.status.readyReplicas}=2", "rs/rs", "--timeout=30s")
    assert _names(kubectl, "app=rs") == before
