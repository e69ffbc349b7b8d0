"""Evaluators of the other kinds that take more than their number, and the choice of a kind's evaluator."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from kubeling.objects import quantity
from kubeling.objects.errors import GroupResource
from kubeling.objects.meta import Object, annotations
from kubeling.objects.quota.evaluator import LONG_COUNTED, PREFIX, Evaluator, selects
from kubeling.objects.quota.pods import PodEvaluator
from kubeling.objects.resource_list import ResourceList, add
from kubeling.objects.volume_claims import CLASS

_STORAGE_CLASS = ".storageclass.storage.k8s.io/"
_DEVICE_CLASS = ".deviceclass.resource.k8s.io/devices"
_MOST_DEVICES = 32
"""How many devices a claim for all of them may get."""


class ServiceEvaluator(Evaluator):
    """Services, their node ports and load balancers."""

    def __init__(self) -> None:
        super().__init__(GroupResource("", "services"))
        self.names |= {"services", "services.nodeports", "services.loadbalancers"}

    def charges(self, operation: str, subresource: str) -> bool:
        return operation in ("CREATE", "UPDATE") and not subresource

    def usage(self, obj: Object, now: datetime) -> ResourceList:
        spec = obj.get("spec") or {}
        return {
            "services": "1",
            self.counted: "1",
            "services.nodeports": str(_node_ports(spec)),
            "services.loadbalancers": "1" if spec.get("type") == "LoadBalancer" else "0",
        }

    def released(self, new: Object, old: Object) -> bool:
        specs = (new.get("spec") or {}, old.get("spec") or {})
        return any(specs[0].get(name) != specs[1].get(name) for name in ("type", "ports"))


def _node_ports(spec: Object) -> int:
    """A load balancer may do without those that it does not name."""
    ports, kind = spec.get("ports") or (), spec.get("type")
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        return sum(bool(port.get("nodePort")) for port in ports)
    return len(ports) if kind in ("NodePort", "LoadBalancer") else 0


class ClaimEvaluator(Evaluator):
    """PersistentVolumeClaims and their storage, in all and by storage class."""

    def __init__(self) -> None:
        super().__init__(GroupResource("", "persistentvolumeclaims"))
        self.names |= {"persistentvolumeclaims", "requests.storage"}

    def charges(self, operation: str, subresource: str) -> bool:
        return operation in ("CREATE", "UPDATE") and not subresource

    def matching(self, names: Iterable[str]) -> list[str]:
        by_class = tuple(_STORAGE_CLASS + each for each in ("persistentvolumeclaims", "requests.storage"))
        return [name for name in names if name in self.names or name.endswith(by_class)]

    def usage(self, obj: Object, now: datetime) -> ResourceList:
        found = {"persistentvolumeclaims": "1", self.counted: "1"}
        if size := _size(obj):
            found["requests.storage"] = size
        named = annotations(obj).get(CLASS) or (obj.get("spec") or {}).get("storageClassName")
        if named:
            found |= {
                f"{named}{_STORAGE_CLASS}{name}": found[name]
                for name in ("persistentvolumeclaims", "requests.storage")
                if name in found
            }
        return found

    def in_scope(self, requirement: Object, obj: Object) -> bool:
        if requirement.get("scopeName") != "VolumeAttributesClass":
            return False
        classes = _attribute_classes(obj)
        return any(selects(requirement, each) for each in classes or {""})

    def released(self, new: Object, old: Object) -> bool:
        return _size(new) != _size(old) or _attribute_classes(new) != _attribute_classes(old)


def _size(claim: Object) -> str:
    """What is asked for or, while a growth is being taken back, what is allotted; in whole bytes."""
    asked = (((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}).get("storage")
    allotted = ((claim.get("status") or {}).get("allocatedResources") or {}).get("storage")
    if not asked:
        return ""
    if allotted and quantity.parse(allotted) > quantity.parse(asked):
        asked = allotted
    whole = quantity.parse(asked) == quantity.value(asked)
    return str(asked) if whole else str(quantity.value(asked))


def _attribute_classes(claim: Object) -> set[str]:
    state = claim.get("status") or {}
    target = (state.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName")
    wanted = (claim.get("spec") or {}).get("volumeAttributesClassName")
    return {each for each in (wanted, state.get("currentVolumeAttributesClassName"), target) if each}


class DeviceClaimEvaluator(Evaluator):
    """ResourceClaims, and the devices that they may get, by device class: at worst."""

    def __init__(self) -> None:
        super().__init__(GroupResource("resource.k8s.io", "resourceclaims"))

    def charges(self, operation: str, subresource: str) -> bool:
        return operation in ("CREATE", "UPDATE") and not subresource

    def matching(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name in self.names or name.endswith(_DEVICE_CLASS)]

    def usage(self, obj: Object, now: datetime) -> ResourceList:
        found = {self.counted: "1"}
        for request in ((obj.get("spec") or {}).get("devices") or {}).get("requests") or ():
            found = add(found, _devices(request))
        return found


def _devices(request: Object) -> dict[str, str]:
    """Of alternatives, the most of each class."""
    most: dict[str, int] = {}
    for each in request.get("firstAvailable") or (request.get("exactly") or {},):
        if name := each.get("deviceClassName"):
            count = {"ExactCount": int(each.get("count") or 0), "All": _MOST_DEVICES}
            number = count.get(each.get("allocationMode") or "", 0)
            most[f"{name}{_DEVICE_CLASS}"] = max(most.get(f"{name}{_DEVICE_CLASS}", 0), number)
    return {name: str(number) for name, number in most.items()}


_SPECIAL: dict[GroupResource, Evaluator] = {
    each.resource: each
    for each in (PodEvaluator(), ServiceEvaluator(), ClaimEvaluator(), DeviceClaimEvaluator())
}
"""The kinds that take more of a quota than their number."""


@lru_cache(maxsize=1024)
def evaluator_of(resource: GroupResource) -> Evaluator:
    return _SPECIAL.get(resource) or Evaluator(resource)


def counted_in(names: Iterable[str]) -> set[GroupResource]:
    """The kinds whose objects take from a quota that limits these resources."""
    names = list(names)
    found = {resource for resource, each in _SPECIAL.items() if each.matching(names)}
    found |= {GroupResource("", name) for name in names if name in LONG_COUNTED}
    for name in names:
        if name.startswith(PREFIX):
            resource, _, group = name.removeprefix(PREFIX).partition(".")
            found.add(GroupResource(group, resource))
    return found
