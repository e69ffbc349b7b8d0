"""The decision: from a pod's spec and what the runtime reports, what to do next. Pure.

The rules are the kubelet's:

    a container asks for a new start of all ──> kill and remove all, that one last
    no sandbox, or the newest is not ready ──> stop what still runs, then make one if something is to run
    sandbox ready ──> ephemeral containers, once
                  ──> init containers, one after the other (sidecars stay running)
                  ──> then every container that does not run, if its restart policy says so
                  ──> replace containers whose definition changed or whose probe failed
    nothing runs and nothing is to start ──> stop what still runs beside them: sidecars, ephemeral containers
"""

from dataclasses import dataclass, field

from kubeling.objects.meta import Object
from runtime.pods.containers.kinds import (
    EPHEMERAL,
    INIT,
    MAIN,
    STATUSES,
    containers_of,
    is_sidecar,
    kind_of,
)
from runtime.pods.identity import container_hash
from runtime.pods.observed import ObservedContainer, ObservedPod, State
from runtime.pods.restart import is_restartable, restart_policy, restart_sources, should_restart

KILLED = 137
"""The exit code that is assumed of a container of which the runtime does not know how it ended."""


@dataclass(slots=True)
class Actions:
    """What is to be done. Names are container names, in the spec's order."""

    create_sandbox: bool = False
    attempt: int = 0
    """The new sandbox's attempt."""
    stop_sandboxes: list[str] = field(default_factory=list)
    start: list[str] = field(default_factory=list)
    kill: dict[str, str] = field(default_factory=dict)
    """Container id → why, as the event says it."""
    replaced: set[str] = field(default_factory=set)
    """Ids of containers that are killed, or were, to be started anew however they end."""
    remove: list[str] = field(default_factory=list)
    """Ids of ended containers whose records must go before the pod starts anew."""
    restart_all: bool = False
    """Whether what is killed is killed at once, since all start anew."""
    kill_pod: bool = False
    """Whether the pod has come to its end: what still runs is stopped, in the order of a deletion."""
    initialized: bool = False
    """Whether the init containers are done, so that the others may run."""
    failed: bool = False
    """Whether an init container failed and may not be tried again: the pod has failed."""

    @property
    def nothing(self) -> bool:
        return not (self.create_sandbox or self.stop_sandboxes or self.start or self.kill or self.remove)


@dataclass(frozen=True, slots=True)
class ProbeResults:
    """Which containers' newest instances failed a probe that kills, and which have started up."""

    liveness_failed: frozenset[str] = frozenset()
    startup_failed: frozenset[str] = frozenset()
    not_started: frozenset[str] = frozenset()
    """Running containers whose startup probe has not succeeded yet."""
    resized: frozenset[str] = frozenset()
    """Containers that get their new resources by a restart."""
    replaced: frozenset[str] = frozenset()
    """Ids of containers that were killed to be started anew."""


def pod_actions(pod: Object, observed: ObservedPod, probes: ProbeResults = ProbeResults()) -> Actions:
    """What to do for a pod that is wanted (not deleted, not finished)."""
    sources = restart_sources(pod, observed)
    if sources:
        return _restart_all(pod, observed, sources)
    newest = observed.sandbox
    if newest is None or not newest.ready:
        return _without_sandbox(pod, observed)
    actions = Actions(attempt=newest.attempt)
    actions.stop_sandboxes = [
        each.id for each in observed.sandboxes.values() if each.ready and each != newest
    ]
    _init_containers(pod, observed, probes, actions)
    if actions.initialized:
        _containers(pod, observed, probes, actions)
    actions.kill_pod |= actions.failed
    if not actions.kill_pod:
        actions.start[:0] = _ephemeral(pod, observed)
    return actions


def _restart_all(pod: Object, observed: ObservedPod, sources: set[str]) -> Actions:
    actions = Actions(restart_all=True)
    ours = [each for each in observed.containers.values() if kind_of(pod, each.name) != EPHEMERAL]
    actions.kill = {each.id: f"Stopping container {each.name}" for each in ours if each.running}
    others = [each.id for each in ours if not each.running and each.id not in sources]
    actions.remove = others if others or actions.kill else sorted(sources)
    return actions


def _without_sandbox(pod: Object, observed: ObservedPod) -> Actions:
    newest, containers = observed.sandbox, containers_of(pod, MAIN)
    actions = Actions(attempt=0 if newest is None else newest.attempt + 1)
    if any(observed.running()):
        actions.kill_pod = True
        return actions
    ran = newest is not None and observed.containers
    if ran and restart_policy(pod) == "Never" and not any(is_restartable(pod, each) for each in containers):
        return actions
    actions.create_sandbox = any(not _is_finished(pod, each, observed) for each in containers)
    return actions


def _is_finished(pod: Object, container: Object, observed: ObservedPod) -> bool:
    latest = observed.latest(container["name"])
    return latest is not None and latest.succeeded and restart_policy(pod, container) == "OnFailure"


