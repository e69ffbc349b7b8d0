"""Reads a node's /metrics/resource: the few metrics that are of interest, in Prometheus' text format.

Samples that bear no label `node` are of the node that was asked.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from server.api.resource_metrics.points import PodKey, Point, Sample

_LINE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: (-?\d+))?")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_CPU, _MEMORY, _START = "cpu_usage_seconds_total", "memory_working_set_bytes", "start_time_seconds"


class _Line(NamedTuple):
    name: str
    labels: dict[str, str]
    value: float
    time: float | None


class _Parts:
    """What has been read of one thing."""

    __slots__ = ("cpu", "memory", "started", "time")

    def __init__(self) -> None:
        self.cpu: float | None = None
        self.memory: float | None = None
        self.started: float | None = None
        self.time: float | None = None

    def take(self, what: str, line: _Line) -> None:
        if what == _CPU:
            self.cpu, self.time = line.value, line.time
        elif what == _MEMORY:
            self.memory = line.value
        elif what == _START:
            self.started = line.value

    def sample(self, now: float) -> Sample | None:
        """None when one of the two is missing: half a usage is none."""
        if self.cpu is None or self.memory is None:
            return None
        return Sample(self.time or now, self.cpu, int(self.memory), self.started)


def point_of(text: str, node: str, *, now: float) -> Point:
    """`now` (seconds since the epoch) is the time of what has none of its own."""
    nodes: dict[str, _Parts] = {}
    containers: dict[tuple[PodKey, str], _Parts] = {}
    for line in _lines(text):
        kind, _, what = line.name.partition("_")
        labels = line.labels
        if kind == "node":
            nodes.setdefault(labels.get("node", node), _Parts()).take(what, line)
        elif kind == "container" and labels.get("container"):
            pod = (labels.get("namespace", ""), labels.get("pod", ""))
            containers.setdefault((pod, labels["container"]), _Parts()).take(what, line)
    found: dict[PodKey, dict[str, Sample]] = {}
    for (pod, name), parts in containers.items():
        if (sample := parts.sample(now)) is not None:
            found.setdefault(pod, {})[name] = sample
    known = {name: sample for name, parts in nodes.items() if (sample := parts.sample(now)) is not None}
    return Point(known, found)


def _lines(text: str) -> Iterator[_Line]:
    for raw in text.splitlines():
        match = _LINE.fullmatch(raw)
        if match is None or raw.startswith("#"):
            continue
        name, labels, value, stamp = match.groups()
        try:
            number = float(value)
        except ValueError:
            continue
        yield _Line(name, dict(_LABEL.findall(labels or "")), number, int(stamp) / 1000 if stamp else None)
