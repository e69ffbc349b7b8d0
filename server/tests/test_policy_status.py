"""What is doubtful in admission policies is said in their status."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects.clock import FakeClock
from server.inprocess import LocalClient
from server.policy_status import POLICIES, PolicyStatus
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM
from server.registry.groups.admissionregistration.type_checking import expression_warnings
from server.registry.index import BUILT_IN
from server.registry.kind import Kind
from server.registry.registry import Registry
from server.storage import Store

RULE = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"], "operations": ["CREATE"]}


def find(group: str, version: str, plural: str) -> Kind | None:
    found = (each for each in BUILT_IN if each.group == group and version in each.versions)
    return next((each for each in found if each.plural == plural), None)


def policy(*checks: dict[str, str], rule: dict[str, Any] = RULE, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": POLICIES.api_version,
        "kind": POLICIES.kind,
        "metadata": {"name": "p"},
        "spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": list(checks), **spec},
    }


@pytest.mark.parametrize(
    "expression",
    [
        "object.spec.replicas > 1",
        "object.metadata.labels['a'] == 'b'",
        "object.metadata.__namespace__ == 'b' || true",
        "object.spec.template.spec.containers.all(c, c.image.startsWith('x'))",
        "object.metadata.creationTimestamp > timestamp('2020-01-01T00:00:00Z')",
        "object.spec.strategy.rollingUpdate.maxSurge == 1",
        "variables.many && authorizer.path('/').check('get').allowed()",
    ],
)
def test_what_fits_the_types_is_not_warned_of(expression: str) -> None:
    variables = [{"name": "many", "expression": "object.spec.replicas > 5"}]
    assert expression_warnings(policy({"expression": expression}, variables=variables), find) == []


def test_what_does_not_fit_is_told_for_each_kind() -> None:
    rule = {**RULE, "resources": ["deployments", "replicasets", "deployments/scale", "things"]}
    check = {"expression": "object.spec.replicas == '1'", "messageExpression": "object.spec.strategy.type"}
    text = (
        "ERROR: <input>:1:22: found no matching overload for '_==_' applied to '(int, string)'\n"
        " | object.spec.replicas == '1'\n | .....................^\n"
    )
    kinds = ("apps/v1, Kind=Deployment", "apps/v1, Kind=ReplicaSet")
    found = expression_warnings(policy(check, rule=rule), find)
    assert found[0] == {
        "fieldRef": "spec.validations[0].expression",
        "warning": "\n".join(f"{kind}: {text}" for kind in kinds),
    }
    assert found[1]["fieldRef"] == "spec.validations[0].messageExpression"
    assert found[1]["warning"].startswith("apps/v1, Kind=ReplicaSet: ERROR: <input>:1:12: undefined field")


def test_wildcards_are_not_looked_at() -> None:
    for name in ("apiGroups", "apiVersions", "resources"):
        assert expression_warnings(policy({"expression": "object.x"}, rule={**RULE, name: ["*"]}), find) == []


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[LocalClient]:
    store = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    registry = Registry(store, FakeClock(), AdmitAll())
    made = LocalClient(registry, store, user=SYSTEM)
    status = PolicyStatus(made, registry.kinds.lookup, clock=FakeClock())
    status.start()
    yield made
    await status.stop()
    await made.close()
    await store.close()


async def judged(client: LocalClient, generation: int) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            state = (await client.get(POLICIES, "p")).get("status") or {}
            if state.get("observedGeneration") == generation:
                return dict(state)
            await asyncio.sleep(0.01)


async def test_the_status_follows_the_policy(client: LocalClient) -> None:
    made = await client.create(POLICIES, policy({"expression": "object.spec.replicas > 1"}))
    assert await judged(client, 1) == {"observedGeneration": 1, "typeChecking": {}}
    made = await client.get(POLICIES, "p")
    made["spec"]["validations"] = [{"expression": "object.foo > 1"}]
    await client.update(POLICIES, made)
    [warning] = (await judged(client, 2))["typeChecking"]["expressionWarnings"]
    assert warning["fieldRef"] == "spec.validations[0].expression"
