"""Pods: their number while they have not ended, and the compute resources that they ask for."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from kubeling.objects import meta, pod_resources
from kubeling.objects.errors import GroupResource
from kubeling.objects.meta import Object
from kubeling.objects.quota.evaluator import Evaluator, selects
from kubeling.objects.resource_list import ResourceList, add

_BASIC = ("cpu", "memory", "ephemeral-storage")
_HUGE = "hugepages-"
_REQUESTS, _LIMITS = "requests.", "limits."
_COMPUTE = frozenset(prefix + name for prefix in ("", _REQUESTS, _LIMITS) for name in _BASIC)
_NAMES = _COMPUTE | {"pods", "count/pods"}
_REQUIRED = frozenset(name for name in _COMPUTE if not name.endswith("ephemeral-storage"))
"""What each container must say when a quota limits it: upstream's mistake, as it says, kept for these."""
_FINISHED = ("Succeeded", "Failed")


class PodEvaluator(Evaluator):
    def __init__(self) -> None:
        super().__init__(GroupResource("", "pods"))

    def charges(self, operation: str, subresource: str) -> bool:
        if operation == "UPDATE":
            return subresource in ("", "resize")
        return operation == "CREATE" and not subresource

    def charges_update(self, new: Object, old: Object) -> bool:
        return is_bounded(new) != is_bounded(old)

    def matching(self, names: Iterable[str]) -> list[str]:
        return [
            name
            for name in names
            if name in _NAMES or name.startswith((_HUGE, _REQUESTS + _HUGE)) or _is_extended(name)
        ]

    def constraint(self, names: Sequence[str], obj: Object) -> str:
        spec = obj["spec"]
        required = sorted(_REQUIRED.intersection(names))
        if not required or pod_resources.has_own(spec):
            return ""
        containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        lacking: dict[str, list[str]] = {}
        for container in containers:
            given = _compute(*_of_container(container))
            for name in required:
                if name not in given:
                    lacking.setdefault(name, []).append(container["name"])
        told = [f"{name} for: {','.join(sorted(set(lacking[name])))}" for name in sorted(lacking)]
        return f"must specify {'; '.join(told)}" if told else ""

    def usage(self, obj: Object, now: datetime) -> ResourceList:
        counted = {self.counted: "1"}
        if not _counts(obj, now):
            return counted
        return add(counted, {"pods": "1", **_compute(pod_resources.requests(obj), pod_resources.limits(obj))})

    def in_scope(self, requirement: Object, obj: Object) -> bool:
        match requirement.get("scopeName"):
            case "Terminating":
                return is_bounded(obj)
            case "NotTerminating":
                return not is_bounded(obj)
            case "BestEffort":
                return _is_best_effort(obj)
            case "NotBestEffort":
                return not _is_best_effort(obj)
            case "PriorityClass":
                return selects(requirement, obj["spec"].get("priorityClassName") or "")
            case "CrossNamespacePodAffinity":
                return _looks_elsewhere(obj)
        return False

    def released(self, new: Object, old: Object) -> bool:
        return _ended(new) != _ended(old) or is_bounded(new) != is_bounded(old) or _sizes(new) != _sizes(old)


def is_bounded(pod: Object) -> bool:
    """Whether the pod has a deadline: what the scope Terminating is about."""
    return (pod["spec"].get("activeDeadlineSeconds") or -1) >= 0


def _ended(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in _FINISHED


def _sizes(pod: Object) -> list[object]:
    """What pods/resize changes, as wanted and as in force."""
    spec, status = pod["spec"], pod.get("status") or {}
    wanted = [each.get("resources") for each in spec.get("containers") or ()]
    actual = status.get("containerStatuses") or ()
    return [*wanted, *([each.get("resources"), each.get("allocatedResources")] for each in actual)]


def _counts(pod: Object, now: datetime) -> bool:
    """Ended pods do not, nor those that should be gone by now: a lost node must not hold up new ones."""
    if _ended(pod):
        return False
    own = meta.metadata(pod)
    if not own.get("deletionTimestamp") or own.get("deletionGracePeriodSeconds") is None:
        return True
    grace = timedelta(seconds=own["deletionGracePeriodSeconds"])
    return now <= meta.parse_timestamp(own["deletionTimestamp"]) + grace


def _of_container(container: Object) -> tuple[ResourceList, ResourceList]:
    resources = container.get("resources") or {}
    return resources.get("requests") or {}, resources.get("limits") or {}


def _compute(requests: ResourceList, limits: ResourceList) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, amount in requests.items():
        if name in _BASIC or name.startswith(_HUGE):
            found[name] = found[_REQUESTS + name] = amount
        elif _is_extended(_REQUESTS + name):
            found[_REQUESTS + name] = amount
    return found | {_LIMITS + name: amount for name, amount in limits.items() if name in _BASIC}


def _is_extended(name: str) -> bool:
    """`requests.` and the name of a resource that is not Kubernetes' own."""
    resource = name.removeprefix(_REQUESTS)
    if resource == name or "/" not in resource:
        return False
    return "kubernetes.io/" not in resource or resource.startswith("deviceclass.resource.kubernetes.io/")


def _is_best_effort(pod: Object) -> bool:
    if known := (pod.get("status") or {}).get("qosClass"):
        return bool(known == "BestEffort")
    spec = pod["spec"]
    holders = [spec, *(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return not any(name in given for each in holders for given in _of_container(each) for name in _BASIC[:2])


def _looks_elsewhere(pod: Object) -> bool:
    affinity = pod["spec"].get("affinity") or {}
    return any(
        term.get("namespaces") or term.get("namespaceSelector") is not None
        for which in ("podAffinity", "podAntiAffinity")
        for term in _terms(affinity.get(which) or {})
    )


def _terms(affinity: Object) -> list[Object]:
    preferred = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    return [*required, *(each.get("podAffinityTerm") or {} for each in preferred)]
