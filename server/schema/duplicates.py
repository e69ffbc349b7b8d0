"""Finds fields that a JSON text gives twice, for strict requests: parsers keep the last and say nothing."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

MOST_TOLD = 100
"""Fields that are told of, as upstream: a hostile body must not be answered with a multiple of its size."""


class Duplicates(NamedTuple):
    paths: Mapping[str, int]
    """Paths of fields that stand more than once in their object, such as `spec.replicas`, with the place in
    the text at which the first repetition stands."""
    places: Mapping[str, int]
    """The first places of the paths that were asked for."""


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with all that stands in it."""


def duplicate_fields(body: bytes, *, wanted: frozenset[str] = frozenset()) -> Duplicates:
    """
    Raises:
        ValueError: the text is not JSON.
    """
    search = _Search(wanted)
    search.walk(json.loads(body, object_pairs_hook=_Pairs), [])
    return Duplicates(search.found, search.places)


class _Search:
    def __init__(self, wanted: frozenset[str]) -> None:
        self.found: dict[str, int] = {}
        self.places: dict[str, int] = {}
        self._wanted = wanted
        self._longest = max(map(len, wanted), default=0)
        self._place = 0

    def walk(self, value: Any, path: list[str]) -> None:
        if isinstance(value, _Pairs):
            self._walk_object(value, path)
        elif isinstance(value, list):
            for position, item in enumerate(value):
                self.walk(item, [*path, f"[{position}]"])

    def _walk_object(self, pairs: _Pairs, path: list[str]) -> None:
        seen: set[str] = set()
        for key, item in pairs:
            inner = [*path, f".{key}" if path else key]
            self._place += 1
            if key in seen and len(self.found) < MOST_TOLD:
                self.found.setdefault("".join(inner), self._place)
            seen.add(key)
            if self._wanted and sum(map(len, inner)) <= self._longest:
                self._note("".join(inner))
            if isinstance(item, list):
                self.walk(item, inner)

    def _note(self, path: str) -> None:
        if path in self._wanted:
            self.places.setdefault(path, self._place)
