"""ResourceQuotas: upstream's e2e tests. What is used follows what there is; what exceeds is refused."""

from collections.abc import Iterator
from typing import Any

import pytest

from conformance import customs, pods
from conformance.customs import Customs
from conformance.rest import MERGE
from conformance.space import Space
from conformance.waiting import eventually

Object = dict[str, Any]
APPS, POLICY = "apis/apps/v1", "apis/policy/v1"
QUOTAS = "resourcequotas"


@pytest.fixture
def custom(virtual_space: Space) -> Iterator[Customs]:
    with customs.opened(virtual_space.rest, virtual_space.name) as found:
        yield found


def quota(space: Space, hard: dict[str, str], name: str = "q", **spec: Any) -> Object:
    """A new quota, counted."""
    body = {"metadata": {"name": name}, "spec": {"hard": hard, **spec}}
    space.create(body, QUOTAS)

    def counted() -> Object | None:
        found: Object = space.rest.get(space.path(QUOTAS, name))
        assert found["status"].get("hard") == hard, found["status"]
        return found

    return eventually(counted, what=f"{name} is counted")


def used(space: Space, wanted: dict[str, str], name: str = "q") -> None:
    """Wait until so much is used, of these resources."""

    def probe() -> bool:
        status = space.rest.get(space.path(QUOTAS, name))["status"]
        found = {key: status.get("used", {}).get(key) for key in wanted}
        assert found == wanted, status
        return True

    eventually(probe, what=f"{name} uses {wanted}")


def refused(space: Space, obj: Object, resource: str = "pods", *, group: str = "api/v1") -> str:
    status = space.rest.refusal(403, "POST", space.path(resource, group=group), obj)
    assert status["reason"] == "Forbidden"
    return str(status["message"])


def pod(name: str, *, cpu: str = "", memory: str = "", **spec: Any) -> Object:
    asked = {key: amount for key, amount in (("cpu", cpu), ("memory", memory)) if amount}
    resources = {"requests": asked, "limits": asked} if asked else {}
    return pods.pod(name, {"name": "c", "image": "registry.example/c", "resources": resources}, **spec)


def test_a_quota_is_counted_at_once(virtual_space: Space) -> None:
    hard = {"pods": "5", "services": "10", "configmaps": "10", QUOTAS: "1", "requests.cpu": "1"}
    found = quota(virtual_space, hard)
    assert found["status"]["used"] == {
        "pods": "0",
        "services": "0",
        "configmaps": "1",
        QUOTAS: "1",
        "requests.cpu": "0",
    }


def test_the_life_of_a_service(virtual_space: Space) -> None:
    quota(virtual_space, {"services": "10", "services.nodeports": "1", "services.loadbalancers": "1"})

    def service(name: str, kind: str) -> Object:
        spec = {"type": kind, "selector": {"a": "b"}, "ports": [{"port": 80}]}
        return {"metadata": {"name": name}, "spec": spec}

    virtual_space.create(service("plain", "ClusterIP"), "services")
    virtual_space.create(service("node", "NodePort"), "services")
    used(virtual_space, {"services": "2", "services.nodeports": "1", "services.loadbalancers": "0"})
    told = "exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=1"
    assert told in refused(virtual_space, service("balanced", "LoadBalancer"), "services")
    for name in ("plain", "node"):
        virtual_space.rest.delete(virtual_space.path("services", name))
    used(virtual_space, {"services": "0", "services.nodeports": "0"})


def test_the_life_of_a_secret_and_of_a_config_map(virtual_space: Space) -> None:
    quota(virtual_space, {"secrets": "1", "configmaps": "2"})
    virtual_space.secret("s", key="value")
    virtual_space.config_map("c", key="value")
    used(virtual_space, {"secrets": "1", "configmaps": "2"})
    told = "exceeded quota: q, requested: secrets=1, used: secrets=1, limited: secrets=1"
    assert told in refused(virtual_space, pods.secret("t", {}), "secrets")
    virtual_space.rest.delete(virtual_space.path("secrets", "s"))
    virtual_space.rest.delete(virtual_space.path("configmaps", "c"))
    used(virtual_space, {"secrets": "0", "configmaps": "1"})


