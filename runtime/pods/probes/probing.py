"""Probes the containers of one pod: when, how often, and what their results mean.

Each probe of each running container has a task of its own. Until startup has succeeded the others wait.

    readiness   not ready until it succeeds; goes back and forth with its thresholds
    liveness    well until failureThreshold tries in a row have failed: then the container is killed
    startup     like liveness, until it has succeeded once: then it ends
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from kubeling.objects.meta import Object, is_terminating
from kubeling.objects.tasks import Tasks
from runtime.pods.actions import ProbeResults
from runtime.pods.containers.kinds import statuses_of
from runtime.pods.observed import ObservedContainer
from runtime.pods.probes.probe import Outcome, run_probe
from runtime.pods.status.container import container_id
from runtime.pods.tally import Probed
from runtime.pods.work import PodWork

READINESS, LIVENESS, STARTUP = "readiness", "liveness", "startup"


class _Key(NamedTuple):
    container_id: str
    kind: str


@dataclass(slots=True)
class _Result:
    """`success` is the probe's standing; a streak of other outcomes may turn it."""

    name: str
    success: bool
    streak: int = 0
    last: bool | None = None

    def count(self, outcome: bool, probe: Object) -> bool:
        """Take one outcome in; returns whether the standing has turned."""
        self.streak = self.streak + 1 if outcome is self.last else 1
        self.last = outcome
        needed = probe.get("successThreshold" if outcome else "failureThreshold") or (1 if outcome else 3)
        if self.streak < needed or self.success is outcome:
            return False
        self.success = outcome
        return True


class Probing:
    """Call `sync` after each look at the runtime; it wakes the worker when a result turns."""

    def __init__(self, work: PodWork) -> None:
        self._work = work
        self._results: dict[_Key, _Result] = {}
        self._tasks: dict[_Key, Tasks] = {}

    def sync(self) -> None:
        """Probe what runs now, forget what does not, and put the results into the pod's work."""
        wanted = dict(self._wanted())
        for key in [key for key in self._results if key not in wanted]:
            self._end(key)
        for key, (container, observed, probe) in wanted.items():
            if key not in self._results:
                self._results[key] = _Result(container["name"], self._initial(key, observed))
            if key not in self._tasks and self._may_begin(key):
                self._begin(key, container, observed, probe)
        self._publish()

    async def stop(self) -> None:
        for tasks in self._tasks.values():
            await tasks.stop()
        self._tasks.clear()

    def _wanted(self) -> Iterator[tuple[_Key, tuple[Object, ObservedContainer, Object]]]:
        terminating = self._work.gone or is_terminating(self._work.pod)
        kinds = (READINESS,) if terminating else (STARTUP, LIVENESS, READINESS)
        for observed in self._work.view.observed.running():
            container = self._work.container(observed.name)
            if container is None or observed.id in self._work.hooked:
                continue
            for kind in kinds:
                if container.get(f"{kind}Probe"):
                    yield _Key(observed.id, kind), (container, observed, container[f"{kind}Probe"])

    def _initial(self, key: _Key, observed: ObservedContainer) -> bool:
        """Before the first outcome. A container that was ready stays so when the agent restarts."""
        if key.kind == LIVENESS:
            return True
        field = "ready" if key.kind == READINESS else "started"
        for each in statuses_of(self._work.writer.latest):
            if each.get("containerID") == container_id(observed):
                return bool(each.get(field))
        return False

    def _may_begin(self, key: _Key) -> bool:
        startup = self._results.get(_Key(key.container_id, STARTUP))
        if key.kind == STARTUP:
            return startup is None or not startup.success
        return startup is None or startup.success

    def _begin(self, key: _Key, container: Object, observed: ObservedContainer, probe: Object) -> None:
        tasks = self._tasks[key] = Tasks(f"probe-{container['name']}-{key.kind}")
        tasks.start(self._follow(key, container, observed, probe), name="probe")

    def _end(self, key: _Key) -> None:
        self._results.pop(key, None)
        tasks = self._tasks.pop(key, None)
        if tasks is not None:
            self._work.activities.begin(f"probe-end/{key.container_id}/{key.kind}", tasks.stop)

    async def _follow(self, key: _Key, container: Object, observed: ObservedContainer, probe: Object) -> None:
        clock, period = self._work.context.clock, float(probe.get("periodSeconds") or 10)
        await clock.sleep(self._first_delay(observed, probe))
        while key in self._results:
            began = clock.monotonic()
            await self._try(key, container, probe)
            if self._is_decided(key, probe):
                return
            await clock.sleep(began + period - clock.monotonic())

    def _is_decided(self, key: _Key, probe: Object) -> bool:
        """Whether the container has started up, or will be killed: then there is nothing left to ask it."""
        result = self._results.get(key)
        if result is None or key.kind == READINESS:
            return result is None
        if key.kind == STARTUP:
            return result.success or self._startup_has_failed(key, result, probe)
        return not result.success

    def _first_delay(self, observed: ObservedContainer, probe: Object) -> float:
        """What is left of initialDelaySeconds; after the agent's restart probes spread over their period."""
        delay = float(probe.get("initialDelaySeconds") or 0)
        age = self._work.context.clock.monotonic() - self._work.view.since(observed.id)
        if age > delay + 10:
            return random.random() * min(float(probe.get("periodSeconds") or 10), 1.0)
        return max(delay - age, 0.0)

    async def _try(self, key: _Key, container: Object, probe: Object) -> None:
        work = self._work
        clock = work.context.clock
        began = clock.monotonic()
        outcome = await run_probe(work.context.runtime, probe, container, key.container_id, work.host)
        probed = Probed(work.identity, container["name"], key.kind.capitalize())
        work.context.tally.probed(probed, outcome.success, clock.monotonic() - began)
        result = self._results.get(key)
        if result is None:
            return
        self._tell(key.kind, container["name"], outcome)
        turned = outcome.success is not None and result.count(outcome.success, probe)
        if turned or self._startup_has_failed(key, result, probe):
            work.wake()

    def _startup_has_failed(self, key: _Key, result: _Result, probe: Object) -> bool:
        return key.kind == STARTUP and result.last is False and result.streak >= _failures(probe)

    def _tell(self, kind: str, name: str, outcome: Outcome) -> None:
        probe, tell = f"{kind.capitalize()} probe", self._work.events.warning
        if outcome.success is None:
            tell(
                "Unhealthy",
                f"{probe} errored and resulted in unknown state: {outcome.output}",
                container=name,
            )
        elif outcome.warning:
            tell("ProbeWarning", f"{probe} warning: {outcome.output}", container=name)
        elif not outcome.success:
            tell("Unhealthy", f"{probe} failed: {outcome.output}", container=name)

    def _publish(self) -> None:
        self._work.probes = ProbeResults(
            liveness_failed=frozenset(
                each.name for key, each in self._results.items() if key.kind == LIVENESS and not each.success
            ),
            startup_failed=frozenset(
                each.name for key, each in self._results.items() if self._is_dead_at_start(key, each)
            ),
            not_started=frozenset(
                each.name for key, each in self._results.items() if key.kind == STARTUP and not each.success
            ),
        )
        self._work.unready = frozenset(
            each.name for key, each in self._results.items() if key.kind == READINESS and not each.success
        )

    def _is_dead_at_start(self, key: _Key, result: _Result) -> bool:
        container = self._work.container(result.name) or {}
        return self._startup_has_failed(key, result, container.get("startupProbe") or {})


def _failures(probe: Object) -> int:
    return int(probe.get("failureThreshold") or 3)
