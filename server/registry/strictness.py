"""What a strict client wants to know of its body: unknown and duplicate fields, in upstream's order.

The order shows how upstream reads: JSON of built-in kinds as it comes, all else by way of a map, whose keys
are sorted. Reading itself is not done here (`server.api.bodies`, `server.schema`).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import orjson

from server.schema.duplicates import MOST_TOLD, Duplicates

FindDuplicates = Callable[[frozenset[str]], Duplicates]
"""Finds the duplicate fields of a body, and the places of the paths that are given."""

_YAML = "yaml: unmarshal errors:"


class Problems(NamedTuple):
    """Texts, each for a warning."""

    of_yaml: Sequence[str] = ()
    others: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.of_yaml or self.others)

    @property
    def warnings(self) -> list[str]:
        return [*self.of_yaml, *self.others]

    @property
    def text(self) -> str:
        """All in one, for an error."""
        lines = ["\n  ".join((_YAML, *self.of_yaml))] if self.of_yaml else []
        return f"strict decoding error: {', '.join([*lines, *self.others])}"


class Misread(NamedTuple):
    """What the API layer saw in a body while it was read."""

    told: Sequence[str] = ()
    """Complete texts, of what the body repeats or has too much."""
    of_yaml: bool = False
    """Whether `told` is of YAML, which speaks of lines; all its fields are sorted."""
    find: FindDuplicates | None = None
    """Set for JSON that repeats fields, when their order with unknown ones matters."""


def problems(misread: Misread | None, unknown: Sequence[str], *, sort: bool) -> Problems:
    """Unknown fields together with what the reader saw."""
    if misread is None:
        return Problems(others=_told(sorted(unknown) if sort else unknown))
    if misread.of_yaml:
        return Problems(of_yaml=misread.told, others=_told(sorted(unknown)))
    if sort or misread.find is None:
        return Problems(others=[*misread.told, *_told(sorted(unknown))])
    return Problems(others=_in_order(misread.find(frozenset(unknown[:MOST_TOLD])), unknown[:MOST_TOLD]))


def _in_order(found: Duplicates, unknown: Sequence[str]) -> list[str]:
    """Nothing is said of repetitions within what is unknown: upstream skips it."""
    skipped = tuple(text for path in unknown for text in (f"{path}.", f"{path}["))
    placed = [(found.places.get(path, 0), unknown_field(path)) for path in unknown]
    placed += [
        (place, duplicate_field(path))
        for path, place in found.paths.items()
        if path not in found.places and not path.startswith(skipped)
    ]
    return [text for _, text in sorted(placed)]


def _told(unknown: Sequence[str]) -> list[str]:
    return [unknown_field(path) for path in unknown[:MOST_TOLD]]


def unknown_field(path: str) -> str:
    return f"unknown field {quoted(path)}"


def duplicate_field(path: str) -> str:
    return f"duplicate field {quoted(path)}"


def quoted(path: str) -> str:
    if path.isprintable() and '"' not in path and "\\" not in path:
        return f'"{path}"'
    return orjson.dumps(path).decode()