def test_the_life_of_a_pod(virtual_space: Space) -> None:
    hard = {"pods": "2", "cpu": "1", "memory": "500Mi", "requests.example.com/dongle": "3"}
    quota(virtual_space, hard)
    first = pod("first", cpu="500m", memory="252Mi")
    asked = first["spec"]["containers"][0]["resources"]
    for which in ("requests", "limits"):
        asked[which] = {**asked[which], "example.com/dongle": "2"}
    virtual_space.create(first)
    taken = {"pods": "1", "cpu": "500m", "memory": "252Mi", "requests.example.com/dongle": "2"}
    used(virtual_space, taken)
    told = "exceeded quota: q, requested: cpu=600m, used: cpu=500m, limited: cpu=1"
    assert told in refused(virtual_space, pod("second", cpu="600m", memory="100Mi"))
    assert "must specify cpu for: c; memory for: c" in refused(virtual_space, pod("third"))
    patch = {"metadata": {"labels": {"a": "b"}}}
    virtual_space.rest.patch(virtual_space.path("pods", "first"), patch, content_type=MERGE)
    used(virtual_space, taken)
    virtual_space.remove_pod("first")
    used(virtual_space, {"pods": "0", "cpu": "0", "memory": "0", "requests.example.com/dongle": "0"})


def test_the_life_of_a_replication_controller(virtual_space: Space) -> None:
    quota(virtual_space, {"replicationcontrollers": "1"})
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod("x", restartPolicy="Always")["spec"]}
    spec = {"replicas": 0, "selector": {"a": "b"}, "template": template}
    virtual_space.create({"metadata": {"name": "rc"}, "spec": spec}, "replicationcontrollers")
    used(virtual_space, {"replicationcontrollers": "1"})
    second = {"metadata": {"name": "second"}, "spec": spec}
    assert "exceeded quota" in refused(virtual_space, second, "replicationcontrollers")
    path = virtual_space.path("replicationcontrollers", "rc")
    virtual_space.rest.delete(path, propagationPolicy="Background")
    used(virtual_space, {"replicationcontrollers": "0"})


