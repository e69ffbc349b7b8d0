from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects import conditions, errors
from kubeling.objects.clock import FakeClock
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.groups.policy import BUDGETS
from server.registry.kinds import Kinds
from server.registry.registry import Registry
from server.storage import Record, Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FOUND = Kinds().lookup("", "v1", "pods")
assert FOUND is not None
PODS = FOUND
READY: dict[str, Any] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
ENOUGH: dict[str, Any] = {
    "observedGeneration": 1,
    "disruptionsAllowed": 1,
    "currentHealthy": 2,
    "desiredHealthy": 1,
}


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    store = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock(NOW))
    yield Registry(store, FakeClock(NOW), AdmitAll())
    await store.close()


async def make_pod(registry: Registry, **status: Any) -> Record:
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "n"}
    pod = {"metadata": {"name": "p", "labels": {"app": "a"}}, "spec": spec}
    record = await registry.create(RequestContext(SYSTEM), PODS, "default", pod)
    obj = {**record.obj, "status": status}
    result = await registry.update(
        RequestContext(SYSTEM), PODS, "default", "p", obj, subresource="status", version="v1"
    )
    return result.record


async def make_budget(registry: Registry, name: str = "b", *, spec: Any = None, **status: Any) -> None:
    wanted = {"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}, **(spec or {})}
    budget = {"metadata": {"name": name}, "spec": wanted}
    record = await registry.create(RequestContext(SYSTEM), BUDGETS, "default", budget)
    if status:
        obj = {**record.obj, "status": {"expectedPods": 2, **status}}
        await registry.update(
            RequestContext(SYSTEM), BUDGETS, "default", name, obj, subresource="status", version="v1"
        )


async def evict(registry: Registry, *, dry_run: bool = False, **options: Any) -> Record:
    body = {"metadata": {"name": "p"}, "deleteOptions": options}
    context = RequestContext(SYSTEM, dry_run=dry_run)
    return await registry.create(context, PODS, "default", body, name="p", subresource="eviction")


async def refused(registry: Registry, **options: Any) -> errors.ApiError:
    with pytest.raises(errors.ApiError) as caught:
        await evict(registry, **options)
    return caught.value


def cause(error: errors.ApiError) -> str:
    assert error.details is not None
    (only,) = error.details["causes"]
    assert only["reason"] == "DisruptionBudget"
    return str(only["message"])


async def test_a_pod_that_runs_is_marked_before_it_is_deleted(registry: Registry) -> None:
    await make_pod(registry, **READY)
    answer = await evict(registry, gracePeriodSeconds=7)
    assert (answer.obj["status"], answer.obj["code"]) == ("Success", 201)
    pod = (await registry.get(PODS, "default", "p")).obj
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 7
    assert conditions.find(pod, "DisruptionTarget") == {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
async def test_budgets_do_not_hold_what_does_not_run(registry: Registry, phase: str) -> None:
    await make_pod(registry, phase=phase)
    await make_budget(registry, **{**ENOUGH, "disruptionsAllowed": 0})
    await evict(registry, gracePeriodSeconds=0)
    with pytest.raises(errors.NotFound):
        await registry.get(PODS, "default", "p")


async def test_an_eviction_takes_from_the_budget(registry: Registry) -> None:
    await make_pod(registry, **READY)
    await make_budget(registry, **ENOUGH)
    await evict(registry)
    budget = (await registry.get(BUDGETS, "default", "b")).obj
    assert budget["status"]["disruptionsAllowed"] == 0
    assert budget["status"]["disruptedPods"] == {"p": "2026-01-01T00:00:00Z"}
    condition = conditions.find(budget, "DisruptionAllowed")
    assert condition is not None
    assert (condition["status"], condition["reason"], condition["message"]) == (
        "False",
        "InsufficientPods",
        "",
    )
    assert condition["observedGeneration"] == 1


async def test_a_dry_run_takes_nothing(registry: Registry) -> None:
    made = await make_pod(registry, **READY)
    await make_budget(registry, **ENOUGH)
    await evict(registry, dryRun=["All"])
    await evict(registry, dry_run=True)
    assert (await registry.get(BUDGETS, "default", "b")).obj["status"]["disruptionsAllowed"] == 1
    assert (await registry.get(PODS, "default", "p")).revision == made.revision


async def test_an_empty_budget_refuses(registry: Registry) -> None:
    await make_pod(registry, **READY)
    await make_budget(registry, **{**ENOUGH, "disruptionsAllowed": 0, "currentHealthy": 1})
    error = await refused(registry)
    assert (error.code, error.reason) == (429, "TooManyRequests")
    assert error.message == "Cannot evict pod as it would violate the pod's disruption budget."
    assert cause(error) == "The disruption budget b needs 1 healthy pods and has 1 currently"


async def test_a_budget_that_nobody_has_counted_asks_to_come_back(registry: Registry) -> None:
    await make_pod(registry, **READY)
    await make_budget(registry)
    error = await refused(registry)
    assert cause(error) == "The disruption budget b is still being processed by the server."
    assert error.details is not None
    assert error.details["retryAfterSeconds"] == 10


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("SyncFailed", "does not allow evicting pods currently because it failed sync: why"),
        ("Other", "does not allow evicting pods currently (Other): why"),
    ],
)
async def test_a_refusal_repeats_the_condition(registry: Registry, reason: str, expected: str) -> None:
    condition = {"type": "DisruptionAllowed", "status": "False", "reason": reason, "message": "why"}
    condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    await make_pod(registry, **READY)
    await make_budget(registry, **{**ENOUGH, "disruptionsAllowed": 0, "conditions": [condition]})
    assert cause(await refused(registry)) == f"The disruption budget b {expected}"


