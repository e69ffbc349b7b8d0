"""What the pod workers of a node count as they go, for its metrics. Counting costs next to nothing."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from kubeling.objects.histogram import Histogram
from runtime.pods.identity import PodIdentity

_STARTS = (0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800,
           2700, 3600)  # fmt: skip
_PROBES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Probed(NamedTuple):
    """A probe of a container; `kind` is Liveness, Readiness or Startup."""

    pod: PodIdentity
    container: str
    kind: str


def _pod_starts() -> Histogram:
    return Histogram(_STARTS)


@dataclass(slots=True)
class Tally:
    pod_starts: Histogram = field(default_factory=_pod_starts)
    """From when a pod was seen to when its containers ran."""
    started_sandboxes: int = 0
    sandbox_failures: int = 0
    started_containers: int = 0
    container_failures: Counter[str] = field(default_factory=Counter)
    """By reason."""
    evictions: Counter[str] = field(default_factory=Counter)
    """By the signal."""
    collected_images: Counter[str] = field(default_factory=Counter)
    """By the reason: age or space."""
    probes: dict[Probed, Counter[str]] = field(default_factory=dict)
    """How often with which result: successful, failed, unknown."""
    probe_durations: dict[Probed, Histogram] = field(default_factory=dict)

    def probed(self, probed: Probed, success: bool | None, seconds: float) -> None:
        result = "unknown" if success is None else "successful" if success else "failed"
        self.probes.setdefault(probed, Counter())[result] += 1
        self.probe_durations.setdefault(probed, Histogram(_PROBES)).observe(seconds)

    def forget_probes(self, pod: PodIdentity) -> None:
        """The pod is probed no more."""
        for each in [each for each in self.probes if each.pod == pod]:
            del self.probes[each], self.probe_durations[each]
