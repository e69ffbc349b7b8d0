"""HorizontalPodAutoscalers: their life, what they say without metrics, and what they do with a metrics API.

The metrics come from a server that the test starts and registers by an APIService.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from conformance import pods
from conformance.kubectl import Kubectl
from conformance.other_server import JsonHandler, registered, serving
from conformance.space import Space
from conformance.waiting import eventually

Object = dict[str, Any]
GROUP = "apis/autoscaling/v2"
METRICS = "metrics.k8s.io"
ASKED_EVERY = 15


class Metrics(JsonHandler):
    """Says of each pod that it uses so much cpu; it learns which there are from the test."""

    millicores: ClassVar[int] = 50
    names: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("/pods"):
            self.reply({"kind": "PodMetricsList", "apiVersion": f"{METRICS}/v1beta1", "items": self.items()})
        else:
            resource = {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics"}
            resource["verbs"] = ["get", "list"]
            listed = {
                "kind": "APIResourceList",
                "groupVersion": f"{METRICS}/v1beta1",
                "resources": [resource],
            }
            self.reply(listed)

    def items(self) -> list[Object]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        containers = [{"name": "c", "usage": {"cpu": f"{self.millicores}m", "memory": "1Mi"}}]
        return [
            {"metadata": {"name": name}, "timestamp": now, "window": "0s", "containers": containers}
            for name in self.names
        ]


@pytest.fixture
def metrics(virtual_space: Space, tmp_path: Path) -> Iterator[None]:
    """The API metrics.k8s.io, answered by the test."""
    rest = virtual_space.rest
    with (
        serving(Metrics, tmp_path) as port,
        registered(
            virtual_space, port, group=METRICS, version="v1beta1", priority=100, service="metrics"
        ) as path,
    ):

        def available() -> bool:
            found = rest.get(path).get("status", {}).get("conditions") or []
            return [each["status"] for each in found if each["type"] == "Available"] == ["True"]

        eventually(available, what="the metrics API is available", timeout=60)
        yield


def deploy(where: Space, replicas: int, **annotations: str) -> None:
    container = pods.container(where.image, name="c", resources={"requests": {"cpu": "100m"}})
    said = {f"virtual.kubeling.dev/{key}": value for key, value in annotations.items()}
    metadata = {"labels": {"app": "web"}, "annotations": said}
    template = {"metadata": metadata, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    where.rest.post(where.path("deployments", group="apis/apps/v1"), obj)
    eventually(lambda: len(_ready(where)) == replicas, what="its pods are ready")


def autoscale(where: Space, **more: Any) -> Object:
    target = {"type": "Utilization", "averageUtilization": 50}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1,
        "maxReplicas": 5,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        **more,
    }
    obj = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "labels": {"test": "hpa"}},
        "spec": spec,
    }
    made: Object = where.rest.post(where.path("horizontalpodautoscalers", group=GROUP), obj)
    return made


def path(where: Space) -> str:
    return where.path("horizontalpodautoscalers", "web", group=GROUP)


def replicas(where: Space) -> int:
    found = where.rest.get(where.path("deployments", "web", group="apis/apps/v1"))
    count: int = found["spec"]["replicas"]
    return count


def condition(where: Space, kind: str) -> Object:
    found = where.rest.get(path(where)).get("status", {}).get("conditions") or []
    return next((each for each in found if each["type"] == kind), {})


def _ready(where: Space) -> list[str]:
    found = where.rest.get(where.path("pods"), labelSelector="app=web")["items"]
    return [pod["metadata"]["name"] for pod in found if pods.ready(pod)]


def test_an_autoscaler_follows_its_metrics(virtual_space: Space, metrics: None) -> None:
    deploy(virtual_space, 2)
    Metrics.names, Metrics.millicores = _ready(virtual_space), 100
    autoscale(virtual_space, behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})
    eventually(lambda: replicas(virtual_space) == 4, what="there are twice as many", timeout=2 * ASKED_EVERY)
    text = "New size: 4; reason: cpu resource utilization (percentage of request) above target"
    assert virtual_space.event("web", "SuccessfulRescale")["message"] == text
    eventually(lambda: len(_ready(virtual_space)) == 4, what="the new pods are ready")
    Metrics.names, Metrics.millicores = _ready(virtual_space), 10
    eventually(lambda: replicas(virtual_space) == 1, what="there is one", timeout=2 * ASKED_EVERY)
    assert condition(virtual_space, "ScalingActive")["reason"] == "ValidMetricFound"


def test_an_autoscaler_without_metrics_says_so(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    deploy(virtual_space, 2, metrics="false")
    virtual_kubectl("autoscale", "deployment", "web", "--min=1", "--max=3", "--cpu-percent=50")
    virtual_space.event("web", "FailedGetResourceMetric")
    eventually(
        lambda: condition(virtual_space, "ScalingActive").get("reason") == "FailedGetResourceMetric",
        what="the condition says so",
    )
    assert condition(virtual_space, "AbleToScale")["reason"] == "SucceededGetScale"
    line = virtual_kubectl("get", "hpa", "web", "--no-headers").text
    assert "cpu: <unknown>/50%" in line
    assert "unable to get metrics for resource cpu" in virtual_kubectl("describe", "hpa", "web").text
    assert replicas(virtual_space) == 2


def test_an_autoscaler_keeps_its_target_within_limits(virtual_space: Space) -> None:
    deploy(virtual_space, 1)
    autoscale(virtual_space, minReplicas=3)
    eventually(lambda: replicas(virtual_space) == 3, what="there are as many as there must be")
    text = "New size: 3; reason: Current number of replicas below Spec.MinReplicas"
    assert virtual_space.event("web", "SuccessfulRescale")["message"] == text


def test_an_autoscaler_without_a_target_says_so(virtual_space: Space) -> None:
    autoscale(virtual_space)
    assert 'deployments.apps "web" not found' in virtual_space.event("web", "FailedGetScale")["message"]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_life_of_an_autoscaler(virtual_space: Space, version: str) -> None:
    rest, group = virtual_space.rest, f"apis/autoscaling/{version}"
    collection = virtual_space.path("horizontalpodautoscalers", group=group)
    autoscale(virtual_space)
    one = f"{collection}/web"
    assert rest.get(one)["apiVersion"] == f"autoscaling/{version}"
    rest.patch(one, {"metadata": {"annotations": {"patched": "true"}}, "spec": {"maxReplicas": 7}})

    def replaced() -> bool:
        found = rest.get(one)
        found["spec"]["maxReplicas"] = 8
        return rest.request("PUT", one, found).code == 200

    eventually(replaced, what="it is replaced")
    everywhere = rest.get(f"/{group}/horizontalpodautoscalers", labelSelector="test=hpa")["items"]
    mine = [each for each in everywhere if each["metadata"]["namespace"] == virtual_space.name]
    assert [each["spec"]["maxReplicas"] for each in mine] == [8]
    status = {"status": {"currentReplicas": 1, "desiredReplicas": 2}}
    assert rest.patch(f"{one}/status", status)["status"]["desiredReplicas"] == 2
    assert rest.get(f"{one}/status")["metadata"]["annotations"]["patched"] == "true"
    rest.delete(collection, labelSelector="test=hpa")
    rest.gone(one)
