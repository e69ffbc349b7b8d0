"""Sets of completion indexes as ordered intervals, and their text in a Job's status: `0,2-4`.

Malformed parts of a text are passed over: registry validation keeps them out.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kubeling.objects import meta
from kubeling.objects.meta import Object

INDEX = "batch.kubernetes.io/job-completion-index"
"""The annotation and the label that hold a pod's index."""
UNKNOWN = -1


def index_of(pod: Object) -> int:
    """The pod's completion index, UNKNOWN when it has none."""
    text = meta.annotations(pod).get(INDEX, "")
    return int(text) if text.isdecimal() else UNKNOWN


class Interval(NamedTuple):
    first: int
    last: int


class Indexes:
    """Immutable. Iterates over its intervals in order; they neither touch nor overlap."""

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        merged: list[Interval] = []
        for interval in sorted(intervals):
            if merged and interval.first <= merged[-1].last + 1:
                merged[-1] = Interval(merged[-1].first, max(merged[-1].last, interval.last))
            else:
                merged.append(interval)
        self._intervals = tuple(merged)
        self._firsts = [interval.first for interval in merged]

    @classmethod
    def parse(cls, text: str, completions: int) -> "Indexes":
        """What is at or beyond `completions` is left out: the job may have shrunk."""
        found = (_interval(part) for part in text.split(",") if part)
        return cls(
            Interval(each.first, min(each.last, completions - 1))
            for each in found
            if each is not None and each.first < completions
        )

    def __iter__(self) -> Iterator[Interval]:
        return iter(self._intervals)

    def __contains__(self, index: int) -> bool:
        position = bisect_right(self._firsts, index) - 1
        return position >= 0 and index <= self._intervals[position].last

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self._intervals)

    def __str__(self) -> str:
        return ",".join(_text(interval) for interval in self._intervals)

    def with_indexes(self, indexes: Iterable[int]) -> "Indexes":
        return Indexes([*self._intervals, *(Interval(index, index) for index in indexes)])

    def union(self, other: "Indexes") -> "Indexes":
        return Indexes([*self._intervals, *other])

    def first_missing(self, count: int, completions: int) -> list[int]:
        """The `count` lowest indexes below `completions` that are not in the set."""
        missing: list[int] = []
        candidate = 0
        for first, last in (*self._intervals, Interval(completions, completions)):
            end = min(first, candidate + count - len(missing), completions)
            missing.extend(range(candidate, end))
            candidate = last + 1
        return missing


def _interval(part: str) -> Interval | None:
    first, dash, last = part.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        return None
    return Interval(int(first), int(last or first))


def _text(interval: Interval) -> str:
    first, last = interval
    if first == last:
        return str(first)
    return f"{first},{last}" if last == first + 1 else f"{first}-{last}"
