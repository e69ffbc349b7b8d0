"""The short hash that tells the pod templates of one owner apart, as it stands in names and labels.

32 bits in FNV-1a, like upstream's, and written with the same letters. The value differs from upstream's,
which hashes what Go prints of its structures; it is the same for equal templates, and that is all anyone may
rely on.
"""

import json
from collections.abc import Mapping
from typing import Any

from kubeling.objects.meta import SUFFIX_ALPHABET

_OFFSET, _PRIME, _BITS = 2166136261, 16777619, 0xFFFFFFFF


def template_hash(template: Mapping[str, Any], collisions: int | None = None) -> str:
    """`collisions` is the status's collisionCount, by which a hash that is taken gives way to another."""
    data = json.dumps(template, sort_keys=True, separators=(",", ":")).encode()
    if collisions is not None:
        data += collisions.to_bytes(8, "little")
    return safe_letters(str(fnv32a(data)))


def fnv32a(data: bytes) -> int:
    value = _OFFSET
    for byte in data:
        value = (value ^ byte) * _PRIME & _BITS
    return value


def safe_letters(text: str) -> str:
    """Each character as one of those of generated names, so that no bad words come about."""
    return "".join(SUFFIX_ALPHABET[ord(letter) % len(SUFFIX_ALPHABET)] for letter in text)
