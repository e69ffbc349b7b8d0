"""metrics.k8s.io with nothing to install: kubectl top, the API itself, and autoscaling by real load."""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from conformance import pods
from conformance import rest as rests
from conformance.cluster import Cluster
from conformance.kubectl import Kubectl
from conformance.other_server import JsonHandler, registered, serving
from conformance.rest import Object, Rest
from conformance.space import Space
from conformance.waiting import eventually

API = "/apis/metrics.k8s.io/v1beta1"
BUSY = "trap 'exit 0' TERM INT; while :; do :; done"


@pytest.fixture(scope="module")
def loaded(containers: None, shared_space: Space) -> Space:
    """A pod that is busy, within a limit, and one that is idle; both have metrics."""
    limits = {"requests": {"cpu": "50m"}, "limits": {"cpu": "200m", "memory": "32Mi"}}
    main = pods.container(shared_space.image, BUSY, resources=limits)
    side = pods.container(shared_space.image, name="side")
    made = pods.pod("busy", main, side)
    made["metadata"]["labels"] = {"load": "much"}
    shared_space.create(made)
    shared_space.run("idle")
    for name in ("busy", "idle"):
        shared_space.ready(name)
    names = lambda: {"busy", "idle"} == {each["metadata"]["name"] for each in listed(shared_space)}  # noqa: E731
    eventually(names, what="both pods have metrics", timeout=60, every=1)
    return shared_space


def listed(space: Space, **query: str) -> list[Object]:
    found: list[Object] = space.rest.get(f"{API}/namespaces/{space.name}/pods", **query)["items"]
    return found


def cores(quantity: str) -> float:
    units = {"n": 1e-9, "u": 1e-6, "m": 1e-3}
    return float(quantity[:-1]) * units[quantity[-1]] if quantity[-1] in units else float(quantity)


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_top_nodes(each_kubectl: Kubectl, loaded: Space) -> None:
    node = loaded.pod("busy")["spec"]["nodeName"]
    head, *found = rows(each_kubectl("top", "nodes").text)
    assert head[:2] == ["NAME", "CPU(cores)"]
    (row,) = [each for each in found if each[0] == node]
    assert row[1].endswith("m")
    assert row[2].endswith("%")
    assert row[3].endswith("Mi")
    assert each_kubectl("top", "node", node, "--no-headers").text.startswith(node)


def test_top_pods(each_kubectl: Kubectl, loaded: Space) -> None:
    kubectl = each_kubectl.within(loaded.name)
    head, *found = rows(kubectl("top", "pods", "--sort-by=cpu").text)
    assert head == ["NAME", "CPU(cores)", "MEMORY(bytes)"]
    assert [each[0] for each in found] == ["busy", "idle"]
    assert int(found[0][1].removesuffix("m")) > 5
    containers = rows(kubectl("top", "pod", "busy", "--containers", "--no-headers").text)
    assert sorted(each[1] for each in containers) == ["main", "side"]
    assert "busy" in kubectl("top", "pods", "-A", "--sort-by=memory").text
    assert rows(kubectl("top", "pods", "-l", "load=much", "--no-headers").text)[0][0] == "busy"


def test_metrics_of_pods(rest: Rest, loaded: Space) -> None:
    document = rest.get(f"{API}/namespaces/{loaded.name}/pods")
    assert (document["kind"], document["apiVersion"]) == ("PodMetricsList", "metrics.k8s.io/v1beta1")
    busy = rest.get(f"{API}/namespaces/{loaded.name}/pods/busy")
    assert (busy["kind"], busy["metadata"]["labels"]) == ("PodMetrics", {"load": "much"})
    usage = {each["name"]: each["usage"] for each in busy["containers"]}
    assert 0.005 < cores(usage["main"]["cpu"]) < 0.5
    assert usage["main"]["memory"].endswith("Ki")
    assert busy["window"].endswith("s")
    assert datetime.fromisoformat(busy["timestamp"]).timestamp() > time.time() - 60


def test_metrics_are_selected_as_pods_are(rest: Rest, loaded: Space) -> None:
    for query in ({"labelSelector": "load=much"}, {"fieldSelector": "metadata.name=busy"}):
        assert [each["metadata"]["name"] for each in listed(loaded, **query)] == ["busy"]
    everywhere = rest.get(f"{API}/pods", labelSelector="load=much")["items"]
    assert loaded.name in [each["metadata"]["namespace"] for each in everywhere]
    rest.refusal(404, "GET", f"{API}/namespaces/{loaded.name}/pods/none")
    rest.refusal(404, "GET", f"{API}/nodes/none")
    rest.refusal(405, "POST", f"{API}/nodes", {})


def test_metrics_of_nodes(rest: Rest, loaded: Space) -> None:
    name = loaded.pod("busy")["spec"]["nodeName"]
    found = rest.get(f"{API}/nodes/{name}")
    assert (found["kind"], found["metadata"]["name"]) == ("NodeMetrics", name)
    assert cores(found["usage"]["cpu"]) > 0
    assert found["usage"]["memory"].endswith("Ki")
    assert found["metadata"]["labels"]["kubernetes.io/hostname"] == name