async def test_two_budgets_are_too_many(registry: Registry) -> None:
    await make_pod(registry, **READY)
    await make_budget(registry, "a", **ENOUGH)
    await make_budget(registry, "b", spec={"selector": {}}, **ENOUGH)
    error = await refused(registry)
    assert error.code == 500
    assert error.message == (
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    )


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({}, {**ENOUGH, "disruptionsAllowed": 0}),
        ({"unhealthyPodEvictionPolicy": "AlwaysAllow"}, {**ENOUGH, "currentHealthy": 0}),
    ],
)
async def test_unhealthy_pods_may_go(registry: Registry, spec: Any, status: Any) -> None:
    await make_pod(registry, phase="Running")
    await make_budget(registry, spec=spec, **status)
    await evict(registry)
    pod = (await registry.get(PODS, "default", "p")).obj
    assert pod["metadata"]["deletionTimestamp"]
    assert "disruptedPods" not in (await registry.get(BUDGETS, "default", "b")).obj["status"]


async def test_preconditions_are_the_client_s(registry: Registry) -> None:
    made = await make_pod(registry, **READY)
    wrong = await refused(registry, preconditions={"uid": "other"})
    assert (wrong.code, f"does not match the UID in record ({made.uid})" in wrong.message) == (409, True)
    stale = await refused(registry, preconditions={"resourceVersion": "1"})
    assert stale.code == 409
    await evict(registry, preconditions={"uid": made.uid, "resourceVersion": str(made.revision)})


async def test_the_body_must_name_the_pod(registry: Registry) -> None:
    await make_pod(registry, **READY)
    with pytest.raises(errors.BadRequest, match="name in URL does not match name in Eviction object"):
        await registry.create(RequestContext(SYSTEM), PODS, "default", {}, name="p", subresource="eviction")


async def test_bodies_of_the_older_version_are_taken(registry: Registry) -> None:
    await make_pod(registry, **READY)
    body = {"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": "p"}}
    context = RequestContext(SYSTEM)
    answer = await registry.create(context, PODS, "default", body, name="p", subresource="eviction")
    assert answer.obj["status"] == "Success"
    body["apiVersion"] = "policy/v2"
    with pytest.raises(errors.BadRequest):
        await registry.create(context, PODS, "default", body, name="p", subresource="eviction")
