"""Eviction thresholds as they are configured, and which of them are met. Pure."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from kubeling.objects import quantity
from runtime.eviction.signals import (
    ALLOCATABLE_MEMORY,
    MEMORY_AVAILABLE,
    MEMORY_SIGNALS,
    RESOURCES,
    Observation,
    Observations,
)
from runtime.kubelet_configuration import KubeletConfiguration

_NEVER = ("0%", "100%")
"""Upstream's way to switch a threshold off."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity as it was written, or a share of the capacity."""

    text: str

    def of(self, capacity: int) -> str:
        """As a quantity."""
        if not self.text.endswith("%"):
            return quantity.canonical(self.text)
        return quantity.format_quantity(Decimal(int(capacity * _share(self.text))), "binary")


@dataclass(frozen=True, slots=True)
class Threshold:
    """Met while less than `amount` of the signal is available. `grace` is in seconds; without it is hard."""

    signal: str
    amount: Amount
    grace: float = 0.0
    reclaim: Amount | None = None
    """How much more than the threshold has to be free before it counts as no longer met."""

    @property
    def hard(self) -> bool:
        return not self.grace

    @property
    def resource(self) -> str:
        return RESOURCES[self.signal]

    def is_met(self, seen: Observation, *, with_reclaim: bool = False) -> bool:
        wanted = quantity.parse(self.amount.of(seen.capacity))
        if with_reclaim and self.reclaim is not None:
            wanted += quantity.parse(self.reclaim.of(seen.capacity))
        return wanted > seen.available


def configured(settings: KubeletConfiguration) -> tuple[Threshold, ...]:
    """The node's thresholds. What all pods together may have is watched as the node's memory is."""
    reclaim = settings.eviction_minimum_reclaim
    hard = list(_thresholds(settings.eviction_hard, {}, reclaim))
    soft = list(_thresholds(settings.eviction_soft, settings.eviction_soft_grace_period, reclaim))
    pods = [replace(each, signal=ALLOCATABLE_MEMORY) for each in hard if each.signal == MEMORY_AVAILABLE]
    enforced = "pods" in settings.enforce_node_allocatable
    return (*hard, *soft, *(pods if enforced else ()))


def _thresholds(
    amounts: Mapping[str, str], grace: Mapping[str, float], reclaim: Mapping[str, str]
) -> Iterator[Threshold]:
    for signal, text in amounts.items():
        if signal in RESOURCES and text not in _NEVER:
            more = Amount(reclaim[signal]) if signal in reclaim else None
            yield Threshold(signal, Amount(text), grace.get(signal, 0.0), more)


def met(
    thresholds: Iterable[Threshold], seen: Observations, *, with_reclaim: bool = False
) -> list[Threshold]:
    """Whatever their grace periods are."""
    return [
        each
        for each in thresholds
        if each.signal in seen and each.is_met(seen[each.signal], with_reclaim=with_reclaim)
    ]


def by_urgency(thresholds: Iterable[Threshold]) -> list[Threshold]:
    """Memory before all else."""
    return sorted(thresholds, key=lambda each: each.signal not in MEMORY_SIGNALS)


def _share(percentage: str) -> float:
    """In single precision, as upstream calculates."""
    single: float = struct.unpack("f", struct.pack("f", float(percentage.rstrip("%"))))[0]
    hundredth: float = struct.unpack("f", struct.pack("f", single / 100))[0]
    return hundredth
