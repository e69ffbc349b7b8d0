"""Whatever is applied, and whatever stands in managedFields: an answer, and never an internal error."""

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from kubeling.objects.clock import FakeClock
from kubeling.objects.errors import ApiError
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.kinds import Kinds
from server.registry.options import APPLY_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, Patch
from server.registry.registry import Registry
from server.storage import Store

PODS = Kinds().lookup("", "v1", "pods")
VALUES: tuple[Any, ...] = (
    None, 0, 1, -1, 2**63, 1.5, "", "a", "v1", "Pod", True, [], {}, [None], [{}], [[]], {"": {}}, {".": {}},
    "f:a", "k:{}", 'k:{"name":"c"}', "v:", "v:1", "i:x", "i:1", "\u0000", "😀",
)  # fmt: skip
KEYS = (
    "metadata", "spec", "status", "containers", "name", "image", "ports", "containerPort", "protocol", "env",
    "labels", "finalizers", "ownerReferences", "uid", "managedFields", "manager", "operation", "apiVersion",
    "fieldsType", "fieldsV1", "time", "subresource", "f:spec", "f:containers", 'k:{"name":"c"}', "k:{", "v:x",
    ".", "$patch", "$retainKeys", "$setElementOrder/containers", "$deleteFromPrimitiveList/finalizers", "zz",
)  # fmt: skip


def pod() -> Any:
    containers = [{"name": "c", "image": "i", "ports": [{"containerPort": 80}], "env": [{"name": "A"}]}]
    own = {"name": "a", "labels": {"a": "b"}, "finalizers": ["x.y/z"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": own, "spec": {"containers": containers}}


def mutated(source: random.Random, value: Any) -> Any:
    """The value with a few places in it replaced, removed or added to."""
    for _ in range(source.randint(1, 3)):
        parent, key = source.choice(places(value))
        if source.random() < 0.3 and isinstance(parent, dict):
            parent[source.choice(KEYS)] = orjson.loads(orjson.dumps(source.choice(VALUES)))
        elif source.random() < 0.2:
            del parent[key]
        else:
            parent[key] = orjson.loads(orjson.dumps(source.choice(VALUES)))
        value.setdefault("apiVersion", "v1")
        value.setdefault("kind", "Pod")
    return value


def places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        found += [(value, key), *places(value[key])]
    return found


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    store = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    yield Registry(store, FakeClock(), AdmitAll())
    await store.close()


async def send(registry: Registry, media: str, body: Any, manager: str = "m") -> None:
    assert PODS is not None
    context = RequestContext(SYSTEM, field_manager=manager)
    try:
        await registry.patch(context, PODS, "default", "a", Patch(media, body, force=True))
    except ApiError as error:
        refused = error
    else:
        return
    typed = refused.message.startswith(("failed to create typed", "failed to convert new object"))
    assert refused.code < 500 or typed, refused.message


@pytest.mark.parametrize("seed", range(40))
async def test_hostile_configurations(registry: Registry, seed: int) -> None:
    source = random.Random(seed)
    await send(registry, APPLY_PATCH, pod())
    for _ in range(25):
        await send(registry, APPLY_PATCH, mutated(source, pod()), source.choice(("m", "kubectl", "other")))


@pytest.mark.parametrize("seed", range(40))
async def test_hostile_managed_fields(registry: Registry, seed: int) -> None:
    source = random.Random(seed)
    await send(registry, APPLY_PATCH, pod())
    for _ in range(25):
        fields: Any = {
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {"f:containers": {"k:{}": {}}},
        }
        entry = {"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}
        entries: Any = [{**entry, "fieldsV1": fields}, {**entry, "manager": "y", "fieldsV1": {"f:a": {}}}]
        body = mutated(source, {"metadata": {"managedFields": entries, "labels": {"n": str(seed)}}})
        body.pop("kind", None)
        await send(registry, source.choice((MERGE_PATCH, STRATEGIC_MERGE_PATCH)), body)
        await send(registry, APPLY_PATCH, pod(), "other")
