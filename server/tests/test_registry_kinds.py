"""Every kind walks the generic path: created from a sample, shown as a table, updated, deleted.

What is stored and what is shown is compared with golden files; KUBELING_UPDATE_GOLDEN=1 writes them anew.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from kubeling.objects.clock import FakeClock
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.kind import Kind
from server.registry.kinds import Kinds
from server.registry.options import MERGE_PATCH, DeleteOptions, Patch
from server.registry.registry import Registry
from server.storage import Store

GOLDEN = Path(__file__).parent / "golden" / "registry"
SAMPLES: list[dict[str, Any]] = list(yaml.safe_load_all((GOLDEN / "samples.yaml").read_text()))
UID = "00000000-0000-4000-8000-000000000000"


def kind_of(obj: dict[str, Any]) -> Kind:
    group, _, version = obj["apiVersion"].rpartition("/")
    found = Kinds().lookup_kind(group, version, obj["kind"])
    assert found is not None
    return found


def label(obj: dict[str, Any]) -> str:
    return str(kind_of(obj).resource)


@pytest.fixture
async def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Registry]:
    monkeypatch.setattr("kubeling.objects.meta.new_uid", lambda: UID)
    store = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    yield Registry(store, FakeClock(), AdmitAll())
    await store.close()


def context() -> RequestContext:
    return RequestContext(SYSTEM, field_validation="Strict")


def without_owners(obj: Any) -> Any:
    """What is stored but for managedFields, which have tests of their own."""
    return {
        **obj,
        "metadata": {key: obj["metadata"][key] for key in obj["metadata"] if key != "managedFields"},
    }


def compare(name: str, found: Any) -> None:
    path = GOLDEN / name
    text = yaml.safe_dump(found, sort_keys=False, width=100)
    if os.environ.get("KUBELING_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert found == yaml.safe_load(path.read_text())


def test_there_is_a_sample_of_every_stored_kind() -> None:
    assert {label(obj) for obj in SAMPLES} == {str(kind.resource) for kind in Kinds().all() if kind.stored}


@pytest.mark.parametrize("sample", SAMPLES, ids=label)
async def test_what_is_stored_and_shown(sample: dict[str, Any], registry: Registry) -> None:
    kind = kind_of(sample)
    namespace = "default" if kind.namespaced else ""
    record = await registry.create(context(), kind, namespace, sample)
    table = orjson.loads(orjson.dumps(registry.table(kind, [record], include_object="None")))
    columns = [column["name"] for column in table["columnDefinitions"]]
    compare(f"stored/{label(sample)}.yaml", without_owners(registry.decoded(record, kind)))
    compare(f"tables/{label(sample)}.yaml", dict(zip(columns, table["rows"][0]["cells"], strict=True)))


@pytest.mark.parametrize("sample", SAMPLES, ids=label)
async def test_what_was_stored_can_be_sent_back_changed_and_deleted(
    sample: dict[str, Any], registry: Registry
) -> None:
    kind = kind_of(sample)
    namespace = "default" if kind.namespaced else ""
    record = await registry.create(context(), kind, namespace, sample)
    name = record.name
    sent_back = dict(registry.decoded(record, kind))
    same = await registry.update(context(), kind, namespace, name, sent_back)
    assert same.record.revision == record.revision
    patch = Patch(MERGE_PATCH, {"metadata": {"labels": {"l": "1"}, "finalizers": None}})
    changed = await registry.patch(context(), kind, namespace, name, patch)
    assert changed.record.labels["l"] == "1"
    assert changed.record.obj["metadata"].get("generation") == record.obj["metadata"].get("generation")
    if "status" in kind.subresources:
        note = Patch(MERGE_PATCH, {"metadata": {"annotations": {"a": "1"}}, "status": {}})
        noted = await registry.patch(context(), kind, namespace, name, note, subresource="status")
        assert noted.record.obj["metadata"]["annotations"]["a"] == "1"
    background = DeleteOptions(propagation_policy="Background")
    result = await registry.delete(context(), kind, namespace, name, background)
    left = result.record.obj
    assert result.removed or kind.strategy.must_stay(left) or left["metadata"]["finalizers"]
