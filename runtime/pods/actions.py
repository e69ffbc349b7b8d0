"""The decision: from a pod's spec and what the runtime reports, what to do next. Pure.

The rules are the kubelet's:

    no sandbox, or the newest is not ready ──> make one, unless nothing is left to run in it
    sandbox ready ──> init containers, one after the other (sidecars stay running)
                  ──> then every container that does not run, if its restart policy says so
                  ──> replace containers whose definition changed or whose probe failed
    nothing runs and nothing is to start ──> stop the sandbox
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from kubeling.objects.meta import Object
from runtime.pods.identity import container_hash
from runtime.pods.observed import ObservedContainer, ObservedPod, State


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
    initialized: bool = False
    """Whether the init containers are done, so that the others may run."""
    failed: bool = False
    """Whether an init container failed and may not be tried again: the pod has failed."""

    @property
    def nothing(self) -> bool:
        return not (self.create_sandbox or self.stop_sandboxes or self.start or self.kill)


@dataclass(frozen=True, slots=True)
class ProbeResults:
    """Which containers' newest instances failed a probe that kills, and which have started up."""

    liveness_failed: frozenset[str] = frozenset()
    startup_failed: frozenset[str] = frozenset()
    not_started: frozenset[str] = frozenset()
    """Running containers whose startup probe has not succeeded yet."""


def restart_policy(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("restartPolicy") or "Always")


def is_sidecar(container: Object) -> bool:
    """An init container that goes on running beside the others."""
    return container.get("restartPolicy") == "Always"


def pod_actions(pod: Object, observed: ObservedPod, probes: ProbeResults = ProbeResults()) -> Actions:
    """What to do for a pod that is wanted (not deleted, not finished)."""
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
    if actions.failed or (actions.initialized and not actions.start and _all_done(pod, observed)):
        actions.stop_sandboxes.append(newest.id)
    return actions


def _without_sandbox(pod: Object, observed: ObservedPod) -> Actions:
    newest = observed.sandbox
    actions = Actions(attempt=0 if newest is None else newest.attempt + 1)
    spec = pod.get("spec") or {}
    if newest is not None and observed.containers and restart_policy(pod) == "Never":
        return actions
    left = [
        container
        for container in spec.get("containers") or []
        if not (restart_policy(pod) == "OnFailure" and _succeeded(observed.latest(container["name"])))
    ]
    actions.create_sandbox = bool(left)
    return actions


def _succeeded(container: ObservedContainer | None) -> bool:
    return container is not None and container.succeeded


def _init_containers(pod: Object, observed: ObservedPod, probes: ProbeResults, actions: Actions) -> None:
    """Start the next init container, or find that all are done; keep sidecars running."""
    spec = pod.get("spec") or {}
    ran = any(observed.current(container["name"]) for container in spec.get("containers") or [])
    for container in spec.get("initContainers") or []:
        current = observed.current(container["name"])
        if is_sidecar(container):
            if not _sidecar(pod, container, current, probes, actions) and not ran:
                return
        elif not ran and (current is None or not current.succeeded):
            _init_container(pod, container, current, actions)
            return
    actions.initialized = True


def _sidecar(
    pod: Object, container: Object, latest: ObservedContainer | None, probes: ProbeResults, actions: Actions
) -> bool:
    """Whether it has started, so that what comes after it may."""
    name = container["name"]
    if latest is None or not latest.running:
        actions.start.append(name)
        return False
    reason = _replacement_reason(pod, container, latest, probes)
    if reason:
        actions.kill[latest.id] = reason
    return name not in probes.not_started


def _init_container(
    pod: Object, container: Object, current: ObservedContainer | None, actions: Actions
) -> None:
    if current is None or current.state is State.CREATED:
        actions.start.append(container["name"])
    elif current.exited:
        actions.failed = restart_policy(pod) == "Never"
        if not actions.failed:
            actions.start.append(container["name"])


def _containers(pod: Object, observed: ObservedPod, probes: ProbeResults, actions: Actions) -> None:
    for container in (pod.get("spec") or {}).get("containers") or []:
        latest = observed.latest(container["name"])
        if latest is None or not latest.running:
            if _should_start(pod, latest):
                actions.start.append(container["name"])
            continue
        reason = _replacement_reason(pod, container, latest, probes)
        if reason:
            actions.kill[latest.id] = reason


def _should_start(pod: Object, latest: ObservedContainer | None) -> bool:
    if latest is None or latest.state in (State.CREATED, State.UNKNOWN):
        return True
    policy = restart_policy(pod)
    return policy == "Always" or (policy == "OnFailure" and latest.exit_code != 0)


def _replacement_reason(
    pod: Object, container: Object, latest: ObservedContainer, probes: ProbeResults
) -> str:
    """Why a running container must be killed, "" when it may run on. The next decision starts it again."""
    name = container["name"]
    after = "" if restart_policy(pod) == "Never" and not is_sidecar(container) else ", will be restarted"
    if latest.hash and latest.hash != container_hash(container):
        return f"Container {name} definition changed, will be restarted"
    if name in probes.liveness_failed:
        return f"Container {name} failed liveness probe" + after
    if name in probes.startup_failed:
        return f"Container {name} failed startup probe" + after
    return ""


def _all_done(pod: Object, observed: ObservedPod) -> bool:
    """No container runs or will run again: sidecars do not keep a pod alive."""
    spec = pod.get("spec") or {}
    return not _any_running(observed, [each["name"] for each in spec.get("containers") or []])


def _any_running(observed: ObservedPod, names: Iterable[str]) -> bool:
    return any(latest is not None and latest.running for latest in map(observed.latest, names))
