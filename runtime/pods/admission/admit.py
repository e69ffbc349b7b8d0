"""Whether the node takes a pod that is bound to it, asked once, before anything of it is begun.

The scheduler and the server see to most of it as well; this is for pods that were bound by others, and for
what only the node knows. A pod that runs already - the agent was started again - keeps what it has.
"""

from collections.abc import Callable, Sequence
from functools import partial

from kubeling.objects.meta import Object
from runtime.pods.admission.admitted import Holding
from runtime.pods.admission.host_ports import ports_of
from runtime.pods.admission.predicates import (
    AFFINITY,
    PORTS,
    Amounts,
    Insufficient,
    amounts,
    insufficient,
    numbers,
    unfit,
    unsupported,
)
from runtime.pods.admission.preemption import DISRUPTION, MESSAGE, REASON, TOLD, Candidate, NoVictims, victims
from runtime.pods.admission.pressure import refused_under_pressure
from runtime.pods.admission.security import refused_apparmor, refused_groups_policy, refused_sysctls
from runtime.pods.cgroups.qos import is_critical
from runtime.pods.context import NodeView
from runtime.pods.resize import allocation
from runtime.pods.status.pod import REJECTED, Verdict
from runtime.pods.work import PodWork


class NotYet(Exception):
    """The node cannot say before something has happened that will wake the worker."""


def check_admission(work: PodWork) -> None:
    """Take the pod, or pass the verdict that it cannot be had; it may take until the worker wakes again."""
    if work.admitted or work.verdict is not None:
        return
    try:
        refusal = next(filter(None, (check(work) for check in _CHECKS)), None)
    except NotYet:
        return
    if refusal is None:
        admit(work)
        return
    work.verdict = Verdict(refusal.reason, f"{REJECTED}{refusal.message}", rejected=True)
    work.events.warning(refusal.reason, refusal.message)


def admit(work: PodWork) -> None:
    """Without a question: it runs already."""
    work.context.host_ports.take(work.identity.uid, ports_of(work.spec))
    if work.context.node is not None:
        _give(work)
    work.admitted = True


def _give(work: PodWork) -> None:
    if work.allocation is None:
        work.allocation = allocation.of(work.desired)
        work.context.files.keep(work.paths, work.allocation)
    work.context.admitted.take(work)


def release(work: PodWork) -> None:
    """Nothing of the pod runs any more: others may have what it held."""
    work.context.host_ports.release(work.identity.uid)
    work.context.admitted.release(work.identity.uid)


def allocatable(view: NodeView) -> Amounts:
    return numbers((view.node.get("status") or {}).get("allocatable") or {})


def _unsupported(work: PodWork) -> Verdict | None:
    return unsupported(work.pod) if work.context.node is not None else None


def _refused_by_node(work: PodWork) -> Verdict | None:
    """Raises: NotYet."""
    view, uid = work.context.node, work.identity.uid
    ports_free = work.context.host_ports.free(uid, ports_of(work.spec))
    if view is None:
        return None if ports_free else PORTS
    beside = work.context.admitted.beside(uid)
    missing = _missing(work.pod, view, beside)
    settled = work.allocation is not None and bool((work.pod.get("status") or {}).get("startTime"))
    against = unfit(work.pod, view.node, ports_free=ports_free, settled=settled)
    if against == [AFFINITY] and not missing and not work.node_read:
        work.activities.begin("node", partial(_read_node, work, view))
        raise NotYet
    if missing and is_critical(work.pod):
        return against[0] if against else _preempt(work, view, beside)
    return next(iter([*(each.refusal for each in missing), *against]), None)


async def _read_node(work: PodWork, view: NodeView) -> None:
    """Labels may have changed just now: the API has the last word."""
    await view.read()
    work.node_read = True


def _missing(pod: Object, view: NodeView, beside: Sequence[Holding]) -> list[Insufficient]:
    return insufficient(amounts(pod), [each.amounts for each in beside], allocatable(view))


def _preempt(work: PodWork, view: NodeView, beside: Sequence[Holding]) -> Verdict | None:
    """Let others go. Raises NotYet, for the pod is taken when they have gone."""
    staying = [each for each in beside if each.work.verdict is None]
    candidates = [
        Candidate(each.work.identity.uid, each.work.pod, {**each.amounts, "pods": 1}) for each in staying
    ]
    try:
        chosen = victims(work.pod, candidates, _missing(work.pod, view, staying))
    except NoVictims as error:
        message = f"Unexpected error while attempting to recover from admission failure: {error}"
        return Verdict("UnexpectedAdmissionError", message)
    for each in staying:
        if each.work.identity.uid in chosen:
            _let_go(each.work)
    work.context.admitted.wait(work)
    raise NotYet


def _let_go(victim: PodWork) -> None:
    now = victim.context.clock.now()
    victim.verdict = Verdict(REASON, MESSAGE, disruption=DISRUPTION, at=now, told=TOLD)
    victim.events.warning(REASON, MESSAGE)
    victim.wake()


def _refused_at_shutdown(work: PodWork) -> Verdict | None:
    if not work.context.shutting_down():
        return None
    return Verdict("NodeShutdown", "Pod was rejected as the node is shutting down.")


_CHECKS: tuple[Callable[[PodWork], Verdict | None], ...] = (
    _refused_at_shutdown,
    refused_under_pressure,
    refused_sysctls,
    _unsupported,
    refused_groups_policy,
    refused_apparmor,
    _refused_by_node,
)
"""The first that refuses gives the reason. The last may make room for the pod."""
