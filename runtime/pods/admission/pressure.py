"""Which pods a node takes while it is short of something; as the kubelet's eviction manager says."""

from kubeling.objects.meta import Object
from runtime.pods.cgroups.qos import BEST_EFFORT, is_critical, qos_class
from runtime.pods.status.pod import Verdict
from runtime.pods.work import PodWork

_MEMORY = "node.kubernetes.io/memory-pressure"


def refused_under_pressure(work: PodWork) -> Verdict | None:
    """Short of memory alone it refuses those that ask for none and do not tolerate it; else all."""
    pressures = work.context.pressures()
    if not pressures or is_critical(work.pod):
        return None
    if pressures == {"MemoryPressure"} and (
        qos_class(work.pod) != BEST_EFFORT or _tolerates_memory_pressure(work.spec)
    ):
        return None
    return Verdict("Evicted", f"The node had condition: [{' '.join(sorted(pressures))}]. ")


def _tolerates_memory_pressure(spec: Object) -> bool:
    return any(_tolerates(each) for each in spec.get("tolerations") or [])


def _tolerates(toleration: Object) -> bool:
    key, operator = toleration.get("key", ""), toleration.get("operator") or "Equal"
    if toleration.get("effect") not in (None, "", "NoSchedule"):
        return False
    if key not in ("", _MEMORY) or (not key and operator != "Exists"):
        return False
    return operator == "Exists" or not toleration.get("value")
