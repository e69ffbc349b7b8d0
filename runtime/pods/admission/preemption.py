"""Which pods must go so that a critical pod gets what it requests: few and unimportant ones. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from kubeling.objects.meta import Object
from runtime.pods.admission.predicates import Amounts, Insufficient
from runtime.pods.cgroups.qos import BEST_EFFORT, BURSTABLE, GUARANTEED, is_critical, qos_class

REASON = "Preempting"
MESSAGE = "Preempted in order to admit critical pod"
DISRUPTION = "TerminationByKubelet"
TOLD = "Pod was preempted by Kubelet to accommodate a critical pod."


class NoVictims(Exception):
    """All pods that may go would not be enough; the text is upstream's."""

    def __init__(self, missing: Amounts) -> None:
        listed = "".join(f"(res: {name}, q: {amount}), " for name, amount in missing.items())
        super().__init__(
            "preemption: error finding a set of pods to preempt: "
            f"no set of running pods found to reclaim resources: [{listed}]"
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    uid: str
    pod: Object
    amounts: Amounts
    """What goes free with it; a `pods` of 1 with each."""


def victims(preemptor: Object, candidates: Sequence[Candidate], missing: Sequence[Insufficient]) -> list[str]:
    """The uids of the pods to be stopped.

    Raises:
        NoVictims: there are not enough of them.
    """
    wanted = {each.resource: each.missing for each in missing}
    groups: dict[str, list[Candidate]] = {BEST_EFFORT: [], BURSTABLE: [], GUARANTEED: []}
    for each in candidates:
        if preemptable(preemptor, each.pod):
            groups[qos_class(each.pod)].append(each)
    best_effort, burstable, guaranteed = groups[BEST_EFFORT], groups[BURSTABLE], groups[GUARANTEED]
    left = _without(wanted, [*best_effort, *burstable, *guaranteed])
    if left:
        raise NoVictims(left)
    first = _nearest(guaranteed, _without(wanted, [*best_effort, *burstable]))
    second = _nearest(burstable, _without(wanted, [*best_effort, *first]))
    third = _nearest(best_effort, _without(wanted, [*second, *first]))
    return [each.uid for each in (*third, *second, *first)]


def preemptable(preemptor: Object, other: Object) -> bool:
    if is_critical(preemptor) and not is_critical(other):
        return True
    mine, theirs = ((each.get("spec") or {}).get("priority") for each in (preemptor, other))
    return mine is not None and theirs is not None and mine > theirs


def _nearest(pods: Sequence[Candidate], missing: Amounts) -> list[Candidate]:
    """One after the other the pod that comes nearest to what is still missing."""
    left, chosen = list(pods), []
    while missing:
        if not left:
            raise NoVictims(missing)
        best = min(left, key=lambda each: (_distance(each, missing), _size(each)))
        left.remove(best)
        chosen.append(best)
        missing = _without(missing, [best])
    return chosen


def _distance(candidate: Candidate, missing: Amounts) -> float:
    short = ((name, amount - candidate.amounts.get(name, 0)) for name, amount in missing.items())
    return sum((lacks / missing[name]) ** 2 for name, lacks in short if lacks > 0)


def _size(candidate: Candidate) -> tuple[int, int]:
    return candidate.amounts.get("memory", 0), candidate.amounts.get("cpu", 0)


def _without(missing: Amounts, pods: Sequence[Candidate]) -> dict[str, int]:
    left = {
        name: amount - sum(each.amounts.get(name, 0) for each in pods) for name, amount in missing.items()
    }
    return {name: amount for name, amount in left.items() if amount > 0}
