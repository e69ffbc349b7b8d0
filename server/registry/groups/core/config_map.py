"""ConfigMaps: data that containers read."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import config_key_errors
from server.registry.causes import forbidden, invalid, invalids, too_long
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.strategy import Strategy

LARGEST = 1024 * 1024
"""Bytes that the data of a ConfigMap or Secret may have."""


class ConfigMaps(Strategy):
    columns = columns(Column("Data"), AGE)

    def validate(self, obj: Object) -> list[Cause]:
        data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
        causes: list[Cause] = []
        for key in data:
            causes += invalids(f"data[{key}]", key, config_key_errors(key))
            if key in binary:
                causes.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        for key in binary:
            causes += invalids(f"binaryData[{key}]", key, config_key_errors(key))
        size = sum(len(each.encode()) for each in data.values()) + sum(map(decoded_size, binary.values()))
        return [*causes, too_long("[]", LARGEST)] if size > LARGEST else causes

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return immutability_causes(obj, old, ("data", "binaryData"))

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        count = len(obj.get("data") or {}) + len(obj.get("binaryData") or {})
        return [meta.name(obj), count, object_age(obj, now)]


def decoded_size(text: str) -> int:
    """The number of bytes that base64 text stands for."""
    return len(text) * 3 // 4 - text.count("=")


def immutability_causes(obj: Object, old: Object, fields: tuple[str, ...]) -> list[Cause]:
    """Once `immutable` is true it stays, and the data too."""
    if not old.get("immutable"):
        return []
    why = "field is immutable when `immutable` is set"
    changed = [name for name in fields if (obj.get(name) or {}) != (old.get(name) or {})]
    if not obj.get("immutable"):
        changed.insert(0, "immutable")
    return [forbidden(name, why) for name in changed]