def _ephemeral(pod: Object, observed: ObservedPod) -> list[str]:
    """Those that have never been made: they are not started again, not even when their records are lost."""
    shown = (pod.get("status") or {}).get(STATUSES[EPHEMERAL]) or []
    ended = {each["name"] for each in shown if "terminated" in (each.get("state") or {})}
    names = [each["name"] for each in containers_of(pod, EPHEMERAL)]
    latest = {name: observed.latest(name) for name in names if name not in ended}
    return [name for name, found in latest.items() if found is None or found.state is State.CREATED]


def _init_containers(pod: Object, observed: ObservedPod, probes: ProbeResults, actions: Actions) -> None:
    """Start the next init container, or find that all are done; keep sidecars running.

    From the last to the first, since the last that has run tells how far the pod has come.
    """
    inits = containers_of(pod, INIT)
    done = not inits or any(observed.current(each["name"]) for each in containers_of(pod, MAIN))
    passed, starts = done, set[int]()
    for index in reversed(range(len(inits))):
        container, current = inits[index], observed.current(inits[index]["name"])
        if passed and not is_sidecar(container):
            continue
        if current is None:
            starts |= {index} if passed else set()
            continue
        again, complete = _init_container(pod, container, current, probes, actions)
        if actions.failed:
            return
        starts |= {index} if again else set()
        starts |= {index + 1} if complete and not passed and index + 1 < len(inits) else set()
        done = done or (complete and index + 1 == len(inits))
        passed = True
    actions.start = [inits[index]["name"] for index in sorted(starts if passed else {0})]
    actions.initialized = done


def _init_container(
    pod: Object, container: Object, current: ObservedContainer, probes: ProbeResults, actions: Actions
) -> tuple[bool, bool]:
    """Whether it must be started, and whether it is so far that what comes after it may be."""
    if is_sidecar(container):
        actions.replaced |= {current.id} & probes.replaced
        return not current.running, current.running and _sidecar(container, current, probes, actions)
    if current.state is State.CREATED:
        return True, False
    if current.running or current.succeeded:
        return False, current.succeeded
    actions.failed = not should_restart(pod, container, current.exit_code or KILLED)
    return True, False


def _sidecar(container: Object, current: ObservedContainer, probes: ProbeResults, actions: Actions) -> bool:
    """Whether a running one has started up; whether it must be replaced goes into the actions."""
    name, what = container["name"], f"Init container {container['name']}"
    if name in probes.startup_failed:
        actions.kill[current.id] = f"{what} failed startup probe"
    elif current.hash and current.hash != container_hash(container):
        actions.kill[current.id] = f"{what} definition changed"
    elif name in probes.liveness_failed:
        actions.kill[current.id] = f"{what} failed liveness probe"
    elif name in probes.resized:
        actions.kill[current.id] = _resize_reason(name)
    actions.replaced |= {current.id} & actions.kill.keys()
    return name not in probes.not_started


def _containers(pod: Object, observed: ObservedPod, probes: ProbeResults, actions: Actions) -> None:
    starts, kept = [], False
    for container in containers_of(pod, MAIN):
        latest = observed.latest(container["name"])
        if latest is None or not latest.running:
            if _is_replaced(container, latest, probes) or _should_start(pod, container, latest):
                starts.append(container["name"])
                actions.replaced |= {latest.id} & probes.replaced if latest is not None else set()
            continue
        reason, restart = _replacement(pod, container, latest, probes)
        kept |= restart
        if reason:
            actions.kill[latest.id] = reason
            actions.replaced |= {latest.id} if restart else set()
    actions.kill_pod = not starts and not kept
    actions.start = [] if actions.kill_pod else [*actions.start, *starts]


def _is_replaced(container: Object, latest: ObservedContainer | None, probes: ProbeResults) -> bool:
    """Whether it was ended for a new start, which it gets whatever its restart policy says of its end."""
    return container["name"] in probes.resized or (latest is not None and latest.id in probes.replaced)


def _should_start(pod: Object, container: Object, latest: ObservedContainer | None) -> bool:
    if latest is None or latest.state in (State.CREATED, State.UNKNOWN):
        return True
    return should_restart(pod, container, latest.exit_code)


def _replacement(
    pod: Object, container: Object, latest: ObservedContainer, probes: ProbeResults
) -> tuple[str, bool]:
    """Why a running container must be killed, "" when it may run on; and whether it will run on or again."""
    name, restart = container["name"], restart_policy(pod, container) != "Never"
    after = ", will be restarted" if restart else ""
    if latest.hash and latest.hash != container_hash(container):
        return f"Container {name} definition changed, will be restarted", True
    if name in probes.liveness_failed:
        return f"Container {name} failed liveness probe{after}", restart
    if name in probes.startup_failed:
        return f"Container {name} failed startup probe{after}", restart
    if name in probes.resized:
        return _resize_reason(name), True
    return "", True


def _resize_reason(name: str) -> str:
    return f"Container {name} resize requires restart"
