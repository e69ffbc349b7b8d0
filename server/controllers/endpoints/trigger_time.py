"""When the oldest of those changes happened that a write brings, to measure how long it took."""

from collections.abc import Iterable, Mapping

from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object

ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"


class TriggerTimes:
    """Of each Service the times that are known already. Times are texts of one form, in whole seconds."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Mapping[str, str]]] = {}

    def take(self, service: Object, pods: Iterable[Object]) -> str:
        """The earliest time that was not known at the last call, "" when there is none."""
        key = meta.key(service)
        created = str(meta.metadata(service).get("creationTimestamp") or "")
        times = {meta.name(pod): time for pod in pods if (time := _ready_changed(pod))}
        known_created, known = self._known.get(key, ("", {}))
        fresh = [time for name, time in times.items() if time > known.get(name, "")]
        if created > known_created:
            fresh.append(created)
        self._known[key] = (created, times)
        return min(fresh, default="")

    def forget(self, key: str) -> None:
        self._known.pop(key, None)


def _ready_changed(pod: Object) -> str:
    return str((conditions.find(pod, "Ready") or {}).get("lastTransitionTime") or "")
