"""Secrets: data with a type, which says what keys there must be."""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import config_key_errors
from server.registry.causes import immutable, invalid, invalids, required, too_long
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.core.config_map import LARGEST, decoded_size, immutability_causes
from server.registry.strategy import Strategy
from server.schema.scalars import encoded

_TOKEN = "kubernetes.io/service-account-token"
_ACCOUNT_ANNOTATION = "kubernetes.io/service-account.name"
_REQUIRED_KEYS: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_JSON_KEYS = (".dockercfg", ".dockerconfigjson")


class Secrets(Strategy):
    selectable = ("type",)
    columns = columns(Column("Type"), Column("Data"), AGE)

    def default(self, obj: Object) -> None:
        obj.setdefault("type", "Opaque")
        for key, text in (obj.pop("stringData", None) or {}).items():
            obj.setdefault("data", {})[key] = encoded(text)

    def validate(self, obj: Object) -> list[Cause]:
        data = obj.get("data") or {}
        causes: list[Cause] = []
        for key in data:
            causes += invalids(f"data[{key}]", key, config_key_errors(key))
        if sum(map(decoded_size, data.values())) > LARGEST:
            causes.append(too_long("data", LARGEST))
        return causes + _type_causes(obj, data)

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        causes = [immutable("type", obj["type"])] if obj["type"] != old.get("type", "Opaque") else []
        return causes + immutability_causes(obj, old, ("data",))

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        count = len(obj.get("data") or {})
        return [meta.name(obj), obj.get("type", ""), count, object_age(obj, now)]


def _type_causes(obj: Object, data: Mapping[str, str]) -> list[Cause]:
    kind = obj["type"]
    if kind == _TOKEN:
        account = meta.annotations(obj).get(_ACCOUNT_ANNOTATION)
        return [] if account else [required(f"metadata.annotations[{_ACCOUNT_ANNOTATION}]")]
    if kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data:
        return [required("data[username]"), required("data[password]")]
    causes = [required(f"data[{key}]") for key in _REQUIRED_KEYS.get(kind, ()) if key not in data]
    return causes + [
        invalid(f"data[{key}]", "<secret contents redacted>", "invalid character in JSON")
        for key in _JSON_KEYS
        if key in _REQUIRED_KEYS.get(kind, ()) and key in data and not _is_json(data[key])
    ]


def _is_json(text: str) -> bool:
    try:
        orjson.loads(base64.b64decode(text))
    except (binascii.Error, ValueError):
        return False
    return True
