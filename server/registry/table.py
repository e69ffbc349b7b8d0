"""Tables: what `kubectl get` prints, one row per record, with columns and cells from the kind's strategy."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from orjson import Fragment as Row

from kubeling.objects.meta import Object
from server.registry import encoding, scale_columns
from server.registry.ages import ANYTIME, MARK, Ages
from server.registry.columns import Column
from server.registry.kind import Kind
from server.storage import Record

_MARK = MARK.encode()


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
    columns, ages = _columns(kind, records) if headers else (), Ages(now)
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{table_version}",
        "metadata": _metadata(records, list_meta),
        "columnDefinitions": [column.definition() for column in columns],
        "rows": [_row(kind, record, version, include_object, table_version, ages) for record in records],
    }


def _columns(kind: Kind, records: Sequence[Record]) -> Sequence[Column]:
    if len(records) == 1 and scale_columns.is_scale(records[0].parsed()):
        return scale_columns.COLUMNS
    return kind.strategy.columns


def _metadata(records: Sequence[Record], list_meta: Object | None) -> Object:
    if list_meta is not None:
        return list_meta
    return {"resourceVersion": str(records[0].revision)} if len(records) == 1 else {}


def _row(
    kind: Kind, record: Record, version: str, include_object: str, table_version: str, ages: Ages
) -> Row:
    if include_object == "Object":
        about = b',"object":%b' % encoding.encode(record, kind, version)
    elif include_object == "None":
        about = b""
    else:
        about = b',"object":%b' % _partial(record, table_version)
    return Row(b'{"cells":%b%b}' % (_cells(kind, record, ages), about))


def _cells(kind: Kind, record: Record, ages: Ages) -> bytes:
    """The cells as JSON. They are made once for a record, with gaps where the ages go."""
    made: tuple[Kind, list[bytes]] | None = record.cache.get("cells")
    if made is None or made[0] is not kind:
        parts = orjson.dumps(_values(kind, record.parsed())).split(_MARK)
        made = record.cache["cells"] = (kind, parts)
    parts = made[1]
    if len(parts) == 3:
        return b"%b%b%b" % (parts[0], ages[parts[1]], parts[2])
    return b"".join(ages[part] if position % 2 else part for position, part in enumerate(parts))


def _values(kind: Kind, obj: Object) -> list[Any]:
    if obj.get("kind") == kind.kind:
        return kind.strategy.cells(obj, ANYTIME)
    if scale_columns.is_scale(obj):
        return scale_columns.cells(obj, ANYTIME)
    name = (obj.get("metadata") or {}).get("name", "")
    return [name, *[""] * (len(kind.strategy.columns) - 1)]


def _partial(record: Record, version: str) -> bytes:
    """A PartialObjectMetadata as JSON. The metadata is cut out of the body; where it lies is kept."""
    place: slice | None = record.cache.get("metadata")
    if place is None:
        metadata = orjson.dumps(record.copy().get("metadata") or {})
        start = record.body.index(metadata)
        place = record.cache["metadata"] = slice(start, start + len(metadata))
    own = record.body[place]
    return b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/%b","metadata":%b}' % (
        version.encode(),
        own,
    )


def partial_metadata(obj: Object, version: str = "v1") -> Object:
    """A PartialObjectMetadata of the object."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": obj.get("metadata") or {},
    }
