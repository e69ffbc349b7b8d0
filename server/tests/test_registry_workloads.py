"""The rules of the kinds that make pods, and of the versions of one kind over one stored form."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects import errors
from kubeling.objects.clock import FakeClock
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.kind import Kind
from server.registry.kinds import Kinds
from server.registry.options import JSON_PATCH, MERGE_PATCH, DeleteOptions, Patch
from server.registry.registry import Registry
from server.storage import Record, Store


def kind(plural: str, group: str = "", version: str = "v1") -> Kind:
    found = Kinds().lookup(group, version, plural)
    assert found is not None
    return found


DEPLOYMENTS = kind("deployments", "apps")
JOBS = kind("jobs", "batch")
NAMESPACES = kind("namespaces")
AUTOSCALERS = kind("horizontalpodautoscalers", "autoscaling", "v2")
EVENTS, NEW_EVENTS = kind("events"), kind("events", "events.k8s.io")


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    store = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    yield Registry(store, FakeClock(), AdmitAll())
    await store.close()


def context() -> RequestContext:
    return RequestContext(SYSTEM)


def template(restart: str = "Always", **labels: str) -> dict[str, Any]:
    containers = [{"name": "c", "image": "i"}]
    return {"metadata": {"labels": labels}, "spec": {"containers": containers, "restartPolicy": restart}}


async def deploy(registry: Registry, **spec: Any) -> Record:
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template(a="b"), **spec}
    return await registry.create(context(), DEPLOYMENTS, "default", {"metadata": {"name": "d"}, "spec": spec})


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"selector": None}, "spec.selector: Required value"),
        ({"selector": {}}, "spec.selector: Invalid value: {}: empty selector is invalid for deployment"),
        (
            {"template": template(a="c")},
            'spec.template.metadata.labels: Invalid value: {"a":"c"}: `selector` does not match template'
            " `labels`",
        ),
        (
            {"template": template("Never", a="b")},
            'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
        ),
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
            "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
        ),
    ],
)
async def test_mistakes_in_deployments(registry: Registry, spec: dict[str, Any], text: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        await deploy(registry, **spec)
    assert text in caught.value.message


async def test_a_selector_does_not_change(registry: Registry) -> None:
    await deploy(registry)
    labels = {"a": "c"}
    patch = Patch(
        MERGE_PATCH,
        {"spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}},
    )
    with pytest.raises(errors.Invalid) as caught:
        await registry.patch(context(), DEPLOYMENTS, "default", "d", patch)
    assert caught.value.message == (
        'Deployment.apps "d" is invalid: spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is'
        " immutable"
    )


async def test_generation_counts_intent_only(registry: Registry) -> None:
    await deploy(registry)
    for patch, generation in (
        ({"metadata": {"labels": {"x": "1"}}}, 1),
        ({"spec": {"replicas": 2}}, 2),
        ({"spec": {"replicas": 2}}, 2),
        ({"metadata": {"annotations": {"x": "1"}}}, 3),
    ):
        result = await registry.patch(context(), DEPLOYMENTS, "default", "d", Patch(MERGE_PATCH, patch))
        assert result.record.obj["metadata"]["generation"] == generation
    status = Patch(MERGE_PATCH, {"status": {"replicas": 1}, "spec": {"replicas": 9}})
    result = await registry.patch(context(), DEPLOYMENTS, "default", "d", status, subresource="status")
    assert (result.record.obj["metadata"]["generation"], result.record.obj["spec"]["replicas"]) == (3, 2)


async def test_scale_reads_and_writes_replicas(registry: Registry) -> None:
    await deploy(registry)
    scale = (await registry.get(DEPLOYMENTS, "default", "d", subresource="scale")).copy()
    assert (scale["spec"], scale["status"]["selector"]) == ({"replicas": 1}, "a=b")
    scale["spec"]["replicas"] = 4
    await registry.update(context(), DEPLOYMENTS, "default", "d", scale, subresource="scale")
    patch = Patch(JSON_PATCH, [{"op": "test", "path": "/spec/replicas", "value": 4}])
    result = await registry.patch(context(), DEPLOYMENTS, "default", "d", patch, subresource="scale")
    assert result.record.obj["spec"] == {"replicas": 4}
    with pytest.raises(errors.Conflict):
        await registry.update(context(), DEPLOYMENTS, "default", "d", scale, subresource="scale")


async def test_a_job_selects_its_pods_by_its_uid(registry: Registry) -> None:
    obj = {"metadata": {"name": "j"}, "spec": {"template": template("Never")}}
    job = (await registry.create(context(), JOBS, "default", obj)).obj
    uid = job["metadata"]["uid"]
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert job["spec"]["template"]["metadata"]["labels"]["job-name"] == "j"
    replaced = {"metadata": {"name": "j"}, "spec": {**job["spec"], "completions": 5}}
    with pytest.raises(errors.Invalid, match=r"spec.completions: Invalid value: 5: field is immutable"):
        await registry.update(context(), JOBS, "default", "j", replaced)


async def test_jobs_orphan_their_pods_unless_told_otherwise(registry: Registry) -> None:
    obj = {"metadata": {"name": "j"}, "spec": {"template": template("Never")}}
    await registry.create(context(), JOBS, "default", obj)
    kept = await registry.delete(context(), JOBS, "default", "j")
    assert kept.record.obj["metadata"]["finalizers"] == ["orphan"]
    background = DeleteOptions(propagation_policy="Background")
    assert (await registry.delete(context(), JOBS, "default", "j", background)).removed


async def test_a_namespace_waits_for_its_finalizer(registry: Registry) -> None:
    made = await registry.create(context(), NAMESPACES, "", {"metadata": {"generateName": "n-"}})
    name = made.name
    assert made.labels == {"kubernetes.io/metadata.name": name}
    asked = await registry.delete(context(), NAMESPACES, "", name)
    assert not asked.removed
    assert asked.record.obj["status"]["phase"] == "Terminating"
    done = asked.record.copy() | {"spec": {"finalizers": []}}
    await registry.update(context(), NAMESPACES, "", name, done, subresource="finalize")
    with pytest.raises(errors.NotFound):
        await registry.get(NAMESPACES, "", name)


async def test_autoscalers_convert_between_their_versions(registry: Registry) -> None:
    reference = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
    spec = {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50, "scaleTargetRef": reference}
    obj = {"apiVersion": "autoscaling/v1", "metadata": {"name": "h"}, "spec": spec}
    record = await registry.create(context(), AUTOSCALERS, "default", obj, version="v1")
    assert record.obj["apiVersion"] == "autoscaling/v2"
    target = record.obj["spec"]["metrics"][0]["resource"]["target"]
    assert target == {"type": "Utilization", "averageUtilization": 50}
    old = registry.decoded(record, AUTOSCALERS, "v1")
    assert (old["apiVersion"], old["spec"]["targetCPUUtilizationPercentage"]) == ("autoscaling/v1", 50)
    patch = Patch(MERGE_PATCH, {"spec": {"targetCPUUtilizationPercentage": 60}})
    changed = await registry.patch(context(), AUTOSCALERS, "default", "h", patch, version="v1")
    target = changed.record.obj["spec"]["metrics"][0]["resource"]["target"]
    assert target["averageUtilization"] == 60


async def test_events_are_one_thing_under_two_names(registry: Registry) -> None:
    obj = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "message": "m",
        "count": 2,
    }
    await registry.create(context(), EVENTS, "default", obj)
    record = await registry.get(NEW_EVENTS, "default", "e")
    found = registry.decoded(record, NEW_EVENTS)
    assert (found["apiVersion"], found["note"], found["deprecatedCount"]) == ("events.k8s.io/v1", "m", 2)
    assert found["regarding"]["name"] == "p"


async def test_required_texts_are_asked_for_in_every_kind(registry: Registry) -> None:
    definitions = kind("customresourcedefinitions", "apiextensions.k8s.io")
    obj = {"metadata": {"name": "x.y"}, "spec": {"group": "y", "versions": [{"served": True}]}}
    with pytest.raises(errors.Invalid) as caught:
        await registry.create(context(), definitions, "", obj)
    for field in ("spec.names.kind", "spec.names.plural", "spec.scope"):
        assert f"{field}: Required value" in caught.value.message


async def test_conditions_of_a_failure_policy_are_true_unless_it_says_otherwise(registry: Registry) -> None:
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    obj = {
        "metadata": {"name": "j"},
        "spec": {"template": template("Never"), "podFailurePolicy": {"rules": [rule]}},
    }
    job = (await registry.create(context(), JOBS, "default", obj)).obj
    (kept,) = job["spec"]["podFailurePolicy"]["rules"]
    assert kept["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
