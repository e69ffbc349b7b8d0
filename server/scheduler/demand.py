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
    """By container, what the node still holds for those whose requests it has not followed yet."""
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    statuses = status.get("containerStatuses")
    if not statuses:
        return {}
    wanted = {each["name"]: (each.get("resources") or {}).get("requests") for each in spec["containers"]}
    found: dict[str, Amounts] = {}
    for each in statuses:
        name, actual = each.get("name"), (each.get("resources") or {}).get("requests")
        for held in (actual, each.get("allocatedResources")):
            if held and held != wanted.get(name):
                _raise_to(found.setdefault(name, {}), amounts(held))
    return found


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
        taken = _container(container, least)
        if held:
            _raise_to(taken, held.get(container.get("name") or "", {}))
        _add(running, taken)
    sidecars: Amounts = {}
    starting: Amounts = {}
    for container in spec.get("initContainers") or []:
        wanted = _container(container, least)
        if container.get("restartPolicy") == "Always":
            _add(running, wanted)
            _add(sidecars, wanted)
            moment = dict(sidecars)
        else:
            moment = dict(sidecars)
            _add(moment, wanted)
        _raise_to(starting, moment)
    _raise_to(running, starting)
    pod_level = amounts((spec.get("resources") or {}).get("requests"))
    running |= {name: amount for name, amount in pod_level.items() if _is_pod_level(name)}
    _add(running, amounts(spec.get("overhead")))
    return running


def _is_pod_level(name: str) -> bool:
    return name in POD_LEVEL or name.startswith("hugepages-")


def _container(container: Object, least: Amounts) -> Amounts:
    return least | amounts((container.get("resources") or {}).get("requests"))


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
