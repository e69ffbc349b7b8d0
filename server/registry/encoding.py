"""Records in the versions that are served: no work for the storage version, once per record for others."""

import orjson

from kubeling.objects.meta import Object
from server.registry.kind import Kind
from server.storage import Record


def encode(record: Record, kind: Kind, version: str) -> bytes:
    """The object as JSON in a served version of the kind."""
    wanted = kind.api_version(version)
    if wanted == kind.storage_api_version:
        return record.body
    key = f"body {wanted}"
    found: bytes | None = record.cache.get(key)
    if found is None:
        found = record.cache[key] = orjson.dumps(_converted(record, kind, version))
    return found


def decoded(record: Record, kind: Kind, version: str) -> Object:
    """The object in a served version; shared, not to be changed."""
    wanted = kind.api_version(version)
    if wanted == kind.storage_api_version:
        return record.obj
    key = f"object {wanted}"
    found: Object | None = record.cache.get(key)
    if found is None:
        found = record.cache[key] = _converted(record, kind, version)
    return found


def _converted(record: Record, kind: Kind, version: str) -> Object:
    obj = record.copy()
    if obj.get("kind") != kind.kind:
        return obj
    obj["apiVersion"] = kind.api_version(version)
    return kind.strategy.from_storage(obj, version)
