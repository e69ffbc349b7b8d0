"""How long a job waits before it replaces pods that failed: 10 s doubling to 10 min from the last failure.

The failures that count are those in a row, since the last success, by the times at which pods ended.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object

FIRST = 10.0
LONGEST = 600.0


@dataclass(frozen=True, slots=True)
class Failures:
    """Those in a row, and when the last one was."""

    count: int = 0
    last: datetime | None = None

    def after(self, succeeded: list[Object], failed: list[Object]) -> "Failures":
        """With what has ended since."""
        if not succeeded and not failed:
            return self
        times = sorted(finish_time(pod) for pod in failed)
        if not succeeded:
            return Failures(self.count + len(times), times[-1])
        success = max(finish_time(pod) for pod in succeeded)
        later = [each for each in times if each > success]
        return Failures(len(later), later[-1]) if later else Failures()

    def remaining(self, now: datetime) -> float:
        """Seconds to wait still."""
        if not self.count or self.last is None:
            return 0.0
        delay = min(FIRST * 2.0 ** min(self.count - 1, 30), LONGEST)
        return max(0.0, delay - (now - self.last).total_seconds())


def finish_time(pod: Object) -> datetime:
    """When the last container ended; else it ceased to be ready, its deletion began, it was made."""
    if (ended := _containers_end(pod)) is not None:
        return ended
    ready = conditions.find(pod, "Ready")
    if ready is not None and ready.get("status") == "False" and ready.get("lastTransitionTime"):
        return meta.parse_timestamp(ready["lastTransitionTime"])
    metadata = meta.metadata(pod)
    if metadata.get("deletionTimestamp"):
        grace = timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)
        return meta.parse_timestamp(metadata["deletionTimestamp"]) - grace
    return meta.parse_timestamp(metadata["creationTimestamp"])


def _containers_end(pod: Object) -> datetime | None:
    """Of the containers and the sidecars, which end last; None unless all have ended."""
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    sidecars = {each["name"] for each in spec.get("initContainers") or () if "restartPolicy" in each}
    init = (each for each in status.get("initContainerStatuses") or () if each["name"] in sidecars)
    containers = [*(status.get("containerStatuses") or ()), *init]
    ends = [((each.get("state") or {}).get("terminated") or {}).get("finishedAt") for each in containers]
    return max(meta.parse_timestamp(str(end)) for end in ends) if ends and all(ends) else None
