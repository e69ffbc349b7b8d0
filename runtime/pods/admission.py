"""Whether the node takes a pod that is bound to it: not one that asks for a port that another pod has.

The scheduler sees to that as well; this is for pods that were bound by others. A pod that runs already - the
agent was started again - keeps what it has.
"""

from runtime.pods.host_ports import ports_of
from runtime.pods.pod_status import Verdict
from runtime.pods.work import PodWork

REASON = "NodePorts"
MESSAGE = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"


def check_admission(work: PodWork) -> None:
    """Take the pod's ports before anything of it is begun, or pass the verdict that it cannot have them."""
    wanted = ports_of(work.spec)
    if work.ports_taken or not wanted or work.verdict is not None:
        return
    if work.context.host_ports.free(work.identity.uid, wanted):
        admit(work)
        return
    work.verdict = Verdict(REASON, f"Pod was rejected: {MESSAGE}")
    work.events.warning(REASON, MESSAGE)


def admit(work: PodWork) -> None:
    """Without a question: it runs already."""
    work.context.host_ports.take(work.identity.uid, ports_of(work.spec))
    work.ports_taken = True