def test_the_life_of_a_replica_set(virtual_space: Space) -> None:
    quota(virtual_space, {"count/replicasets.apps": "5", "pods": "2"})
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod("x", restartPolicy="Always")["spec"]}
    spec = {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    path = virtual_space.path("replicasets", group=APPS)
    virtual_space.rest.post(path, {"metadata": {"name": "rs"}, "spec": spec})
    used(virtual_space, {"count/replicasets.apps": "1", "pods": "2"})
    told = virtual_space.event("rs", "FailedCreate")["message"]
    assert "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2" in told
    virtual_space.rest.delete(f"{path}/rs")
    used(virtual_space, {"count/replicasets.apps": "0", "pods": "0"})


def test_the_life_of_a_claim(virtual_space: Space) -> None:
    gold = "gold.storageclass.storage.k8s.io"
    totals = {"persistentvolumeclaims": "5", "requests.storage": "10Gi"}
    quota(virtual_space, {**totals, f"{gold}/persistentvolumeclaims": "1", f"{gold}/requests.storage": "1Gi"})

    def claim(name: str, size: str) -> Object:
        resources = {"requests": {"storage": size}}
        spec = {"accessModes": ["ReadWriteOnce"], "resources": resources, "storageClassName": "gold"}
        return {"metadata": {"name": name}, "spec": spec}

    virtual_space.create(claim("c", "1Gi"), "persistentvolumeclaims")
    taken = {"persistentvolumeclaims": "1", "requests.storage": "1Gi"}
    used(virtual_space, taken | {f"{gold}/{key}": amount for key, amount in taken.items()})
    assert f"requested: {gold}" in refused(virtual_space, claim("d", "1Gi"), "persistentvolumeclaims")
    virtual_space.rest.delete(virtual_space.path("persistentvolumeclaims", "c"))
    used(virtual_space, {"persistentvolumeclaims": "0", f"{gold}/requests.storage": "0"})


def test_the_life_of_a_custom_resource(virtual_space: Space, custom: Customs) -> None:
    counted = f"count/{custom.name}"
    custom.establish()
    quota(virtual_space, {counted: "1"})
    used(virtual_space, {counted: "0"})
    custom.rest.post(custom.collection, custom.tab("first"))
    used(virtual_space, {counted: "1"})
    status = custom.rest.refusal(403, "POST", custom.collection, custom.tab("second"))
    assert f"exceeded quota: q, requested: {counted}=1, used: {counted}=1" in status["message"]
    custom.rest.delete(f"{custom.collection}/first")
    used(virtual_space, {counted: "0"})


def test_a_quota_may_come_before_the_kind_that_it_counts(virtual_space: Space, custom: Customs) -> None:
    counted = f"count/{custom.name}"
    quota(virtual_space, {counted: "1"})
    custom.establish()
    used(virtual_space, {counted: "0"})


def test_scopes_of_pods_that_end_and_of_those_that_do_not(virtual_space: Space) -> None:
    hard = {"pods": "5", "requests.cpu": "1", "limits.memory": "1Gi"}
    quota(virtual_space, hard, "ending", scopes=["Terminating"])
    quota(virtual_space, hard, "lasting", scopes=["NotTerminating"])
    virtual_space.create(pod("lasts", cpu="500m", memory="200Mi"))
    used(virtual_space, {"pods": "1", "requests.cpu": "500m", "limits.memory": "200Mi"}, "lasting")
    used(virtual_space, {"pods": "0", "requests.cpu": "0"}, "ending")
    virtual_space.remove_pod("lasts")
    used(virtual_space, {"pods": "0", "requests.cpu": "0", "limits.memory": "0"}, "lasting")
    virtual_space.create(pod("ends", cpu="500m", memory="200Mi", activeDeadlineSeconds=3600))
    used(virtual_space, {"pods": "1", "requests.cpu": "500m", "limits.memory": "200Mi"}, "ending")
    used(virtual_space, {"pods": "0"}, "lasting")


def test_scopes_of_pods_without_and_with_requests(virtual_space: Space) -> None:
    quota(virtual_space, {"pods": "5"}, "careless", scopes=["BestEffort"])
    quota(virtual_space, {"pods": "5"}, "careful", scopes=["NotBestEffort"])
    virtual_space.create(pod("careless"))
    used(virtual_space, {"pods": "1"}, "careless")
    used(virtual_space, {"pods": "0"}, "careful")
    virtual_space.remove_pod("careless")
    used(virtual_space, {"pods": "0"}, "careless")
    virtual_space.create(pod("careful", cpu="100m"))
    used(virtual_space, {"pods": "1"}, "careful")
    used(virtual_space, {"pods": "0"}, "careless")


def test_a_scope_selects_priority_classes(virtual_space: Space) -> None:
    name = f"{virtual_space.name}-high"
    classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
    virtual_space.rest.post(classes, {"metadata": {"name": name}, "value": 1000})
    try:
        scope = {"scopeName": "PriorityClass", "operator": "In", "values": [name]}
        quota(virtual_space, {"pods": "1"}, scopeSelector={"matchExpressions": [scope]})
        virtual_space.create(pod("low"))
        used(virtual_space, {"pods": "0"})
        virtual_space.create(pod("high", priorityClassName=name))
        used(virtual_space, {"pods": "1"})
        assert "exceeded quota: q" in refused(virtual_space, pod("second", priorityClassName=name))
    finally:
        virtual_space.rest.delete(f"{classes}/{name}")


def test_a_quota_is_updated_and_deleted(virtual_space: Space) -> None:
    found = quota(virtual_space, {"cpu": "1", "memory": "500Mi"})
    path = virtual_space.path(QUOTAS, "q")
    found["spec"]["hard"] = {"cpu": "2", "memory": "1Gi"}
    changed = virtual_space.rest.put(path, found)
    assert changed["spec"]["hard"] == {"cpu": "2", "memory": "1Gi"}

    def follows() -> bool:
        return bool(virtual_space.rest.get(path)["status"]["hard"] == {"cpu": "2", "memory": "1Gi"})

    eventually(follows, what="the status follows the spec")
    virtual_space.rest.delete(path)
    virtual_space.rest.gone(path)


def test_quotas_are_listed_patched_and_deleted_by_their_labels(virtual_space: Space) -> None:
    label = {"e2e": virtual_space.name}
    body = {"metadata": {"name": "q", "labels": label}, "spec": {"hard": {"cpu": "1", "memory": "500Mi"}}}
    virtual_space.create(body, QUOTAS)
    selector = f"e2e={virtual_space.name}"
    listed = virtual_space.rest.get("/api/v1/resourcequotas", labelSelector=selector)["items"]
    assert [each["metadata"]["name"] for each in listed] == ["q"]
    patch = {"metadata": {"labels": {"q": "patched"}}, "spec": {"hard": {"memory": "750Mi"}}}
    patched = virtual_space.rest.patch(virtual_space.path(QUOTAS, "q"), patch, content_type=MERGE)
    assert patched["spec"]["hard"] == {"cpu": "1", "memory": "750Mi"}
    virtual_space.rest.delete(virtual_space.path(QUOTAS), labelSelector=selector)
    virtual_space.rest.gone(virtual_space.path(QUOTAS, "q"))


def test_the_status_is_written_by_itself_and_counted_again(virtual_space: Space) -> None:
    quota(virtual_space, {"cpu": "1", "memory": "500Mi"})
    path = virtual_space.path(QUOTAS, "q")
    status = {"hard": {"cpu": "1", "memory": "1Gi"}}
    patched = virtual_space.rest.patch(f"{path}/status", {"status": status}, content_type=MERGE)
    assert patched["status"]["hard"]["memory"] == "1Gi"
    assert patched["spec"]["hard"]["memory"] == "500Mi"

    def restored() -> bool:
        found = virtual_space.rest.get(f"{path}/status")
        return bool(found["status"]["hard"] == {"cpu": "1", "memory": "500Mi"})

    eventually(restored, what="the controller says again what the spec says")
