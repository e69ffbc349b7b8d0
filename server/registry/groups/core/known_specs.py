"""Pod specs that were looked at already. Pods are mostly copies of one another - replicas, or one pod that is
written again - and what was found of one spec holds for every spec that reads the same.

A spec is known by its JSON. The name that admission made up for the volume with the service account's token
differs in every copy; it is taken out of the key, since which one of these names it is changes nothing.
"""

import re
from typing import Any, NamedTuple

import orjson

from kubeling.objects.meta import Object

_MOST, _LARGEST = 256, 16 * 1024
"""Specs, and bytes of a spec: 4 MiB at the very most."""
_TOKEN_VOLUME = re.compile(r"kube-api-access-[a-z0-9]{5}")
_ANY_NAME = b"\x00"
"""JSON never holds this byte: no spec can be taken for one whose name was taken out."""


class Verdict(NamedTuple):
    """What is to be said of a valid spec."""

    qos: str
    warnings: tuple[str, ...]


_known: dict[bytes, Verdict] = {}


def verdict(spec: Object) -> Verdict | None:
    """What was found of such a spec; None when it has not been seen lately, or is not valid."""
    key = _key(spec)
    found = _known.pop(key, None)
    if found is not None:
        _known[key] = found  # the last one to be forgotten
    return found


def remember(spec: Object, found: Verdict) -> None:
    """Of a spec that is valid in every pod, whatever the pod's name and metadata."""
    key = _key(spec)
    if len(key) <= _LARGEST:
        _known[key] = found
        if len(_known) > _MOST:
            del _known[next(iter(_known))]


def _key(spec: Object) -> bytes:
    raw = orjson.dumps(spec)
    volumes: list[dict[str, Any]] = spec.get("volumes") or []
    for volume in reversed(volumes):
        name = volume.get("name") or ""
        if _TOKEN_VOLUME.fullmatch(name):
            return raw.replace(name.encode(), _ANY_NAME)
    return raw
