"""What a pod takes of its node: resources and host ports. Pure; computed once per pod.

Amounts are whole numbers: millicores for cpu, base units (bytes, pieces) for the rest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kubeling.objects import quantity
from kubeling.objects.meta import Object

Amounts = dict[str, int]

LEAST_CPU = 100
LEAST_MEMORY = 200 * 1024 * 1024
"""What a container without requests counts for when nodes are compared, so that such pods spread too."""

POD_LEVEL = ("cpu", "memory")


class HostPort(NamedTuple):
    protocol: str
    port: int
    address: str

    def conflicts(self, other: "HostPort") -> bool:
        wildcard = "0.0.0.0" in (self.address, other.address)
        return self[:2] == other[:2] and (wildcard or self.address == other.address)


@dataclass(frozen=True, slots=True)
class Demand:
    requests: Amounts
    scored: Amounts
    """Requests for comparing nodes: never nothing at all."""
    ports: tuple[HostPort, ...]


def demand(pod: Object) -> Demand:
    """While a pod is being resized it takes the larger of what it wants and what it has."""
    spec, held = pod.get("spec") or {}, allocated(pod)
    return Demand(
        _requests(spec, {}, held),
        _requests(spec, {"cpu": LEAST_CPU, "memory": LEAST_MEMORY}, held),
        tuple(_host_ports(spec)),
    )


def allocated(pod: Object) -> dict[str, Amounts]:
    """By container, and for the pod itself by "", what is taken where the node has not followed the spec.

    It is the largest of what is wanted, given and in force; what the node never has is not waited for.
    """
    status = pod.get("status") or {}
    statuses = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    if not statuses:
        return {}
    spec = pod.get("spec") or {}
    wanted = {
        each["name"]: _asked(each) for each in [*spec["containers"], *(spec.get("initContainers") or ())]
    }
    wanted[""] = _asked(spec)
    found: dict[str, Amounts] = {}
    for each in [*statuses, {"name": "", **status}]:
        name = each.get("name") or ""
        held = [part for part in (_asked(each), each.get("allocatedResources")) if part]
        if any(part != wanted.get(name) for part in held):
            found[name] = {} if _is_infeasible(status) else amounts(wanted.get(name))
            for part in held:
                _raise_to(found[name], amounts(part))
    return found


def _asked(holder: Object) -> Mapping[str, str] | None:
    return (holder.get("resources") or {}).get("requests")


def _is_infeasible(status: Object) -> bool:
    return any(
        each.get("type") == "PodResizePending" and each.get("reason") == "Infeasible"
        for each in status.get("conditions") or ()
    )


def amounts(resources: Mapping[str, str] | None) -> Amounts:
    """A ResourceList as whole numbers."""
    return {
        name: quantity.milli(text) if name == "cpu" else quantity.value(text)
        for name, text in (resources or {}).items()
    }


def _requests(spec: Object, least: Amounts, held: Mapping[str, Amounts]) -> Amounts:
    """Containers together with sidecars, or the greediest moment of initialisation; plus overhead."""
    running: Amounts = {}
    for container in spec.get("containers") or []:
        _add(running, _container(container, least, held))
    sidecars: Amounts = {}
    starting: Amounts = {}
    for container in spec.get("initContainers") or []:
        wanted = _container(container, least, held)
        if container.get("restartPolicy") == "Always":
            _add(running, wanted)
            _add(sidecars, wanted)
            moment = dict(sidecars)
        else:
            moment = dict(sidecars)
            _add(moment, wanted)
        _raise_to(starting, moment)
    _raise_to(running, starting)
    pod_level = held[""] if "" in held else amounts(_asked(spec))
    running |= {name: amount for name, amount in pod_level.items() if _is_pod_level(name)}
    _add(running, amounts(spec.get("overhead")))
    return running


def _is_pod_level(name: str) -> bool:
    return name in POD_LEVEL or name.startswith("hugepages-")


def _container(container: Object, least: Amounts, held: Mapping[str, Amounts]) -> Amounts:
    name = container.get("name") or ""
    return least | (held[name] if name in held else amounts(_asked(container)))


def _add(total: Amounts, more: Amounts) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _raise_to(total: Amounts, other: Amounts) -> None:
    for name, amount in other.items():
        total[name] = max(total.get(name, 0), amount)


def _host_ports(spec: Object) -> Iterable[HostPort]:
    sidecars = [each for each in spec.get("initContainers") or [] if each.get("restartPolicy") == "Always"]
    for container in [*(spec.get("containers") or []), *sidecars]:
        for port in container.get("ports") or []:
            if port.get("hostPort"):
                address = port.get("hostIP") or "0.0.0.0"
                yield HostPort(port.get("protocol") or "TCP", int(port["hostPort"]), address)
