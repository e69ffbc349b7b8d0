"""What the store takes and holds as metrics: under upstream's names where upstream has the like."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from server.storage import Usage

if TYPE_CHECKING:
    from prometheus_client import Metric


def storage_metrics(usage: Usage) -> Iterator["Metric"]:
    from prometheus_client.core import GaugeMetricFamily

    if usage.size is not None:
        text = "Size of the storage database file physically allocated in bytes."
        size = GaugeMetricFamily("apiserver_storage_size_bytes", text, labels=["storage_cluster_id"])
        size.add_metric([usage.identity], usage.size)
        yield size
    text = "Number of stored objects by resource."
    objects = GaugeMetricFamily("apiserver_storage_objects", text, labels=["resource"])
    for resource, count in usage.objects.items():
        objects.add_metric([resource], count)
    yield objects
    text = "The newest revision of the storage."
    yield GaugeMetricFamily("kubeling_storage_revision", text, value=usage.revision)
    text = "Revisions of history that can still be listed and watched."
    history = usage.revision - usage.compacted
    yield GaugeMetricFamily("kubeling_storage_history_revisions", text, value=history)
