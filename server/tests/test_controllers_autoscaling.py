"""HorizontalPodAutoscalers over a control plane, with metrics that the test gives."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.resources import DEPLOYMENTS, EVENTS, HORIZONTAL_POD_AUTOSCALERS, PODS, Resource
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.tests.plane import Plane, started_plane

PODS_PATH = "/apis/metrics.k8s.io/v1beta1/namespaces/ns/pods"
CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/ns"
EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1/namespaces/ns"
DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        for resource in (PODS, DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, EVENTS):
            plane.client.informer(resource)
        yield plane


async def deploy(plane: Plane, replicas: int, name: str = "web") -> None:
    """A deployment whose pods have been ready for long, each with a request of 100m and 100Mi."""
    requests = {"cpu": "100m", "memory": "100Mi"}
    pod = {"containers": [{"name": "c", "image": "i", "resources": {"requests": requests}}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    await plane.create(DEPLOYMENTS, {"metadata": {"name": name}, "spec": spec})
    await run_pods(plane)
    await plane.advance(301)


async def run_pods(plane: Plane) -> None:
    for pod in plane.list(PODS):
        if pod["status"].get("phase") != "Running":
            await plane.set_pod(meta.name(pod))


def use(plane: Plane, *millicores: int, memory: str = "50Mi") -> None:
    """So much cpu is used by the pods, in order of their names; no more pods have metrics."""
    now = meta.timestamp(plane.clock.now())
    names = sorted(meta.name(pod) for pod in plane.list(PODS))
    plane.others.by_path[PODS_PATH] = {
        "items": [
            {
                "metadata": {"name": name, "namespace": "ns"},
                "timestamp": now,
                "window": "30s",
                "containers": [{"name": "c", "usage": {"cpu": f"{cpu}m", "memory": memory}}],
            }
            for name, cpu in zip(names, millicores, strict=False)
        ]
    }


CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
}


async def autoscale(plane: Plane, *metrics: Object, low: int = 1, high: int = 10, **spec: Any) -> None:
    reference = spec.pop("target", {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"})
    spec = {
        "scaleTargetRef": reference,
        "minReplicas": low,
        "maxReplicas": high,
        "metrics": list(metrics),
        **spec,
    }
    await plane.create(HORIZONTAL_POD_AUTOSCALERS, {"metadata": {"name": "web"}, "spec": spec})


def replicas(plane: Plane) -> int:
    deployment = plane.get(DEPLOYMENTS, "web")
    assert deployment is not None
    count: int = deployment["spec"]["replicas"]
    return count


def status(plane: Plane) -> Object:
    hpa = plane.get(HORIZONTAL_POD_AUTOSCALERS, "web")
    assert hpa is not None
    found: Object = hpa["status"]
    return found


def condition(plane: Plane, kind: str) -> tuple[str, str, str]:
    found = conditions.find({"status": status(plane)}, kind)
    assert found is not None, status(plane)
    return found["status"], found["reason"], found["message"]


def events(plane: Plane) -> list[tuple[str, str]]:
    kind = "HorizontalPodAutoscaler"
    found = [event for event in plane.list(EVENTS) if event["involvedObject"]["kind"] == kind]
    return [(event["reason"], event["message"]) for event in found]


async def test_more_use_than_wanted_asks_for_more_replicas(plane: Plane) -> None:
    await deploy(plane, 2)
    use(plane, 100, 60)
    await autoscale(plane, CPU)
    assert replicas(plane) == 4
    name = "cpu resource utilization (percentage of request)"
    assert events(plane) == [("SuccessfulRescale", f"New size: 4; reason: {name} above target")]
    assert condition(plane, "AbleToScale") == (
        "True",
        "SucceededRescale",
        "the HPA controller was able to update the target scale to 4",
    )
    text = f"the HPA was able to successfully calculate a replica count from {name}"
    assert condition(plane, "ScalingActive") == ("True", "ValidMetricFound", text)
    limit = ("False", "DesiredWithinRange", "the desired count is within the acceptable range")
    assert condition(plane, "ScalingLimited") == limit
    assert (status(plane)["currentReplicas"], status(plane)["desiredReplicas"]) == (2, 4)
    current = {"averageUtilization": 80, "averageValue": "80m"}
    assert status(plane)["currentMetrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "current": current}}
    ]
    assert status(plane)["lastScaleTime"] == "2026-01-01T00:05:01Z"
    assert (PODS_PATH, {"labelSelector": "app=web"}) in plane.others.asked


async def test_use_that_is_near_the_target_changes_nothing(plane: Plane) -> None:
    await deploy(plane, 2)
    use(plane, 54, 54)
    await autoscale(plane, CPU)
    assert replicas(plane) == 2
    assert condition(plane, "AbleToScale") == (
        "True",
        "ReadyForNewScale",
        "recommended size matches current size",
    )


async def test_a_tolerance_may_be_given(plane: Plane) -> None:
    await deploy(plane, 2)
    use(plane, 54, 54)
    await autoscale(plane, CPU, behavior={"scaleUp": {"tolerance": "0.05"}})
    assert replicas(plane) == 3


async def test_metrics_are_asked_every_fifteen_seconds(plane: Plane) -> None:
    await deploy(plane, 2)
    use(plane, 50, 50)
    await autoscale(plane, CPU)
    use(plane, 90, 90)
    await plane.advance(14)
    assert replicas(plane) == 2
    await plane.advance(1)
    assert replicas(plane) == 4


async def test_fewer_replicas_come_after_five_minutes(plane: Plane) -> None:
    await deploy(plane, 4)
    use(plane, 10, 10, 10, 10)
    await autoscale(plane, CPU)
    assert replicas(plane) == 4
    assert condition(plane, "AbleToScale") == (
        "True",
        "ScaleDownStabilized",
        "recent recommendations were higher than current one, applying the highest recent recommendation",
    )
    await plane.advance(301)
    assert replicas(plane) == 4
    await plane.advance(15)
    assert replicas(plane) == 1
    assert events(plane)[-1] == ("SuccessfulRescale", "New size: 1; reason: All metrics below target")


async def test_no_more_than_the_maximum_and_twice_as_many_at_once(plane: Plane) -> None:
    await deploy(plane, 3)
    use(plane, 500, 500, 500)
    await autoscale(plane, CPU, high=9)
    assert replicas(plane) == 6
    assert condition(plane, "ScalingLimited")[:2] == ("True", "ScaleUpLimit")
    await run_pods(plane)
    await plane.advance(400)
    assert replicas(plane) == 9
    assert condition(plane, "ScalingLimited") == (
        "True",
        "TooManyReplicas",
        "the desired replica count is more than the maximum replica count",
    )


async def test_no_fewer_than_the_minimum(plane: Plane) -> None:
    await deploy(plane, 4)
    use(plane, 1, 1, 1, 1)
    await autoscale(plane, CPU, low=3, behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})
    assert replicas(plane) == 3
    assert condition(plane, "ScalingLimited")[:2] == ("True", "TooFewReplicas")


async def test_a_size_outside_of_the_limits_is_corrected_without_metrics(plane: Plane) -> None:
    await deploy(plane, 1)
    await autoscale(plane, CPU, low=3)
    assert replicas(plane) == 3
    reason = "New size: 3; reason: Current number of replicas below Spec.MinReplicas"
    assert events(plane) == [("SuccessfulRescale", reason)]


async def test_a_target_of_no_replicas_is_left_alone(plane: Plane) -> None:
    await deploy(plane, 0)
    await autoscale(plane, CPU)
    assert replicas(plane) == 0
    assert condition(plane, "ScalingActive") == (
        "False",
        "ScalingDisabled",
        "scaling is disabled since the replica count of the target is zero",
    )


async def test_without_a_metrics_api_the_condition_says_so(plane: Plane) -> None:
    await deploy(plane, 2)
    await autoscale(plane, CPU)
    why = (
        "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from"
        " resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
    )
    assert condition(plane, "ScalingActive") == (
        "False",
        "FailedGetResourceMetric",
        f"the HPA was unable to compute the replica count: {why}",
    )
    first = f"failed to get cpu resource metric value: {why}"
    assert events(plane) == [
        ("FailedGetResourceMetric", why),
        ("FailedComputeMetricsReplicas", f"invalid metrics (1 invalid out of 1), first error is: {first}"),
    ]
    assert (status(plane)["currentReplicas"], status(plane)["desiredReplicas"]) == (2, 0)
    assert status(plane)["currentMetrics"] == [{"type": ""}]


async def test_a_target_that_is_not_there_cannot_be_scaled(plane: Plane) -> None:
    await autoscale(plane, CPU)
    why = 'deployments.apps "web" not found'
    assert condition(plane, "AbleToScale") == (
        "False",
        "FailedGetScale",
        f"the HPA controller was unable to get the target's current scale: {why}",
    )
    assert events(plane) == [("FailedGetScale", why)]


@pytest.mark.parametrize(
    ("api_version", "kind", "why"),
    [
        ("v1", "Moon", 'no matches for kind "Moon" in group ""'),
        ("v1", "ConfigMap", "the server could not find the requested resource"),
    ],
)
async def test_what_has_no_scale_cannot_be_scaled(
    plane: Plane, api_version: str, kind: str, why: str
) -> None:
    await autoscale(plane, CPU, target={"apiVersion": api_version, "kind": kind, "name": "web"})
    assert events(plane) == [("FailedGetScale", why)]


async def test_pods_without_metrics_do_not_make_the_change_larger(plane: Plane) -> None:
    await deploy(plane, 4)
    use(plane, 100, 100)
    await autoscale(plane, CPU)
    assert replicas(plane) == 4  # (100 + 100 + 0 + 0) / 4 is the target


async def test_pods_that_are_starting_do_not_count(plane: Plane) -> None:
    await deploy(plane, 2)
    await plane.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 3}})
    await run_pods(plane)
    use(plane, 90, 90, 90)
    await autoscale(plane, CPU)
    assert replicas(plane) == 4  # (90 + 90 + 0) / 3 is 60


async def test_two_autoscalers_of_the_same_pods_are_ambiguous(plane: Plane) -> None:
    await deploy(plane, 2)
    use(plane, 50, 50)
    await autoscale(plane, CPU)
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": reference, "maxReplicas": 5, "metrics": [CPU]}
    await plane.create(HORIZONTAL_POD_AUTOSCALERS, {"metadata": {"name": "rival"}, "spec": spec})
    await plane.advance(15)
    text = "pods by selector app=web are controlled by multiple HPAs: [{rival ns} {web ns}]"
    assert condition(plane, "ScalingActive") == ("False", "AmbiguousSelector", text)
    await plane.client.delete(HORIZONTAL_POD_AUTOSCALERS, "rival", namespace="ns")
    await plane.advance(15)
    assert condition(plane, "ScalingActive")[1] == "ValidMetricFound"


async def test_raw_values_of_a_resource(plane: Plane) -> None:
    await deploy(plane, 2)
    use(plane, 1, 1, memory="60Mi")
    target = {"type": "AverageValue", "averageValue": "40Mi"}
    await autoscale(plane, {"type": "Resource", "resource": {"name": "memory", "target": target}})
    assert replicas(plane) == 3
    (shown,) = status(plane)["currentMetrics"]
    assert shown["resource"]["current"] == {"averageValue": "62914560"}


async def test_one_container_of_each_pod(plane: Plane) -> None:
    await deploy(plane, 2)
    use(plane, 90, 90)
    target = {"type": "Utilization", "averageUtilization": 50}
    source = {"name": "cpu", "container": "c", "target": target}
    await autoscale(plane, {"type": "ContainerResource", "containerResource": source})
    assert replicas(plane) == 4
    current = {"averageUtilization": 90, "averageValue": "90m"}
    shown = {"name": "cpu", "container": "c", "current": current}
    assert status(plane)["currentMetrics"] == [{"type": "ContainerResource", "containerResource": shown}]


async def test_a_metric_of_pods(plane: Plane) -> None:
    await deploy(plane, 2)
    now = meta.timestamp(plane.clock.now())
    items = [
        {"describedObject": {"name": meta.name(pod)}, "timestamp": now, "value": "30"}
        for pod in plane.list(PODS)
    ]
    plane.others.by_path[f"{CUSTOM}/pods/*/queries"] = {"items": items}
    metric = {"name": "queries", "selector": {"matchLabels": {"verb": "GET"}}}
    target = {"type": "AverageValue", "averageValue": "20"}
    await autoscale(plane, {"type": "Pods", "pods": {"metric": metric, "target": target}})
    assert replicas(plane) == 3
    assert events(plane) == [("SuccessfulRescale", "New size: 3; reason: pods metric queries above target")]
    query = {"labelSelector": "app=web", "metricLabelSelector": "verb=GET"}
    assert (f"{CUSTOM}/pods/*/queries", query) in plane.others.asked


@pytest.mark.parametrize(
    ("target", "size"),
    [({"type": "Value", "value": "10k"}, 4), ({"type": "AverageValue", "averageValue": "4k"}, 5)],
)
async def test_a_metric_of_an_object(plane: Plane, target: Object, size: int) -> None:
    await deploy(plane, 2)
    path = f"{CUSTOM}/ingresses.networking.k8s.io/main/requests"
    plane.others.by_path[path] = {"items": [{"value": "20k"}]}
    about = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "main"}
    source = {"metric": {"name": "requests"}, "describedObject": about, "target": target}
    await autoscale(plane, {"type": "Object", "object": source}, behavior={"scaleUp": {}})
    assert replicas(plane) == size
    assert events(plane)[0][1] == f"New size: {size}; reason: Ingress metric requests above target"


@pytest.mark.parametrize(
    ("target", "size"),
    [({"type": "Value", "value": "30"}, 4), ({"type": "AverageValue", "averageValue": "20"}, 3)],
)
async def test_an_external_metric(plane: Plane, target: Object, size: int) -> None:
    await deploy(plane, 2)
    plane.others.by_path[f"{EXTERNAL}/queue"] = {"items": [{"value": "20"}, {"value": "40"}]}
    metric = {"name": "queue", "selector": {"matchLabels": {"a": "b"}}}
    await autoscale(plane, {"type": "External", "external": {"metric": metric, "target": target}})
    assert replicas(plane) == size
    printed = (
        "&LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{},}"
    )
    text = f"New size: {size}; reason: external metric queue({printed}) above target"
    assert events(plane) == [("SuccessfulRescale", text)]


async def test_of_several_metrics_the_highest_counts(plane: Plane) -> None:
    await deploy(plane, 2)
    use(plane, 60, 60)
    plane.others.by_path[f"{EXTERNAL}/queue"] = {"items": [{"value": "80"}]}
    target = {"type": "AverageValue", "averageValue": "20"}
    await autoscale(
        plane, CPU, {"type": "External", "external": {"metric": {"name": "queue"}, "target": target}}
    )
    assert replicas(plane) == 4
    assert events(plane)[0][1] == "New size: 4; reason: external metric queue(nil) above target"


async def test_with_a_metric_that_is_missing_it_goes_up_and_not_down(plane: Plane) -> None:
    await deploy(plane, 2)
    use(plane, 10, 10)
    target = {"type": "AverageValue", "averageValue": "20"}
    queue = {"type": "External", "external": {"metric": {"name": "queue"}, "target": target}}
    await autoscale(plane, CPU, queue, behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})
    assert replicas(plane) == 2
    assert condition(plane, "ScalingActive")[:2] == ("False", "FailedGetExternalMetric")
    use(plane, 90, 90)
    await plane.advance(15)
    assert replicas(plane) == 4


async def test_policies_limit_how_fast_it_goes(plane: Plane) -> None:
    await deploy(plane, 2)
    use(plane, 500, 500)
    policies = [{"type": "Pods", "value": 1, "periodSeconds": 60}]
    await autoscale(plane, CPU, behavior={"scaleUp": {"policies": policies}})
    assert replicas(plane) == 3
    assert condition(plane, "ScalingLimited")[:2] == ("True", "ScaleUpLimit")
    await plane.advance(45)
    assert replicas(plane) == 3
    await plane.advance(15)
    assert replicas(plane) == 4


async def test_a_custom_resource_with_a_scale_is_scaled(plane: Plane) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    paths = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": paths},
    }
    names = {"plural": "farms", "singular": "farm", "kind": "Farm", "listKind": "FarmList"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    await plane.create(DEFINITIONS, {"metadata": {"name": "farms.example.com"}, "spec": spec})
    farms = Resource("example.com", "v1", "farms", "Farm")
    await plane.create(farms, {"metadata": {"name": "web"}, "spec": {"replicas": 7}})
    await autoscale(
        plane, CPU, high=5, target={"apiVersion": "example.com/v1", "kind": "Farm", "name": "web"}
    )
    farm = await plane.client.get(farms, "web", namespace="ns")
    assert farm["spec"]["replicas"] == 5
