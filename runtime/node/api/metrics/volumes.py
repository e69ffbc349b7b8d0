"""The part of /metrics that is about volumes: how many there are of each kind, and how full claims are."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from kubeling.objects.meta import Object
from runtime.node.api.metrics.page import gauge
from runtime.pods.work import PodWork
from runtime.stats.usage import FileSystem, PodUsage
from runtime.volumes.volumes import PLUGINS

if TYPE_CHECKING:
    from prometheus_client import Metric

_STATS = {
    "kubelet_volume_stats_capacity_bytes": ("Capacity in bytes of the volume", "capacity"),
    "kubelet_volume_stats_available_bytes": ("Number of available bytes in the volume", "available"),
    "kubelet_volume_stats_used_bytes": ("Number of used bytes in the volume", "used"),
    "kubelet_volume_stats_inodes": ("Maximum number of inodes in the volume", "inodes"),
    "kubelet_volume_stats_inodes_free": ("Number of free inodes in the volume", "inodes_free"),
    "kubelet_volume_stats_inodes_used": ("Number of used inodes in the volume", "inodes_used"),
}
_NAMES = {**PLUGINS, "hostPath": "host-path", "local": "local-volume"}


def volume_counts(works: Iterable[PodWork]) -> "Metric":
    """Each volume of each pod that has not been cleaned away: wanted, and set up."""
    counts: Counter[tuple[str, str]] = Counter()
    for work in works:
        states = ["desired_state_of_world", *(["actual_state_of_world"] if work.volumes_ready else [])]
        names = [] if work.settled else [_plugin_name(each) for each in work.used_volumes]
        counts.update((name, state) for name in names if name for state in states)
    total = gauge(
        "volume_manager_total_volumes", "Number of volumes in Volume Manager", ("plugin_name", "state")
    )
    for labels, count in sorted(counts.items()):
        total.add_metric(labels, count)
    return total


def _plugin_name(volume: Object) -> str:
    """Empty of a claim of which it is not known what it is bound to."""
    source = (volume.get("persistentVolume") or {}).get("spec") or volume
    return next((f"kubernetes.io/{plugin}" for kind, plugin in _NAMES.items() if kind in source), "")


def claim_stats(usages: Sequence[PodUsage]) -> Iterable["Metric"]:
    """Of claims, each once, whatever the number of pods that use it."""
    claims: dict[tuple[str, str], FileSystem] = {
        (usage.pod["metadata"]["namespace"], volume.claim): volume.usage
        for usage in usages
        for volume in usage.volumes
        if volume.claim
    }
    for name, (text, attribute) in _STATS.items():
        family = gauge(name, text, ("namespace", "persistentvolumeclaim"))
        for claim, found in claims.items():
            amount = getattr(found, attribute)
            if amount is not None:
                family.add_metric([*claim], amount)
        yield family
