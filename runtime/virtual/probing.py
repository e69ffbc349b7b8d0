"""Probes on virtual nodes: they succeed, unless the pod's annotations say that they fail. Nothing is asked.

A probe has its first outcome after initialDelaySeconds. `ready` set to "false" takes readiness at once, and
gives it back when it goes: so does a container without a probe. A liveness or startup probe that is said to
fail does so for failureThreshold periods, then the container is killed.
"""

from collections.abc import Iterator

from kubeling.objects.meta import Object
from runtime.pods.actions import ProbeResults
from runtime.pods.observed import ObservedContainer
from runtime.pods.work import PodWork
from runtime.virtual.wishes import Wishes

READY, LIVE, STARTED = "ready", "live", "started"


class VirtualProbing:
    """Implements `Probes`."""

    def __init__(self, work: PodWork) -> None:
        self._work = work
        self._failing_since: dict[tuple[str, str], float] = {}

    def sync(self) -> None:
        running = [(each, self._work.container(each.name)) for each in self._work.view.observed.running()]
        states = [(each, spec) for each, spec in running if spec is not None]
        not_started = frozenset(each.name for each, spec in states if not self._has_started(each, spec))
        self._work.probes = ProbeResults(
            liveness_failed=frozenset(self._failed(states, "livenessProbe", LIVE)),
            startup_failed=frozenset(self._failed(states, "startupProbe", STARTED)),
            not_started=not_started,
        )
        self._work.unready = frozenset(
            each.name for each, spec in states if each.name in not_started or not self._is_ready(each, spec)
        )

    async def stop(self) -> None:
        self._failing_since.clear()

    def _is_ready(self, container: ObservedContainer, spec: Object) -> bool:
        if self._denied(container.name, READY):
            return False
        probe = spec.get("readinessProbe")
        return not probe or self._is_due(container, probe)

    def _has_started(self, container: ObservedContainer, spec: Object) -> bool:
        probe = spec.get("startupProbe")
        if not probe:
            return True
        return not self._denied(container.name, STARTED) and self._is_due(container, probe)

    def _is_due(self, container: ObservedContainer, probe: Object) -> bool:
        """Whether the probe has been tried; the worker wakes when it will be."""
        delay = float(probe.get("initialDelaySeconds") or 0)
        if not delay:
            return True
        left = delay - (self._work.context.clock.monotonic() - self._work.view.since(container.id))
        if left > 0:
            self._wake_in(left)
        return left <= 0

    def _failed(self, states: list[tuple[ObservedContainer, Object]], field: str, key: str) -> Iterator[str]:
        for container, spec in states:
            probe, place = spec.get(field), (container.id, key)
            if not probe or not self._denied(container.name, key):
                self._failing_since.pop(place, None)
            elif self._has_failed(place, probe):
                yield container.name

    def _has_failed(self, place: tuple[str, str], probe: Object) -> bool:
        now = self._work.context.clock.monotonic()
        since = self._failing_since.setdefault(place, now)
        times, period = int(probe.get("failureThreshold") or 3), float(probe.get("periodSeconds") or 10)
        left = since + (times - 1) * period - now
        if left > 0:
            self._wake_in(left)
        return left <= 0

    def _denied(self, name: str, key: str) -> bool:
        return Wishes(self._work.pod, name).denied(key)

    def _wake_in(self, seconds: float) -> None:
        self._work.context.alarms.set_earlier((self._work.identity.uid, "probe"), seconds)
