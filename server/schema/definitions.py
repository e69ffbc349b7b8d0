"""The raw v1.37 definitions, as text in memory of which pieces are parsed when they are asked for.

Parsed whole they would be the largest thing in the server's memory, and most are never needed.
"""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import orjson

VERSION = "v1.37.0"
_FILE = f"kubernetes-json-schema/{VERSION}-local/_definitions.json"
_START = re.compile(rb'^    "([^"]+)": (?=\{)', re.MULTILINE)
_KINDS = re.compile(rb'^      "x-kubernetes-group-version-kind": (\[.*?\])', re.MULTILINE | re.DOTALL)

Definition = dict[str, Any]


class _Index(NamedTuple):
    content: bytes
    places: dict[str, tuple[int, int]]
    """Start and end of each definition in the content."""
    names: dict[tuple[str, str, str], str]
    """The definition's name by group, version and kind."""


def definition(name: str) -> Definition:
    """The definition of that full name, such as io.k8s.api.core.v1.Pod; a fresh copy."""
    index = _index()
    start, end = index.places[name]
    parsed: Definition = orjson.loads(index.content[start:end])
    return parsed


def name_of(group: str, version: str, kind: str) -> str | None:
    """The full name of a kind's definition."""
    return _index().names.get((group, version, kind))


def described_definitions() -> dict[str, Definition]:
    """All definitions with their descriptions, read anew: for publishing, not for keeping."""
    loaded: dict[str, Definition] = orjson.loads(_content())["$defs"]
    return loaded


def _content() -> bytes:
    package = find_spec("kubernetes_validate")  # found, not imported: it would bring jsonschema with it
    assert package is not None
    assert package.submodule_search_locations
    return Path(package.submodule_search_locations[0], _FILE).read_bytes()


@cache
def _index() -> _Index:
    """Relies on the file's layout: every definition begins on a line of its own, four spaces deep."""
    content = _content()
    places: dict[str, tuple[int, int]] = {}
    names: dict[tuple[str, str, str], str] = {}
    starts = list(_START.finditer(content))
    ends = [match.start() for match in starts[1:]] + [content.rindex(b"\n  }")]
    for match, end in zip(starts, ends, strict=True):
        name, start = match[1].decode(), match.end()
        end = content.rindex(b"}", start, end) + 1
        places[name] = (start, end)
        kinds = _kinds_in(content, start, end)
        if len(kinds) == 1:
            names[kinds[0]["group"], kinds[0]["version"], kinds[0]["kind"]] = name
    return _Index(content, places, names)


def _kinds_in(content: bytes, start: int, end: int) -> list[dict[str, str]]:
    match = _KINDS.search(content, start, end)
    kinds: list[dict[str, str]] = orjson.loads(match[1]) if match else []
    return kinds
