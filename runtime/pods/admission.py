"""Whether the node takes a pod that is bound to it, asked once, before anything of it is begun.

The scheduler and the server see to most of it as well; this is for pods that were bound by others, and for
what only the node knows. A pod that runs already - the agent was started again - keeps what it has.
"""

from collections.abc import Callable

from runtime.pods.host_ports import ports_of
from runtime.pods.pod_status import Verdict
from runtime.pods.pressure_admission import refused_under_pressure
from runtime.pods.security_admission import refused_apparmor, refused_groups_policy, refused_sysctls
from runtime.pods.work import PodWork


def check_admission(work: PodWork) -> None:
    """Take the pod, or pass the verdict that it cannot be had."""
    if work.admitted or work.verdict is not None:
        return
    refusal = next(filter(None, (check(work) for check in _CHECKS)), None)
    if refusal is None:
        admit(work)
        return
    work.verdict = Verdict(refusal.reason, f"Pod was rejected: {refusal.message}")
    work.events.warning(refusal.reason, refusal.message)


def admit(work: PodWork) -> None:
    """Without a question: it runs already."""
    work.context.host_ports.take(work.identity.uid, ports_of(work.spec))
    work.admitted = True


def _refused_ports(work: PodWork) -> Verdict | None:
    wanted = ports_of(work.spec)
    if not wanted or work.context.host_ports.free(work.identity.uid, wanted):
        return None
    message = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
    return Verdict("NodePorts", message)


_CHECKS: tuple[Callable[[PodWork], Verdict | None], ...] = (
    refused_under_pressure,
    refused_sysctls,
    _refused_ports,
    refused_groups_policy,
    refused_apparmor,
)
"""In the kubelet's order: the first that refuses gives the reason."""
