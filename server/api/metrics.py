"""Counts and durations of requests, under upstream's names, and the page that /metrics serves.

Counting is a few dictionary and list operations per request. prometheus-client writes the page, and is
imported when somebody first asks for it.
"""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from server.api.requestinfo import Target
from server.api.storage_metrics import storage_metrics
from server.storage import Usage

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

_BUCKETS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0,
    20.0, 30.0, 45.0, 60.0,
)  # fmt: skip


_FAILED = 400
_LABELS = list(Target._fields)


class _Durations:
    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BUCKETS) + 1)
        self.total = 0.0


class RequestMetrics:
    """The request counters of one server, and what its store says of itself when the page is asked for."""

    def __init__(self, *, usage: Callable[[], Awaitable[Usage]] | None = None) -> None:
        self._ask_usage = usage
        self._usage: Usage | None = None
        self._requests: dict[tuple[Target, int], int] = {}
        self._durations: dict[Target, _Durations] = {}
        self._running: dict[Target, int] = {}
        self._known: set[Target] = set()

    def observe(self, target: Target, code: int, seconds: float) -> None:
        """Count one finished request; long-running ones (watch, exec) should not come with a duration."""
        target = self._counted(target, code)
        key = (target, code)
        self._requests[key] = self._requests.get(key, 0) + 1
        durations = self._durations.get(target)
        if durations is None:
            durations = self._durations[target] = _Durations()
        durations.counts[bisect_left(_BUCKETS, seconds)] += 1
        durations.total += seconds

    def count(self, target: Target, code: int) -> None:
        """Count one request without a duration."""
        key = (self._counted(target, code), code)
        self._requests[key] = self._requests.get(key, 0) + 1

    def running(self, target: Target, change: int) -> None:
        """Note that a long-running request began (+1) or ended (-1)."""
        self._running[target] = self._running.get(target, 0) + change

    def _counted(self, target: Target, code: int) -> Target:
        """What is counted by itself: all that was ever answered well. Strangers can ask for any number of
        resources that do not exist, which must not fill the memory."""
        if target in self._known:
            return target
        if code < _FAILED:
            self._known.add(target)
            return target
        return Target(target.verb)

    async def page(self) -> bytes:
        """All metrics in Prometheus' text format."""
        if self._ask_usage is not None:
            self._usage = await self._ask_usage()
        from prometheus_client import generate_latest

        return generate_latest(self._registry)

    @cached_property
    def _registry(self) -> "CollectorRegistry":
        from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

        registry = CollectorRegistry()
        registry.register(self)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        return registry

    def collect(self) -> Iterable["Metric"]:
        """prometheus-client's protocol for a collector."""
        yield self._request_total()
        yield self._request_durations()
        yield self._long_running()
        if self._usage is not None:
            yield from storage_metrics(self._usage)

    def describe(self) -> Iterable["Metric"]:
        return ()

    def _request_total(self) -> "Metric":
        from prometheus_client.core import CounterMetricFamily

        text = "Requests by verb, resource, scope and HTTP code."
        family = CounterMetricFamily("apiserver_request", text, labels=[*_LABELS, "code"])
        for (target, code), count in self._requests.items():
            family.add_metric([*target, str(code)], count)
        return family

    def _request_durations(self) -> "Metric":
        from prometheus_client.core import HistogramMetricFamily

        text = "Response times in seconds by verb, resource and scope."
        family = HistogramMetricFamily("apiserver_request_duration_seconds", text, labels=_LABELS)
        for target, durations in self._durations.items():
            family.add_metric([*target], _cumulative(durations.counts), durations.total)
        return family

    def _long_running(self) -> "Metric":
        from prometheus_client.core import GaugeMetricFamily

        text = "Long-running requests under way: watches, logs, exec and the like."
        family = GaugeMetricFamily("apiserver_longrunning_requests", text, labels=_LABELS)
        for target, count in self._running.items():
            family.add_metric([*target], count)
        return family


def _cumulative(counts: list[int]) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for bound, count in zip([*map(str, _BUCKETS), "+Inf"], counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets
