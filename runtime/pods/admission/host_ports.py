"""Which pod has which of the node's ports. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from kubeling.objects.meta import Object

_EVERYWHERE = ("", "0.0.0.0", "::")


class HostPort(NamedTuple):
    address: str
    protocol: str
    port: int

    def conflicts(self, other: "HostPort") -> bool:
        """An address that is not said is every one."""
        if (self.protocol, self.port) != (other.protocol, other.port):
            return False
        return "" in (self.address, other.address) or self.address == other.address


class HostPorts:
    """Of one node: which pod has which."""

    def __init__(self) -> None:
        self._taken: dict[str, frozenset[HostPort]] = {}

    def free(self, uid: str, ports: Iterable[HostPort]) -> bool:
        """Whether no other pod has one of these."""
        others = [port for holder, held in self._taken.items() if holder != uid for port in held]
        return not any(port.conflicts(other) for port in ports for other in others)

    def take(self, uid: str, ports: Iterable[HostPort]) -> None:
        self._taken[uid] = frozenset(ports)

    def release(self, uid: str) -> None:
        self._taken.pop(uid, None)


def ports_of(spec: Object) -> list[HostPort]:
    containers = [
        *(spec.get("containers") or []),
        *(each for each in spec.get("initContainers") or [] if each.get("restartPolicy") == "Always"),
    ]
    return [
        HostPort(_address(port), port.get("protocol") or "TCP", int(port["hostPort"]))
        for container in containers
        for port in container.get("ports") or ()
        if port.get("hostPort")
    ]


def _address(port: Object) -> str:
    given = port.get("hostIP") or ""
    return "" if given in _EVERYWHERE else str(given)
