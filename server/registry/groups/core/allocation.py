"""Cluster addresses and node ports of Services.

What is taken is read from the stored Services each time, so nothing has to be kept in step or repaired; what
writes under way have taken is in the scope's reservations until the store knows of it.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network, IPv6Network, ip_address

from kubeling.objects import errors, meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import invalid
from server.registry.groups.core.ip_families import family_of
from server.registry.strategy import Scope

Network = IPv4Network | IPv6Network
_TRIES = 64


def needs_node_ports(spec: Object) -> bool:
    kind = spec.get("type")
    return kind == "NodePort" or (
        kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True) is not False
    )


def needs_health_port(spec: Object) -> bool:
    """Whether a load balancer must be able to ask each node for local endpoints."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


@contextmanager
def allocated(scope: Scope, obj: Object) -> Iterator[None]:
    """Give the Service what it needs and hold it while the Service is being stored.

    Raises:
        Invalid: a given address or port is taken, or outside the cluster's range.
        InternalError: there are none left.
    """
    held: set[str] = set()
    try:
        _allocate(scope, obj, held)
        yield
    finally:
        scope.reserved.difference_update(held)


def _allocate(scope: Scope, obj: Object, held: set[str]) -> None:
    spec, others = obj["spec"], _others(scope, obj)
    if spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        taken = {ip for each in others for ip in each.get("clusterIPs") or ()}
        _allocate_addresses(scope, obj, taken, held)
    if needs_node_ports(spec) or spec.get("healthCheckNodePort"):
        ports = {port for each in others for port in _node_ports(each)}
        _allocate_ports(scope, obj, ports, held)


def _others(scope: Scope, obj: Object) -> list[Object]:
    uid = meta.uid(obj)
    return [record.obj["spec"] for record in scope.store.list(scope.kind.stored_in) if record.uid != uid]


def _node_ports(spec: Object) -> Iterator[int]:
    for port in spec.get("ports") or ():
        if port.get("nodePort"):
            yield port["nodePort"]
    if spec.get("healthCheckNodePort"):
        yield spec["healthCheckNodePort"]


def _hold(scope: Scope, held: set[str], what: str) -> bool:
    if what in held:
        return True
    if what in scope.reserved:
        return False
    scope.reserved.add(what)
    held.add(what)
    return True


def _refuse(obj: Object, cause: Cause) -> errors.Invalid:
    return errors.invalid("Service", meta.name(obj), [cause])


def _allocate_addresses(scope: Scope, obj: Object, taken: set[str], held: set[str]) -> None:
    spec = obj["spec"]
    given: list[str] = list(spec.get("clusterIPs") or ())
    networks = {f"IPv{network.version}": network for network in scope.settings.service_networks}
    for address in given:
        why = _address_problem(scope, address, networks, taken, held)
        if why:
            raise _refuse(obj, invalid("spec.clusterIPs", given, f"failed to allocate IP {address}: {why}"))
    families = [each for each in spec["ipFamilies"] if each in networks]
    for family in families[len(given) :]:
        given.append(_free_address(scope, networks[family], taken, held))
    if not given:
        wanted = spec["ipFamilies"][0]
        why = "not configured on this cluster"
        raise _refuse(obj, invalid("spec.ipFamilies[0]", wanted, why))
    spec["clusterIP"], spec["clusterIPs"] = given[0], given


def _address_problem(
    scope: Scope, address: str, networks: dict[str, Network], taken: set[str], held: set[str]
) -> str:
    network = networks.get(family_of(address))
    if network is None or ip_address(address) not in network:
        valid = " or ".join(str(each) for each in networks.values())
        return f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {valid}"
    if address in taken or not _hold(scope, held, f"ip/{address}"):
        return "provided IP is already allocated"
    return ""


def _free_address(scope: Scope, network: Network, taken: set[str], held: set[str]) -> str:
    """From the upper part of the range first: the lower is for addresses that people choose."""
    size = min(network.num_addresses, 2**16 if network.version == 6 else 2**32)
    first, last = 2, size - (2 if network.version == 4 else 1)
    lower = min(max(16, size // 16), 256)
    for bounds in ((min(lower, last), last), (first, last)):
        for _ in range(_TRIES):
            address = str(network[random.randint(*bounds)])
            if address not in taken and _hold(scope, held, f"ip/{address}"):
                return address
    for offset in range(first, last + 1):
        address = str(network[offset])
        if address not in taken and _hold(scope, held, f"ip/{address}"):
            return address
    raise errors.InternalError("Internal error occurred: failed to allocate a serviceIP: range is full")


def _allocate_ports(scope: Scope, obj: Object, taken: set[int], held: set[str]) -> None:
    """Ports of one number that differ by protocol share their node port."""
    spec, valid = obj["spec"], scope.settings.node_ports
    given = [port for port in spec.get("ports") or () if port.get("nodePort")]
    for position, port in enumerate(spec.get("ports") or ()):
        number = port.get("nodePort")
        why = _port_problem(scope, number, taken, held) if number else ""
        if why:
            raise _refuse(obj, invalid(f"spec.ports[{position}].nodePort", number, why))
    if not needs_node_ports(spec):
        return
    shared = {port["port"]: port["nodePort"] for port in given}
    for port in spec.get("ports") or ():
        if not port.get("nodePort"):
            number = shared.get(port["port"]) or _free_port(scope, valid, taken, held)
            shared[port["port"]] = port["nodePort"] = number
    if needs_health_port(spec) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = _free_port(scope, valid, taken, held)


def _port_problem(scope: Scope, port: int, taken: set[int], held: set[str]) -> str:
    valid = scope.settings.node_ports
    if port not in valid:
        span = f"{valid.start}-{valid.stop - 1}"
        return f"provided port is not in the valid range. The range of valid ports is {span}"
    if port in taken or not _hold(scope, held, f"port/{port}"):
        return "provided port is already allocated"
    return ""


def _free_port(scope: Scope, valid: range, taken: set[int], held: set[str]) -> int:
    lower = valid.start + min(max(16, len(valid) // 32), 128)
    for first in (min(lower, valid.stop - 1), valid.start):
        candidates = list(range(first, valid.stop))
        random.shuffle(candidates)
        for port in candidates:
            if port not in taken and f"port/{port}" not in held and _hold(scope, held, f"port/{port}"):
                return port
    raise errors.InternalError("Internal error occurred: failed to allocate a nodePort: range is full")
