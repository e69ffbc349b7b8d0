"""The printer columns of a custom kind, and the cells under them, as the API server and kubectl show them."""

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.registry import columns
from server.registry.ages import age
from server.registry.columns import Column
from server.registry.custom import jsonpath
from server.registry.custom.jsonpath import JSONPathError, Path

_CREATED: Object = {
    "name": "Age",
    "type": "date",
    "jsonPath": ".metadata.creationTimestamp",
    "description": columns.AGE.description,
}
_LARGEST_WHOLE = 1e21
"""From here on Go writes a float with an exponent."""

Cell = Callable[[Any, datetime], Any]


class CustomColumns:
    def __init__(self, definitions: Iterable[Object]) -> None:
        """From additionalPrinterColumns; without any there is the age."""
        chosen = list(definitions) or [_CREATED]
        self.columns: Sequence[Column] = (columns.NAME, *map(_column, chosen))
        self._makers = [(_path(each["jsonPath"]), _CELLS.get(each["type"], _nothing)) for each in chosen]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        found: list[Any] = [meta.name(obj)]
        for path, cell in self._makers:
            value = next(jsonpath.find(path, obj), None) if path is not None else None
            found.append(None if value is None else cell(value, now))
        return found


def _column(found: Object) -> Column:
    text = f"Custom resource definition column (in JSONPath format): {found['jsonPath']}"
    return Column(
        found["name"],
        found["type"],
        found.get("format") or "",
        found.get("description") or text,
        found.get("priority") or 0,
    )


def _path(text: str) -> Path | None:
    """A path that nobody can read leads nowhere."""
    try:
        return jsonpath.parse(text)
    except JSONPathError:
        return None


def _nothing(value: Any, now: datetime) -> Any:
    return None


def _integer(value: Any, now: datetime) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) else None


def _number(value: Any, now: datetime) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _boolean(value: Any, now: datetime) -> Any:
    return value if isinstance(value, bool) else None


def _text(value: Any, now: datetime) -> Any:
    return go_text(value)


def _date(value: Any, now: datetime) -> Any:
    if not isinstance(value, str):
        return None
    try:
        meta.parse_timestamp(value)
    except ValueError:
        return "<invalid>"
    return age(value, now)


_CELLS: dict[str, Cell] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "string": _text,
    "date": _date,
}


def go_text(value: Any) -> str:
    """A value as Go's JSON path printer writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_WHOLE:
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
