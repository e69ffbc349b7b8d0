"""Node ports of Services: one record of all that are taken, changed by compare-and-swap.

The record is a RangeAllocation, as Kubernetes keeps it: never served, a bitmap of the range. Whatever the
number of ports of a Service, taking them is one write, and two servers cannot take the same. Ports that a
crash left taken are freed by `server.upkeep`.
"""

import base64
import random
from collections.abc import Callable, Iterable, Iterator

from kubeling.objects import errors, meta
from kubeling.objects.meta import Object
from server.registry.causes import invalid
from server.registry.strategy import Scope
from server.registry.translation import translated
from server.registry.update import ATTEMPTS
from server.storage import Record, Store
from server.storage.errors import RevisionConflict

RESOURCE, NAME = "ranges", "servicenodeports"
_FULL = "Internal error occurred: failed to allocate a nodePort: range is full"


def ports_of(spec: Object) -> Iterator[int]:
    """The node ports that a Service has, more than once where protocols share one."""
    for port in spec.get("ports") or ():
        if port.get("nodePort"):
            yield port["nodePort"]
    if spec.get("healthCheckNodePort"):
        yield spec["healthCheckNodePort"]


def needs_node_ports(spec: Object) -> bool:
    kind = spec.get("type")
    return kind == "NodePort" or (
        kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True) is not False
    )


def needs_health_port(spec: Object) -> bool:
    """Whether a load balancer must be able to ask each node for local endpoints."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


async def take_node_ports(scope: Scope, obj: Object, *, own: set[int]) -> set[int]:
    """Give the Service the node ports that it names and needs; those of them that it had not before.

    Raises:
        Invalid: a port is taken, or outside the range.
        InternalError: there are none left.
    """
    asked, new = obj["spec"], set[int]()

    def change(taken: set[int]) -> set[int]:
        nonlocal new
        obj["spec"] = dict(asked)
        if "ports" in asked:
            obj["spec"]["ports"] = [dict(port) for port in asked["ports"]]
        new = _choose(scope, obj, taken, own)
        return taken | new

    await _changed(scope, change)
    return new


async def free_node_ports(scope: Scope, ports: Iterable[int]) -> None:
    gone = set(ports)
    if gone:
        await _changed(scope, lambda taken: taken - gone)


async def _changed(scope: Scope, change: Callable[[set[int]], set[int]]) -> None:
    for _ in range(ATTEMPTS):
        record = scope.store.get(RESOURCE, "", NAME)
        taken = taken_in(record, scope.settings.node_ports)
        wanted = change(set(taken))
        if wanted == taken or scope.context.dry_run:
            return
        try:
            with translated(scope.kind, NAME):
                await write_taken(scope.store, record, wanted, valid=scope.settings.node_ports)
            return
        except (RevisionConflict, errors.AlreadyExists, errors.NotFound):
            continue
    raise errors.conflict(scope.kind.resource, NAME)


def taken_in(record: Record | None, valid: range) -> set[int]:
    """The ports that the record says are taken."""
    if record is None:
        return set()
    bits = int.from_bytes(base64.b64decode(record.obj["data"]), "little")
    return {port for port in valid if bits >> (port - valid.start) & 1}


async def write_taken(store: Store, record: Record | None, taken: set[int], *, valid: range) -> None:
    """Put the record in place of `record`.

    Raises:
        KeyExists, KeyNotFound, RevisionConflict: another write came between.
    """
    bits = sum(1 << (port - valid.start) for port in taken)
    data = base64.b64encode(bits.to_bytes((len(valid) + 7) // 8, "little")).decode()
    obj = {
        "kind": "RangeAllocation",
        "apiVersion": "v1",
        "metadata": {"name": NAME},
        "range": f"{valid.start}-{valid.stop - 1}",
        "data": data,
    }
    if record is None:
        await store.create(RESOURCE, "", NAME, obj)
    else:
        await store.update(RESOURCE, "", NAME, obj, expected=record.revision)


def _choose(scope: Scope, obj: Object, taken: set[int], own: set[int]) -> set[int]:
    """Fill in the ports; ports of one number that differ by protocol share their node port."""
    spec, valid = obj["spec"], scope.settings.node_ports
    new: set[int] = set()
    for position, port in enumerate(spec.get("ports") or ()):
        number = port.get("nodePort")
        if number and number not in own and number not in new:
            _check(obj, f"spec.ports[{position}].nodePort", number, valid, taken)
            new.add(number)
    health = spec.get("healthCheckNodePort")
    if health and health not in own and health not in new:
        _check(obj, "spec.healthCheckNodePort", health, valid, taken)
        new.add(health)
    missing = _missing(spec)
    free = _free(valid, taken | new | own, len(missing))
    for needing, number in zip(missing, free, strict=True):
        for holder, name in needing:
            holder[name] = number
    return new | set(free)


def _check(obj: Object, field: str, port: int, valid: range, taken: set[int]) -> None:
    why = ""
    if port not in valid:
        span = f"{valid.start}-{valid.stop - 1}"
        why = f"provided port is not in the valid range. The range of valid ports is {span}"
    elif port in taken:
        why = "provided port is already allocated"
    if why:
        raise errors.invalid("Service", meta.name(obj), [invalid(field, port, why)])


def _missing(spec: Object) -> list[list[tuple[Object, str]]]:
    """Who still needs a number, those together that share one."""
    if not needs_node_ports(spec):
        return _missing_health(spec)
    known = {port["port"]: port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    sharing: dict[int, list[tuple[Object, str]]] = {}
    for port in spec.get("ports") or ():
        if port.get("nodePort"):
            continue
        if port["port"] in known:
            port["nodePort"] = known[port["port"]]
        else:
            sharing.setdefault(port["port"], []).append((port, "nodePort"))
    return [*sharing.values(), *_missing_health(spec)]


def _missing_health(spec: Object) -> list[list[tuple[Object, str]]]:
    if needs_health_port(spec) and not spec.get("healthCheckNodePort"):
        return [[(spec, "healthCheckNodePort")]]
    return []


def _free(valid: range, taken: set[int], count: int) -> list[int]:
    """So many random ports, of the upper part first: the lower is for ports that people choose."""
    if not count:
        return []
    lower = 0 if len(valid) <= 16 else min(max(16, len(valid) // 32), 128)
    upper = [port for port in valid[lower:] if port not in taken]
    if len(upper) >= count:
        return random.sample(upper, count)
    rest = [port for port in valid[:lower] if port not in taken]
    if len(upper) + len(rest) < count:
        raise errors.InternalError(_FULL)
    return [*upper, *random.sample(rest, count - len(upper))]
