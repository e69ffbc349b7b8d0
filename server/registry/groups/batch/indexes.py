"""Sets of a Job's completion indexes as text, such as `0,2-4`."""

import re

from kubeling.objects.errors import Cause
from server.registry.causes import invalid

_NUMBER = re.compile(r"[-+]?\d+")


class IndexesError(ValueError):
    """The text is not a set of indexes; the message says why."""


def count_indexes(text: str, completions: int) -> int:
    """How many indexes the text names.

    Raises:
        IndexesError: they are malformed, out of order or too large.
    """
    total, last = 0, -1
    for part in text.split(",") if text else ():
        first, end = _interval(part, completions)
        if last >= first:
            raise IndexesError(f"non-increasing order, previous: {last}, current: {first}")
        total += end - first + 1
        last = end
    return total


def _interval(part: str, completions: int) -> tuple[int, int]:
    limits = part.split("-")
    if len(limits) > 2:
        why = "violates the requirement that an index interval can have at most two parts separated by '-'"
        raise IndexesError(f'the fragment "{part}" {why}')
    first = _index(limits[0], completions)
    if len(limits) == 1:
        return first, first
    last = _index(limits[1], completions)
    if first >= last:
        raise IndexesError(f"non-increasing order, previous: {first}, current: {last}")
    return first, last


def _index(text: str, completions: int) -> int:
    if not _NUMBER.fullmatch(text):
        raise IndexesError(f'cannot convert string to integer for index: "{text}"')
    if int(text) >= completions:
        raise IndexesError(f'too large index: "{text}"')
    return int(text)


def indexes_causes(field: str, text: str | None, completions: int | None) -> list[Cause]:
    """`field` is the path of the text, whose last part is in the message."""
    if not text or completions is None:
        return []
    try:
        count_indexes(text, completions)
    except IndexesError as error:
        return [invalid(field, text, f"error parsing {field.rpartition('.')[2]}: {error}")]
    return []
