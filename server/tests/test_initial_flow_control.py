"""The flow schemas and priority levels that every cluster has, and who may change them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects import errors
from kubeling.objects.clock import FakeClock
from server.initial.flow_control import keep_flow_control
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.kind import Kind
from server.registry.options import MERGE_PATCH, DeleteOptions, Patch
from server.registry.registry import Registry
from server.storage import Store

CONTEXT = RequestContext(SYSTEM)
ANNOTATION = "apf.kubernetes.io/autoupdate-spec"


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    store = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    made = Registry(store, FakeClock(), AdmitAll())
    await keep_flow_control(made)
    yield made
    await store.close()


def kind(registry: Registry, plural: str) -> Kind:
    found = registry.kinds.lookup("flowcontrol.apiserver.k8s.io", "v1", plural)
    assert found is not None
    return found


async def spec(registry: Registry, plural: str, name: str) -> Any:
    return (await registry.get(kind(registry, plural), "", name)).obj["spec"]


async def change(registry: Registry, plural: str, name: str, change: dict[str, Any]) -> None:
    await registry.patch(CONTEXT, kind(registry, plural), "", name, Patch(MERGE_PATCH, change))


@pytest.mark.parametrize("annotation", ["true", None])
async def test_a_suggested_spec_is_put_back_unless_it_was_taken_over(
    annotation: str | None, registry: Registry
) -> None:
    changed = {
        "metadata": {"annotations": {ANNOTATION: annotation}},
        "spec": {"limited": {"nominalConcurrencyShares": 7}},
    }
    await change(registry, "prioritylevelconfigurations", "workload-low", changed)
    await keep_flow_control(registry)
    shares = (await spec(registry, "prioritylevelconfigurations", "workload-low"))["limited"]
    assert shares["nominalConcurrencyShares"] == (100 if annotation else 7)


@pytest.mark.parametrize(
    ("plural", "name"),
    [
        ("flowschemas", "service-accounts"),
        ("flowschemas", "exempt"),
        ("prioritylevelconfigurations", "exempt"),
    ],
)
async def test_what_is_deleted_comes_back(plural: str, name: str, registry: Registry) -> None:
    await registry.delete(CONTEXT, kind(registry, plural), "", name, DeleteOptions())
    await keep_flow_control(registry)
    assert await spec(registry, plural, name)


@pytest.mark.parametrize(
    ("plural", "name", "changed", "message"),
    [
        ("flowschemas", "exempt", {"matchingPrecedence": 3}, "spec of 'exempt' must equal the fixed value"),
        ("flowschemas", "catch-all", {"rules": None}, "spec of 'catch-all' must equal the fixed value"),
        (
            "prioritylevelconfigurations",
            "catch-all",
            {"limited": {"nominalConcurrencyShares": 6}},
            "spec of 'catch-all' must equal the fixed value",
        ),
    ],
)
async def test_mandatory_specs_are_fixed(
    plural: str, name: str, changed: dict[str, Any], message: str, registry: Registry
) -> None:
    with pytest.raises(errors.Invalid, match=message):
        await change(registry, plural, name, {"spec": changed})


async def test_what_is_exempt_may_have_a_share(registry: Registry) -> None:
    changed = {"spec": {"exempt": {"nominalConcurrencyShares": 7, "lendablePercent": 10}}}
    await change(registry, "prioritylevelconfigurations", "exempt", changed)
    found = await spec(registry, "prioritylevelconfigurations", "exempt")
    assert found["exempt"]["nominalConcurrencyShares"] == 7
