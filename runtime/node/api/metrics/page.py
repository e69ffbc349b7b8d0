"""Writes a page of metrics from its families."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from prometheus_client import Metric
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

Labels = tuple[str, ...]


def counter(name: str, text: str, labels: Iterable[str] = ()) -> "CounterMetricFamily":
    from prometheus_client.core import CounterMetricFamily

    return CounterMetricFamily(name, text, labels=list(labels))


def gauge(name: str, text: str, labels: Iterable[str] = ()) -> "GaugeMetricFamily":
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(name, text, labels=list(labels))


def histogram(name: str, text: str, labels: Iterable[str] = ()) -> "HistogramMetricFamily":
    from prometheus_client.core import HistogramMetricFamily

    return HistogramMetricFamily(name, text, labels=list(labels))


class _Families:
    """A collector of families that are there already; one without samples is left out."""

    def __init__(self, families: Iterable["Metric"]) -> None:
        self._families = families

    def collect(self) -> Iterable["Metric"]:
        return (family for family in self._families if family.samples)


def page(families: Iterable["Metric"]) -> web.Response:
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

    body = generate_latest(_Families(families))
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