def test_discovery_and_tables(admin: Kubectl, loaded: Space, rest: Rest) -> None:
    resources = {each["name"]: each for each in rest.get(API)["resources"]}
    assert {name: each["namespaced"] for name, each in resources.items()} == {"nodes": False, "pods": True}
    assert all(each["verbs"] == ["get", "list"] for each in resources.values())
    head, *_ = rows(admin.within(loaded.name)("get", "pods.metrics.k8s.io").text)
    assert head == ["NAME", "CPU", "MEMORY", "WINDOW"]


def test_who_may_view_pods_may_view_their_metrics(cluster: Cluster, loaded: Space, rest: Rest) -> None:
    path = f"{API}/namespaces/{loaded.name}/pods"
    asked: Object = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = rest.post(loaded.path("serviceaccounts", "default") + "/token", asked)["status"]["token"]
    viewer = rests.connect(cluster.kubeconfig, token=token)
    viewer.refusal(403, "GET", path)
    binding = {
        "metadata": {"name": "viewer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": loaded.name}],
    }
    rest.post(loaded.path("rolebindings", group="apis/rbac.authorization.k8s.io/v1"), binding)
    eventually(lambda: viewer.request("GET", path).code == 200, what="a viewer sees metrics")
    viewer.refusal(403, "GET", f"{API}/nodes")


class Other(JsonHandler):
    """A metrics server that somebody installed."""

    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(self.path)
        resource = {"name": "nodes", "singularName": "", "namespaced": False, "kind": "NodeMetrics"}
        if self.path.partition("?")[0].endswith("/nodes"):
            self.reply({"kind": "NodeMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "items": []})
        else:
            listing = {"kind": "APIResourceList", "groupVersion": "metrics.k8s.io/v1beta1"}
            self.reply({**listing, "resources": [{**resource, "verbs": ["get", "list"]}]})


def test_a_metrics_server_of_ones_own_takes_over(virtual_space: Space, tmp_path: Path) -> None:
    rest = virtual_space.rest

    def nodes() -> int:
        return len(rest.request("GET", f"{API}/nodes").object.get("items") or ())

    eventually(lambda: nodes() > 0, what="virtual nodes have metrics")
    with (
        serving(Other, tmp_path) as port,
        registered(
            virtual_space, port, group="metrics.k8s.io", version="v1beta1", priority=100, service="own"
        ),
    ):
        eventually(
            lambda: rest.request("GET", f"{API}/nodes").code == 200 and nodes() == 0,
            what="the other server answers",
        )
        assert any(path.startswith(f"{API}/nodes") for path in Other.seen)
    eventually(lambda: nodes() > 0, what="the cluster answers again")


@pytest.fixture
def deployment(containers: None, space: Space) -> Iterator[str]:
    """One replica that asks for little and uses more, for long enough to be measured."""
    limits = {"requests": {"cpu": "20m"}, "limits": {"cpu": "150m"}}
    template: Object = {
        "metadata": {"labels": {"app": "busy"}},
        "spec": {
            "containers": [pods.container(space.image, BUSY, resources=limits)],
            "terminationGracePeriodSeconds": 0,
        },
    }
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "busy"}}, "template": template}
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "busy"}, "spec": spec}
    space.create(obj, "deployments", group="apis/apps/v1")
    yield "busy"
    space.rest.request("DELETE", space.path("deployments", "busy", group="apis/apps/v1"))


def test_an_autoscaler_follows_real_load(space: Space, deployment: str) -> None:
    eventually(lambda: _measured_since_ready(space), what="the load is measured", timeout=60, every=1)
    target = {"type": "Utilization", "averageUtilization": 100}
    spec: dict[str, Any] = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
        "minReplicas": 1,
        "maxReplicas": 2,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    obj = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "busy"}}
    space.create({**obj, "spec": spec}, "horizontalpodautoscalers", group="apis/autoscaling/v2")

    def scaled() -> bool:
        found = space.rest.get(space.path("deployments", deployment, group="apis/apps/v1"))
        assert found["spec"]["replicas"] == 2, found["spec"]["replicas"]
        return True

    eventually(scaled, what="there are two replicas", timeout=40, every=0.5)
    status = space.rest.get(space.path("horizontalpodautoscalers", "busy", group="apis/autoscaling/v2"))
    (metric,) = status["status"]["currentMetrics"]
    assert metric["resource"]["current"]["averageUtilization"] > 100


def _measured_since_ready(space: Space) -> bool:
    """What a pod used before it was ready does not count."""
    for metrics in listed(space):
        ready = pods.condition(space.pod(metrics["metadata"]["name"]), "Ready")["lastTransitionTime"]
        return moment(metrics["timestamp"]) - seconds(metrics["window"]) >= moment(ready)
    return False


def seconds(window: str) -> float:
    """Of a window as `649ms`, `1.2s` or `10s`."""
    return float(window[:-2]) / 1000 if window.endswith("ms") else float(window[:-1])


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
