"""What the node has, what of it pods can be given, and what all pods together may use. Pure.

capacity ── kube-reserved, system-reserved ──> enforced ── hard eviction thresholds ──> allocatable
"""

import struct
from collections.abc import Mapping

from kubeling.objects import quantity
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.node.machine import Machine

_SIGNALS = {"memory.available": "memory", "nodefs.available": "ephemeral-storage"}
"""The eviction signals for which something is held back."""


def capacity(machine: Machine, kubelet: KubeletConfiguration) -> dict[str, str]:
    return {
        "cpu": str(machine.cpus),
        "memory": f"{machine.memory // 1024}Ki",
        "ephemeral-storage": f"{machine.disk // 1024}Ki",
        "pods": str(_most_pods(machine, kubelet)),
        **{name: str(size) for name, size in machine.huge_pages.items()},
    }


def allocatable(machine: Machine, kubelet: KubeletConfiguration) -> dict[str, str]:
    """Never less than nothing. Huge pages are memory that is set aside."""
    whole = capacity(machine, kubelet)
    left = _without(_enforced(whole, kubelet), _thresholds(whole, kubelet))
    for name in machine.huge_pages:
        left = _without(left, {"memory": left[name]})
    return left


def enforced(machine: Machine, kubelet: KubeletConfiguration) -> dict[str, str]:
    return _enforced(capacity(machine, kubelet), kubelet)


def _enforced(whole: Mapping[str, str], kubelet: KubeletConfiguration) -> dict[str, str]:
    return _without(_without(whole, kubelet.kube_reserved), kubelet.system_reserved)


def _most_pods(machine: Machine, kubelet: KubeletConfiguration) -> int:
    if kubelet.pods_per_core > 0:
        return min(machine.cpus * kubelet.pods_per_core, kubelet.max_pods)
    return kubelet.max_pods


def _thresholds(whole: Mapping[str, str], kubelet: KubeletConfiguration) -> dict[str, str]:
    return {
        name: _threshold(kubelet.eviction_hard[signal], whole[name])
        for signal, name in _SIGNALS.items()
        if signal in kubelet.eviction_hard
    }


def _threshold(given: str, whole: str) -> str:
    if not given.endswith("%"):
        return given
    (share,) = struct.unpack("f", struct.pack("f", float(given[:-1]) / 100))  # upstream's precision
    return str(int(quantity.value(whole) * share))


def _without(amounts: Mapping[str, str], taken: Mapping[str, str]) -> dict[str, str]:
    return {
        name: _difference(amount, taken[name]) if name in taken else amount
        for name, amount in amounts.items()
    }


def _difference(amount: str, taken: str) -> str:
    left = quantity.subtract(amount, taken)
    return "0" if quantity.parse(left) < 0 else left
