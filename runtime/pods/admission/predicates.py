"""What keeps a pod off this node: the scheduler's checks as the kubelet repeats them, in its words. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kubeling.objects import node_selection, pod_resources, quantity, taints
from kubeling.objects.meta import Object, labels, name
from runtime.pods.identity import is_static
from runtime.pods.status.pod import Verdict

Amounts = Mapping[str, int]
"""Millicores of cpu; bytes or pieces of the rest."""

_OS = "kubernetes.io/os"
_SCALARS = ("cpu", "memory", "ephemeral-storage")


@dataclass(frozen=True, slots=True)
class Insufficient:
    """Too little is left of a resource."""

    resource: str
    requested: int
    used: int
    capacity: int

    @property
    def missing(self) -> int:
        return self.requested - (self.capacity - self.used)

    @property
    def refusal(self) -> Verdict:
        return Verdict(
            f"OutOf{self.resource}",
            f"Node didn't have enough resource: {self.resource}, requested: {self.requested}, "
            f"used: {self.used}, capacity: {self.capacity}",
        )


AFFINITY = Verdict(
    "NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
)
NAME = Verdict("NodeName", "Predicate NodeName failed: node(s) didn't match the requested node name")
PORTS = Verdict(
    "NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
)
TAINTS = Verdict(
    "TaintToleration", "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"
)


def amounts(pod: Object) -> dict[str, int]:
    """What the pod requests."""
    return numbers(pod_resources.requests({"spec": pod.get("spec") or {}}))


def numbers(resources: Mapping[str, str]) -> dict[str, int]:
    return {
        name: quantity.milli(text) if name == "cpu" else quantity.value(text)
        for name, text in resources.items()
    }


def unsupported(pod: Object) -> Verdict | None:
    """What no room on the node would change."""
    spec = pod.get("spec") or {}
    if labels(pod).get(_OS, "linux") != "linux":
        return Verdict(
            "PodOSSelectorNodeLabelDoesNotMatch",
            "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
        )
    if ((spec.get("os") or {}).get("name") or "linux") != "linux":
        return Verdict("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
    return None


def insufficient(wanted: Amounts, others: Iterable[Amounts], allocatable: Amounts) -> list[Insufficient]:
    """The resources of which there is too little beside the others; room for the pod itself is one."""
    held = list(others)
    found = []
    if len(held) + 1 > allocatable.get("pods", 0):
        found.append(Insufficient("pods", 1, len(held), allocatable.get("pods", 0)))
    for resource in (*_SCALARS, *sorted(wanted.keys() - set(_SCALARS))):
        requested, capacity = wanted.get(resource, 0), allocatable.get(resource, 0)
        if not requested or (is_extended(resource) and resource not in allocatable):
            continue
        used = sum(each.get(resource, 0) for each in held)
        if requested > capacity - used:
            found.append(Insufficient(resource, requested, used, capacity))
    return found


def unfit(pod: Object, node: Object, *, ports_free: bool, settled: bool) -> list[Verdict]:
    """What speaks against the pod beside resources.

    Labels and taints do not, where it is `settled`: it has been on the node before the agent was started.
    """
    spec = pod.get("spec") or {}
    matches = node_selection.required(spec)
    found = [] if settled or matches is None or matches(labels(node), name(node)) else [AFFINITY]
    if spec.get("nodeName") and spec["nodeName"] != name(node):
        found.append(NAME)
    if not ports_free:
        found.append(PORTS)
    if not settled and not is_static(pod) and _is_driven_out(spec, node):
        found.append(TAINTS)
    return found


def is_extended(resource: str) -> bool:
    """Whether others than Kubernetes gave the resource its name."""
    return "/" in resource and not resource.partition("/")[0].endswith("kubernetes.io")


def _is_driven_out(spec: Object, node: Object) -> bool:
    present = (node.get("spec") or {}).get("taints") or ()
    return taints.untolerated(spec.get("tolerations"), present, (taints.NO_EXECUTE,)) is not None
