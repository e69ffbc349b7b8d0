"""The raw v1.37 definitions, read on first use, kept as small pieces of JSON without their descriptions.

Parsed whole they would be the largest thing in the server's memory, and most are never asked for.
"""

from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import orjson

VERSION = "v1.37.0"
_FILE = f"kubernetes-json-schema/{VERSION}-local/_definitions.json"

Definition = dict[str, Any]


def definition(name: str) -> Definition:
    """The definition of that full name, such as io.k8s.api.core.v1.Pod; a fresh copy."""
    parsed: Definition = orjson.loads(_pieces().by_name[name])
    return parsed


def name_of(group: str, version: str, kind: str) -> str | None:
    """The full name of a kind's definition."""
    return _pieces().names.get((group, version, kind))


def described_definitions() -> dict[str, Definition]:
    """All definitions with their descriptions, read anew: for publishing, not for keeping."""
    content = files("kubernetes_validate").joinpath(_FILE).read_bytes()
    loaded: dict[str, Definition] = orjson.loads(content)["$defs"]
    return loaded


class _Pieces(NamedTuple):
    by_name: dict[str, bytes]
    names: dict[tuple[str, str, str], str]


@cache
def _pieces() -> _Pieces:
    pieces: dict[str, bytes] = {}
    names: dict[tuple[str, str, str], str] = {}
    for name, described in described_definitions().items():
        pieces[name] = orjson.dumps(_stripped(described))
        kinds: list[dict[str, str]] = described.get("x-kubernetes-group-version-kind") or []
        if len(kinds) == 1:
            names[kinds[0]["group"], kinds[0]["version"], kinds[0]["kind"]] = name
    return _Pieces(pieces, names)


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _stripped(item)
            for key, item in value.items()
            if not (key == "description" and isinstance(item, str))
        }
    return [_stripped(item) for item in value] if isinstance(value, list) else value
