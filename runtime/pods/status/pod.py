"""A pod's whole status, from its spec, what the runtime reports, and what the worker knows. Pure.

Writing it to the API is `status_writer`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kubeling.objects import conditions, pod_resources
from kubeling.objects.meta import Object, metadata, timestamp
from runtime.pods.cgroups.qos import qos_class
from runtime.pods.containers.kinds import EPHEMERAL, INIT, MAIN, STATUSES, containers_of
from runtime.pods.observed import ObservedPod
from runtime.pods.resize.report import conditions_of
from runtime.pods.restart import restart_sources
from runtime.pods.status import phase as phases
from runtime.pods.status.conditions import RESTARTING, disruption, pod_conditions
from runtime.pods.status.container import Knowledge, container_statuses, without_trace

REJECTED = "Pod was rejected: "


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision over the whole pod that its containers do not show: it was evicted, or took too long."""

    reason: str
    message: str
    grace: float | None = None
    """Seconds that the pod gets to end, where they are fewer than it wishes for."""
    disruption: str = ""
    """The reason of the condition DisruptionTarget, where the node itself is what disrupts the pod."""
    rejected: bool = False
    """Whether the node has not taken the pod at all."""
    at: datetime | None = None
    """When it was passed; needed for a disruption."""
    told: str = ""
    """That condition's text, where it is not the message."""


def pod_status(
    pod: Object,
    observed: ObservedPod,
    known: Knowledge,
    *,
    host_ips: Sequence[str],
    now: datetime,
    ended: bool = False,
    starting: bool = False,
    verdict: Verdict | None = None,
) -> Object:
    """The status to report; `ended` says that the pod is stopped for good and nothing runs any more,
    `starting` that something of it may run at any moment.
    """
    old = pod.get("status") or {}
    verdict = verdict or _earlier_rejection(old, observed)
    if verdict is not None and verdict.rejected:
        return _rejected(pod, verdict, now)
    restarting = _is_restarting(pod, observed)
    known = replace(known, restarting_all=restarting)
    init, containers = _container_statuses(pod, observed, known, ended=ended and bool(observed.sandboxes))
    restarting = restarting and _any_left(pod, observed)
    computed = _phase(pod, init, containers, ended=ended, failed=verdict is not None, restarting=restarting)
    active = starting or any(observed.running())
    phase = _shown_phase(computed, str(old.get("phase") or phases.PENDING), active=active)
    ips = _pod_ips(observed, host_ips, old)
    status: Object = {
        "phase": phase,
        "conditions": pod_conditions(
            pod,
            phase=computed,
            init=init,
            containers=containers,
            sandbox=_missing(observed, ips),
            restarting=restarting,
            now=now,
        )
        + conditions_of(() if phases.is_terminal(phase) else known.resize, old.get("conditions") or [], now),
        **_of_pod_itself(pod, known),
        "startTime": old.get("startTime") or timestamp(now),
        "qosClass": qos_class(pod),
        "containerStatuses": containers,
        **_addresses(host_ips, ips),
    }
    if init:
        status[STATUSES[INIT]] = init
    if containers_of(pod, EPHEMERAL):
        status[STATUSES[EPHEMERAL]] = container_statuses(pod, observed, known, kind=EPHEMERAL)
    if metadata(pod).get("generation"):
        status["observedGeneration"] = metadata(pod)["generation"]
    if verdict is not None and verdict.disruption and phases.is_terminal(phase):
        status["conditions"].append(
            disruption(
                pod,
                reason=verdict.disruption,
                message=verdict.told or verdict.message,
                at=verdict.at or now,
            )
        )
    return status | _reason(phase, old, verdict)


def _container_statuses(
    pod: Object, observed: ObservedPod, known: Knowledge, *, ended: bool
) -> tuple[list[Object], list[Object]]:
    init = container_statuses(pod, observed, known, kind=INIT)
    containers = container_statuses(pod, observed, known, kind=MAIN)
    if ended and (phases.has_started(containers) or all(each["ready"] for each in init)):
        containers = [without_trace(each) for each in containers]
    return init, containers


