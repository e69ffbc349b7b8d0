"""What was read at one moment, and what two such moments say of the usage in between. Pure."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)
PodKey = tuple[str, str]
"""Namespace and name."""

SHORTEST, USUAL, LONGEST = 0.5, 8.0, 90.0
"""Seconds between two looks: less says nothing, that much is enough, more is too long ago."""


class Sample(NamedTuple):
    """`time` and `started` are seconds since the epoch, `cpu` is in core-seconds, `memory` in bytes."""

    time: float
    cpu: float
    memory: int
    started: float | None = None


class Usage(NamedTuple):
    """Of the `window` (seconds) before `time`."""

    time: float
    window: float
    nanocores: int
    memory: int


@dataclass(frozen=True, slots=True)
class Point:
    """Nodes by name, containers by pod and name."""

    nodes: Mapping[str, Sample] = field(default_factory=dict)
    containers: Mapping[PodKey, Mapping[str, Sample]] = field(default_factory=dict)


def merged(points: Iterable[Point]) -> Point:
    nodes: dict[str, Sample] = {}
    containers: dict[PodKey, Mapping[str, Sample]] = {}
    for point in points:
        nodes.update(point.nodes)
        containers.update(point.containers)
    return Point(nodes, containers)


def node_usage(points: Sequence[Point], node: str) -> Usage | None:
    """By points with the oldest first; None while they do not tell."""
    return _usage([point.nodes[node] for point in points if node in point.nodes])


def pod_usage(points: Sequence[Point], pod: PodKey) -> dict[str, Usage] | None:
    """Of each of the pod's containers; None while one of them is not known."""
    found: dict[str, Usage] = {}
    for name in points[-1].containers.get(pod, {}) if points else ():
        samples = [point.containers[pod][name] for point in points if name in point.containers.get(pod, {})]
        usage = _usage(samples)
        if usage is None:
            return None
        found[name] = usage
    return found or None


def _usage(samples: Sequence[Sample]) -> Usage | None:
    """Since the latest sample that lies far enough back, else since the oldest; a young container also since
    its start."""
    if not samples:
        return None
    *before, now = samples
    same = [each for each in before if each.started == now.started and each.cpu <= now.cpu]
    if now.started is not None:
        same.insert(0, Sample(now.started, 0.0, 0, now.started))
    usable = [each for each in same if SHORTEST <= now.time - each.time <= LONGEST]
    far = [each for each in usable if now.time - each.time >= USUAL]
    if not usable:
        return None
    since = max(far, key=_time) if far else min(usable, key=_time)
    window = now.time - since.time
    return Usage(now.time, window, round((now.cpu - since.cpu) / window * 1e9), now.memory)


def _time(sample: Sample) -> float:
    return sample.time
