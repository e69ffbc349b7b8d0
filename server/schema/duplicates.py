"""Finds fields that a JSON text gives twice, for strict requests: parsers keep the last and say nothing."""

import json
from collections import Counter
from typing import Any

from server.schema.decode import path_text
from server.schema.nodes import Path


class _Repeating(dict[str, Any]):
    repeated: tuple[str, ...] = ()


def duplicate_fields(body: bytes) -> list[str]:
    """Paths of fields that stand more than once in their object, such as `spec.replicas`.

    Raises:
        ValueError: the text is not JSON.
    """
    found: list[_Repeating] = []
    parsed = json.loads(body, object_pairs_hook=lambda pairs: _object(pairs, found))
    if not found:
        return []
    paths: list[Path] = []
    _collect(parsed, [], paths)
    return [path_text(path) for path in paths]


def _object(pairs: list[tuple[str, Any]], found: list[_Repeating]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    repeating = _Repeating(plain)
    counts = Counter(key for key, _ in pairs)
    repeating.repeated = tuple(key for key, count in counts.items() if count > 1)
    found.append(repeating)
    return repeating


def _collect(value: Any, outside: Path, paths: list[Path]) -> None:
    if isinstance(value, dict):
        if isinstance(value, _Repeating):
            paths.extend([key, *outside] for key in value.repeated)
        for key, item in value.items():
            _collect(item, [key, *outside], paths)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            _collect(item, [f"[{position}]", *outside], paths)