def _is_restarting(pod: Object, observed: ObservedPod) -> bool:
    shown = conditions.find(pod, RESTARTING) or {}
    return shown.get("status") == "True" or bool(restart_sources(pod, observed))


def _any_left(pod: Object, observed: ObservedPod) -> bool:
    return any(observed.latest(each["name"]) for each in containers_of(pod, INIT, MAIN))


def _reason(phase: str, old: Object, verdict: Verdict | None) -> Object:
    if not phases.is_terminal(phase):
        return {}
    if verdict is not None:
        return {"reason": verdict.reason, "message": verdict.message}
    return {key: old[key] for key in ("reason", "message") if old.get(key)}


def _missing(observed: ObservedPod, ips: tuple[str, ...]) -> str:
    """Why no container can be started in the sandbox, as the kubelet says it."""
    sandbox = observed.sandbox
    if sandbox is None:
        return "no pod sandbox exists"
    if not sandbox.ready:
        return "pod sandbox is not ready"
    return "" if ips else "pod sandbox has no IP address"


def _shown_phase(computed: str, old: str, *, active: bool) -> str:
    """Others take what a pod has used when its phase is terminal: not while anything of it may still run."""
    if phases.is_terminal(computed) and not phases.is_terminal(old) and active:
        return old
    return computed


def _of_pod_itself(pod: Object, known: Knowledge) -> Object:
    """The resources that were given to the pod as a whole, and those in force."""
    spec = pod.get("spec") or {}
    if not pod_resources.has_own(spec):
        return {}
    allocated = spec["resources"].get("requests")
    found = {"resources": spec["resources"] if known.whole is None else known.whole}
    return found | ({"allocatedResources": allocated} if allocated else {})


def _earlier_rejection(old: Object, observed: ObservedPod) -> Verdict | None:
    """What an agent before this one has decided: only such a pod has failed without any container."""
    if old.get("phase") != phases.FAILED or observed.containers or old.get("containerStatuses"):
        return None
    if not old.get("message", "").startswith(REJECTED):
        return None
    return Verdict(old.get("reason", ""), old["message"], rejected=True)


def _rejected(pod: Object, verdict: Verdict, now: datetime) -> Object:
    """Nothing of the pod was ever begun."""
    old = pod.get("status") or {}
    status: Object = {
        "phase": phases.FAILED,
        "reason": verdict.reason,
        "message": verdict.message,
        "startTime": old.get("startTime") or timestamp(now),
        "qosClass": qos_class(pod),
    }
    if metadata(pod).get("generation"):
        status["observedGeneration"] = metadata(pod)["generation"]
    return status


def _phase(
    pod: Object,
    init: Sequence[Object],
    containers: Sequence[Object],
    *,
    ended: bool,
    failed: bool,
    restarting: bool,
) -> str:
    """While all containers are restarted, their ends mean nothing for the pod."""
    old = (pod.get("status") or {}).get("phase", "")
    if phases.is_terminal(old):
        return str(old)
    if failed:
        return phases.FAILED
    phase = phases.pod_phase(pod, init=init, containers=containers, ended=ended)
    return old or phases.PENDING if restarting and not ended and phases.is_terminal(phase) else phase


def _pod_ips(observed: ObservedPod, host_ips: Sequence[str], old: Object) -> tuple[str, ...]:
    """The addresses of the newest sandbox; those last known stay when it is gone."""
    sandbox = observed.sandbox
    if sandbox is not None and sandbox.ready and sandbox.on_host:
        return tuple(host_ips)
    if sandbox is not None and sandbox.ips:
        return sandbox.ips
    return tuple(each["ip"] for each in old.get("podIPs") or [])


def _addresses(host_ips: Sequence[str], ips: Sequence[str]) -> Object:
    found: Object = {"hostIP": host_ips[0], "hostIPs": [{"ip": each} for each in host_ips]}
    if ips:
        found |= {"podIP": ips[0], "podIPs": [{"ip": each} for each in ips]}
    return found
