"""Tables: what `kubectl get` prints, one row per record, with columns and cells from the kind's strategy."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kubeling.objects.meta import Object
from server.registry import encoding
from server.registry.kind import Kind
from server.storage import Record


def table(
    kind: Kind,
    records: Sequence[Record],
    *,
    version: str,
    include_object: str,
    headers: bool,
    list_meta: Object | None,
    table_version: str,
    now: datetime,
) -> Object:
    columns = kind.strategy.columns if headers else ()
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{table_version}",
        "metadata": _metadata(records, list_meta),
        "columnDefinitions": [column.definition() for column in columns],
        "rows": [_row(kind, record, version, include_object, table_version, now) for record in records],
    }


def _metadata(records: Sequence[Record], list_meta: Object | None) -> Object:
    if list_meta is not None:
        return list_meta
    return {"resourceVersion": str(records[0].revision)} if len(records) == 1 else {}


def _row(
    kind: Kind, record: Record, version: str, include_object: str, table_version: str, now: datetime
) -> Object:
    row: Object = {"cells": _cells(kind, record.obj, now)}
    if include_object == "Object":
        row["object"] = encoding.decoded(record, kind, version)
    elif include_object != "None":
        row["object"] = partial_metadata(record.obj, table_version)
    return row


def _cells(kind: Kind, obj: Object, now: datetime) -> list[Any]:
    if obj.get("kind") == kind.kind:
        return kind.strategy.cells(obj, now)
    name = (obj.get("metadata") or {}).get("name", "")
    return [name, *[""] * (len(kind.strategy.columns) - 1)]


def partial_metadata(obj: Object, version: str = "v1") -> Object:
    """A PartialObjectMetadata of the object."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": obj.get("metadata") or {},
    }
