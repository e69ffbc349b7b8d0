"""Cluster addresses of Services: an IPAddress object each, from the ranges that ServiceCIDR objects name.

Creating the IPAddress is what takes the address, so two writes cannot take the same one, even through two
servers. An address without its Service, left by a crash, is freed by `server.upkeep`.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from kubeling.objects import conditions, errors, meta
from kubeling.objects.meta import Object
from server.registry.causes import invalid
from server.registry.groups.core.ip_families import family_of
from server.registry.strategy import Scope
from server.registry.translation import translated

Network = IPv4Network | IPv6Network
RESOURCE = "ipaddresses.networking.k8s.io"
RANGES = "servicecidrs.networking.k8s.io"
MANAGED_BY = "ipaddress.kubernetes.io/managed-by"
FAMILY = "ipaddress.kubernetes.io/ip-family"
MANAGER = "ipallocator.k8s.io"
_TRIES = 64
_LARGEST = 2**64
_FULL = "Internal error occurred: failed to allocate a serviceIP: range is full"


async def take_addresses(scope: Scope, obj: Object, *, own: Sequence[str], taken: list[str]) -> None:
    """Give the Service the addresses that it names, and one per family that it names none for.

    `own` are the ones that it has already; those that are new go to `taken` as they are taken.

    Raises:
        Invalid: an address is taken, or in no range.
        InternalError: there are none left.
    """
    spec = obj["spec"]
    given: list[str] = list(spec.get("clusterIPs") or ())
    networks = service_networks(scope)
    for address in given:
        if address not in own:
            await _take_given(scope, obj, address, networks)
            taken.append(address)
    served = {f"IPv{network.version}" for network in networks}
    for family in [each for each in spec["ipFamilies"] if each in served][len(given) :]:
        address = await _take_free(scope, obj, [each for each in networks if family == f"IPv{each.version}"])
        given.append(address)
        taken.append(address)
    if not given:
        cause = invalid("spec.ipFamilies[0]", spec["ipFamilies"][0], "not configured on this cluster")
        raise errors.invalid("Service", meta.name(obj), [cause])
    spec["clusterIP"], spec["clusterIPs"] = given[0], given


async def free_addresses(scope: Scope, obj: Object, addresses: Sequence[str]) -> None:
    """Remove the IPAddresses that are this Service's; others are left alone."""
    if scope.context.dry_run:
        return
    for address in addresses:
        record = scope.store.get(RESOURCE, "", _name(address))
        if record is None or record.obj["spec"].get("parentRef") != parent_of(obj):
            continue
        with suppress(errors.NotFound), translated(scope.kind, record.name):
            await scope.store.delete(RESOURCE, "", record.name, expected=None)


def service_networks(scope: Scope) -> Sequence[Network]:
    """The ranges that are ready, the oldest first; those of the configuration while no object names any."""
    found = list(scope.store.list(RANGES))
    if not found:
        return scope.settings.service_networks
    found.sort(key=lambda record: record.created_revision)
    return [
        _network(text)
        for record in found
        if not meta.is_terminating(record.obj) and conditions.is_true(record.obj, "Ready")
        for text in record.obj["spec"].get("cidrs") or ()
    ]


def ip_address_object(address: str, obj: Object) -> Object:
    """The IPAddress that says that the Service has the address."""
    labels = {FAMILY: family_of(address), MANAGED_BY: MANAGER}
    return {
        "kind": "IPAddress",
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {"name": _name(address), "labels": labels},
        "spec": {"parentRef": parent_of(obj)},
    }


def parent_of(obj: Object) -> Object:
    return {"resource": "services", "namespace": meta.namespace(obj), "name": meta.name(obj)}


def dynamic_from(network: Network) -> int:
    """The offset from which addresses are given out; those below are for people to choose, and last to go."""
    size = min(network.num_addresses, _LARGEST)
    return 0 if size <= 16 else min(max(16, size // 16), 256)


@lru_cache(maxsize=64)
def _network(text: str) -> Network:
    return ip_network(text, strict=False)


def _name(address: str) -> str:
    return str(ip_address(address))


async def _take_given(scope: Scope, obj: Object, address: str, networks: Sequence[Network]) -> None:
    value = ip_address(address)
    holding = [each for each in networks if value in each]
    if not holding:
        raise _refused(obj, address, "the provided network does not match the current range")
    for network in holding:
        broadcast = network.version == 4 and value == network.broadcast_address
        if value == network.network_address or broadcast:
            why = (
                f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {network}"
            )
            raise _refused(obj, address, why)
    if not await _take(scope, obj, address):
        raise _refused(obj, address, "provided IP is already allocated")


def _refused(obj: Object, address: str, why: str) -> errors.Invalid:
    given = obj["spec"]["clusterIPs"]
    cause = invalid("spec.clusterIPs", given, f"failed to allocate IP {address}: {why}")
    return errors.invalid("Service", meta.name(obj), [cause])


async def _take_free(scope: Scope, obj: Object, networks: Sequence[Network]) -> str:
    for network in networks:
        for address in _candidates(network):
            if scope.store.get(RESOURCE, "", address) is None and await _take(scope, obj, address):
                return address
    raise errors.InternalError(_FULL)


def _candidates(network: Network) -> Iterator[str]:
    """Random ones of the upper part, then all of it, then the lower part; the first is the API server's."""
    size = min(network.num_addresses, _LARGEST)
    first, last = 2, size - (2 if network.version == 4 else 1)
    lower = max(first, dynamic_from(network))
    if last < first:
        return
    start = random.randint(min(lower, last), last)
    for _ in range(_TRIES):
        yield str(network[random.randint(min(lower, last), last)])
    for span in (range(start, last + 1), range(lower, start), range(first, min(lower, last + 1))):
        for offset in span:
            yield str(network[offset])


async def _take(scope: Scope, obj: Object, address: str) -> bool:
    """Whether the address was free and is the Service's now; a dry run only looks."""
    name = _name(address)
    if scope.context.dry_run:
        return scope.store.get(RESOURCE, "", name) is None
    made = ip_address_object(address, obj)
    made["metadata"] |= {"uid": meta.new_uid(), "creationTimestamp": meta.timestamp(scope.now)}
    try:
        with translated(scope.kind, name):
            await scope.store.create(RESOURCE, "", name, made)
    except errors.AlreadyExists:
        return False
    return True
