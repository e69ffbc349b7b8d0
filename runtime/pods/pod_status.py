"""A pod's whole status, from its spec, what the runtime reports, and what the worker knows. Pure.

Writing it to the API is `status_writer`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kubeling.objects.meta import Object, metadata, timestamp
from runtime.pods import phase as phases
from runtime.pods.container_status import Knowledge, container_statuses
from runtime.pods.observed import ObservedPod
from runtime.pods.pod_conditions import pod_conditions
from runtime.pods.qos import qos_class


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision over the whole pod that its containers do not show: it was evicted, or took too long."""

    reason: str
    message: str


def pod_status(
    pod: Object,
    observed: ObservedPod,
    known: Knowledge,
    *,
    host_ips: Sequence[str],
    now: datetime,
    ended: bool = False,
    verdict: Verdict | None = None,
) -> Object:
    """The status to report; `ended` says that the pod is stopped for good and nothing runs any more."""
    old = pod.get("status") or {}
    init = container_statuses(pod, observed, known, kind="initContainers")
    containers = container_statuses(pod, observed, known, kind="containers")
    phase = _phase(pod, init, containers, ended=ended, failed=verdict is not None)
    ips = _pod_ips(observed, host_ips, old)
    sandbox = observed.ready_sandbox
    status: Object = {
        "phase": phase,
        "conditions": pod_conditions(
            pod,
            phase=phase,
            init=init,
            containers=containers,
            sandbox_ready=sandbox is not None and bool(ips),
            now=now,
        ),
        "startTime": old.get("startTime") or timestamp(now),
        "qosClass": qos_class(pod),
        "containerStatuses": containers,
        **_addresses(host_ips, ips),
    }
    if init:
        status["initContainerStatuses"] = init
    if metadata(pod).get("generation"):
        status["observedGeneration"] = metadata(pod)["generation"]
    if verdict is not None:
        status |= {"reason": verdict.reason, "message": verdict.message}
    elif phases.is_terminal(phase):
        status |= {key: old[key] for key in ("reason", "message") if old.get(key)}
    return status


def _phase(
    pod: Object, init: Sequence[Object], containers: Sequence[Object], *, ended: bool, failed: bool
) -> str:
    old = (pod.get("status") or {}).get("phase", "")
    if phases.is_terminal(old):
        return str(old)
    if failed:
        return phases.FAILED
    return phases.pod_phase(pod, init=init, containers=containers, ended=ended)


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
