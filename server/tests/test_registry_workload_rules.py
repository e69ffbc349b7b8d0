"""What workloads, Jobs, autoscalers and budgets must be: field, reason and words are upstream's."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects import errors
from kubeling.objects.clock import FakeClock
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.groups.batch.schedule import schedule_error
from server.registry.groups.batch.time_zones import zone_causes
from server.registry.kind import Kind
from server.registry.kinds import Kinds
from server.registry.options import MERGE_PATCH, Patch
from server.registry.registry import Registry
from server.storage import Record, Store

GROUPS = {
    "deployments": "apps",
    "statefulsets": "apps",
    "daemonsets": "apps",
    "replicasets": "apps",
    "jobs": "batch",
    "cronjobs": "batch",
    "poddisruptionbudgets": "policy",
}


def kind(plural: str) -> Kind:
    version = "v2" if plural == "horizontalpodautoscalers" else "v1"
    found = Kinds().lookup(GROUPS.get(plural, "autoscaling"), version, plural)
    assert found is not None
    return found


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    store = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    yield Registry(store, FakeClock(), AdmitAll())
    await store.close()


def template(restart: str = "Always", **spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "i"}]
    return {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": containers, "restartPolicy": restart, **spec},
    }


def workload(**spec: Any) -> dict[str, Any]:
    return {"selector": {"matchLabels": {"a": "b"}}, "template": template(), **spec}


def job(**spec: Any) -> dict[str, Any]:
    return {"template": template("Never"), **spec}


async def make(registry: Registry, plural: str, spec: dict[str, Any], context: RequestContext) -> Record:
    obj = {"metadata": {"name": "x"}, "spec": spec}
    return await registry.create(context, kind(plural), "default", obj)


async def change(registry: Registry, plural: str, subresource: str = "", **fields: Any) -> dict[str, Any]:
    patch = Patch(MERGE_PATCH, fields)
    context = RequestContext(SYSTEM)
    result = await registry.patch(context, kind(plural), "default", "x", patch, subresource=subresource)
    return dict(result.record.obj)


def told(caught: pytest.ExceptionInfo[errors.Invalid]) -> list[str]:
    assert caught.value.details is not None
    return [f"{cause['field']}: {cause['message']}" for cause in caught.value.details["causes"]]


RULE = {"action": "FailJob"}
METRIC = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}
TARGET = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}


@pytest.mark.parametrize(
    ("plural", "spec", "expected"),
    [
        (
            "deployments",
            workload(selector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
            "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator`"
            " is 'In' or 'NotIn'",
        ),
        (
            "deployments",
            workload(strategy={"type": "Slowly"}),
            'spec.strategy: Unsupported value: {"type":"Slowly"}: supported values: "Recreate",'
            ' "RollingUpdate"',
        ),
        (
            "deployments",
            workload(template=template(activeDeadlineSeconds=1)),
            "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is"
            " not Supported",
        ),
        (
            "statefulsets",
            workload(podManagementPolicy="Any"),
            "spec.podManagementPolicy: Invalid value: \"Any\": must be 'OrderedReady' or 'Parallel'",
        ),
        (
            "statefulsets",
            workload(updateStrategy={"rollingUpdate": {"maxUnavailable": 0}}),
            "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0",
        ),
        (
            "daemonsets",
            workload(updateStrategy={"rollingUpdate": {"maxUnavailable": 0}}),
            "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge"
            " is 0",
        ),
        (
            "jobs",
            job(template=template()),
            'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
        ),
        (
            "jobs",
            job(podFailurePolicy={"rules": [RULE]}),
            "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and"
            " OnPodConditions is required",
        ),
        (
            "jobs",
            job(podFailurePolicy={"rules": [{**RULE, "onExitCodes": {"operator": "In", "values": [2, 0]}}]}),
            "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the"
            " In operator",
        ),
        (
            "jobs",
            job(backoffLimitPerIndex=1),
            "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
        ),
        (
            "jobs",
            job(
                completionMode="Indexed",
                completions=3,
                successPolicy={"rules": [{"succeededIndexes": "1-3"}]},
            ),
            'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "1-3": error parsing'
            " succeededIndexes:"
            ' too large index: "3"',
        ),
        (
            "jobs",
            job(managedBy="me"),
            'spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")',
        ),
        (
            "jobs",
            job(selector={"matchLabels": {"x": "y"}}),
            'spec.selector: Invalid value: {"matchLabels":{"x":"y","batch.kubernetes.io/controller-uid":',
        ),
        (
            "cronjobs",
            {"schedule": "61 * * * *", "jobTemplate": {"spec": job()}},
            'spec.schedule: Invalid value: "61 * * * *": end of range (61) above maximum (59): 61',
        ),
        (
            "cronjobs",
            {"schedule": "@daily", "timeZone": "Moon/Base", "jobTemplate": {"spec": job()}},
            'spec.timeZone: Invalid value: "Moon/Base": unknown time zone Moon/Base',
        ),
        (
            "cronjobs",
            {"schedule": "TZ=UTC @daily", "jobTemplate": {"spec": job()}},
            'spec.schedule: Invalid value: "TZ=UTC @daily": cannot use TZ or CRON_TZ in schedule, use'
            " timeZone field instead",
        ),
        (
            "horizontalpodautoscalers",
            {"maxReplicas": 1, "scaleTargetRef": TARGET, "metrics": [METRIC]},
            "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw"
            " value or a target utilization",
        ),
        (
            "horizontalpodautoscalers",
            {
                "maxReplicas": 1,
                "scaleTargetRef": TARGET,
                "behavior": {"scaleUp": {"stabilizationWindowSeconds": 3601}},
            },
            "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or"
            " equal to 3600",
        ),
        (
            "poddisruptionbudgets",
            {"minAvailable": "101%"},
            'spec.minAvailable: Invalid value: "101%": must not be greater than 100%',
        ),
        (
            "poddisruptionbudgets",
            {"unhealthyPodEvictionPolicy": "Never"},
            'spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow",'
            ' "IfHealthyBudget"',
        ),
    ],
)
async def test_mistakes(registry: Registry, plural: str, spec: dict[str, Any], expected: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        await make(registry, plural, spec, RequestContext(SYSTEM))
    assert any(each.startswith(expected) for each in told(caught)), told(caught)


async def test_mounts_of_claims_are_right_in_stateful_sets(registry: Registry) -> None:
    mounts = [{"name": "data", "mountPath": "/data"}]
    pod = template(containers=[{"name": "c", "image": "i", "volumeMounts": mounts}])
    made = await make(registry, "statefulsets", workload(template=pod), RequestContext(SYSTEM))
    assert made.obj["status"] == {"replicas": 0, "availableReplicas": 0}


async def test_daemon_sets_count_the_changes_of_their_template(registry: Registry) -> None:
    count = "deprecated.daemonset.template.generation"
    made = await make(registry, "daemonsets", workload(), RequestContext(SYSTEM))
    assert made.obj["metadata"]["annotations"] == {count: "1"}
    changed = await change(registry, "daemonsets", spec={"template": {"spec": {"hostNetwork": True}}})
    assert changed["metadata"]["annotations"] == {count: "2"}
    same = await change(registry, "daemonsets", metadata={"annotations": {count: "9"}})
    assert same["metadata"]["annotations"] == {count: "2"}


@pytest.mark.parametrize("plural", ["deployments", "replicasets", "daemonsets"])
async def test_a_new_selector_is_refused_after_what_it_does_not_match(
    registry: Registry, plural: str
) -> None:
    await make(registry, plural, workload(), RequestContext(SYSTEM))
    with pytest.raises(errors.Invalid) as caught:
        await change(registry, plural, spec={"selector": {"matchLabels": {"c": "d"}}})
    labels, selector = told(caught)
    assert labels.startswith('spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not')
    assert selector == 'spec.selector: Invalid value: {"matchLabels":{"a":"b","c":"d"}}: field is immutable'


async def test_a_suspended_job_may_be_sent_elsewhere(registry: Registry) -> None:
    await make(registry, "jobs", job(suspend=True), RequestContext(SYSTEM))
    steered = {"template": {"spec": {"nodeSelector": {"a": "b"}}}}
    assert (await change(registry, "jobs", spec=steered))["spec"]["template"]["spec"]["nodeSelector"]
    with pytest.raises(errors.Invalid) as caught:
        await change(registry, "jobs", spec={"template": {"spec": {"restartPolicy": "OnFailure"}}})
    assert told(caught)[0].startswith("spec.template: Invalid value: ")
    await change(registry, "jobs", "status", status={"startTime": "2026-01-01T00:00:00Z"})
    with pytest.raises(errors.Invalid, match=r"spec\.template: Invalid value: .*: field is immutable"):
        await change(registry, "jobs", spec={"template": {"spec": {"nodeSelector": {"a": "c"}}}})


async def test_indexed_jobs_grow_with_their_parallelism(registry: Registry) -> None:
    spec = job(completionMode="Indexed", completions=2, parallelism=2)
    await make(registry, "jobs", spec, RequestContext(SYSTEM))
    with pytest.raises(errors.Invalid) as caught:
        await change(registry, "jobs", spec={"completions": 3})
    assert told(caught) == [
        "spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism"
    ]
    grown = await change(registry, "jobs", spec={"completions": 3, "parallelism": 3})
    assert grown["spec"]["completions"] == 3


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"failed": -1}, "status.failed: Invalid value: -1: must be greater than or equal to 0"),
        (
            {"completionTime": "2026-01-01T00:00:00Z"},
            'status.completionTime: Invalid value: "2026-01-01T00:00:00Z": cannot set completionTime when'
            " there"
            " is no Complete=True condition",
        ),
        (
            {"conditions": [{"type": "Failed", "status": "True"}]},
            "status.conditions: Invalid value: cannot set Failed=True condition without the"
            " FailureTarget=true"
            " condition",
        ),
        ({"ready": 2, "active": 1}, "status.ready: Invalid value: 2: cannot set more ready pods than active"),
    ],
)
async def test_job_statuses(registry: Registry, status: dict[str, Any], expected: str) -> None:
    await make(registry, "jobs", job(), RequestContext(SYSTEM))
    with pytest.raises(errors.Invalid) as caught:
        await change(registry, "jobs", "status", status=status)
    assert expected in told(caught)


@pytest.mark.parametrize(
    ("schedule", "error"),
    [
        ("*/5 0-6/2 1,15 jan-mar MON-FRI", ""),
        ("@every 1h30m", ""),
        ("? * * * *", ""),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("@sometimes", "unrecognized descriptor: @sometimes"),
        ("@every x", 'failed to parse duration @every x: time: invalid duration "x"'),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
    ],
)
def test_schedules(schedule: str, error: str) -> None:
    assert schedule_error(schedule) == error


def test_time_zones() -> None:
    assert zone_causes("f", "Europe/Berlin") == []
    assert zone_causes("f", "../etc/passwd")[0].message.endswith("unknown time zone ../etc/passwd")
    assert "explicit time zone" in zone_causes("f", "Local")[0].message


async def test_warnings_of_templates_and_names(registry: Registry) -> None:
    context = RequestContext(SYSTEM)
    obj = {"metadata": {"name": "a.b"}, "spec": workload(template=template(terminationGracePeriodSeconds=-1))}
    await registry.create(context, kind("deployments"), "default", obj)
    assert context.warnings[0].startswith("metadata.name: this is used in Pod names and hostnames")
    assert context.warnings[1] == (
        "spec.template.spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will"
        " be treated as 1"
    )


async def test_the_old_version_of_autoscalers_carries_the_rest_in_annotations(registry: Registry) -> None:
    pods = {
        "type": "Pods",
        "pods": {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": "10"}},
    }
    cpu = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
    }
    spec = {"maxReplicas": 3, "scaleTargetRef": TARGET, "metrics": [pods, cpu], "behavior": {"scaleUp": {}}}
    made = await make(registry, "horizontalpodautoscalers", spec, RequestContext(SYSTEM))
    autoscalers = kind("horizontalpodautoscalers")
    old = registry.decoded(made, autoscalers, "v1")
    annotations = old["metadata"]["annotations"]
    assert old["spec"]["targetCPUUtilizationPercentage"] == 50
    assert annotations["autoscaling.alpha.kubernetes.io/metrics"] == (
        '[{"type":"Pods","pods":{"metricName":"hits","targetAverageValue":"10"}}]'
    )
    assert '"policies":[{"type":"Pods","value":4' in annotations["autoscaling.alpha.kubernetes.io/behavior"]
    back = await registry.update(RequestContext(SYSTEM), autoscalers, "default", "x", dict(old), version="v1")
    assert sorted(each["type"] for each in back.record.obj["spec"]["metrics"]) == ["Pods", "Resource"]
    assert back.record.obj["spec"]["behavior"] == made.obj["spec"]["behavior"]
    assert "annotations" not in back.record.obj["metadata"]
