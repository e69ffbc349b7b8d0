"""What a Service takes from the cluster while it is stored, and gives back: addresses and node ports."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kubeling.objects.errors import ApiError
from kubeling.objects.meta import Object
from server.registry.groups.core.addresses import free_addresses, take_addresses
from server.registry.groups.core.node_ports import (
    free_node_ports,
    needs_node_ports,
    ports_of,
    take_node_ports,
)
from server.registry.strategy import Scope
from server.storage.errors import StorageError


@asynccontextmanager
async def allocated(scope: Scope, obj: Object, old: Object | None) -> AsyncIterator[None]:
    """Give the Service what it needs; take it back if it cannot be stored, else take what it gave up.

    When the outcome is not known (the caller was cancelled), nothing is taken back.

    Raises:
        Invalid: a given address or port is taken, or outside the cluster's range.
        InternalError: there are none left.
    """
    addresses: list[str] = []
    ports: set[int] = set()
    before = old["spec"] if old else {}
    try:
        if _has_address(obj["spec"]):
            await take_addresses(scope, obj, own=_addresses(before), taken=addresses)
        if needs_node_ports(obj["spec"]) or obj["spec"].get("healthCheckNodePort"):
            ports = await take_node_ports(scope, obj, own=set(ports_of(before)))
        yield
    except (ApiError, StorageError):
        await free_addresses(scope, obj, addresses)
        await free_node_ports(scope, ports)
        raise
    if old is not None:
        kept, kept_ports = _addresses(obj["spec"]), set(ports_of(obj["spec"]))
        await free_addresses(scope, old, [each for each in _addresses(before) if each not in kept])
        await free_node_ports(scope, set(ports_of(before)) - kept_ports)


async def release(scope: Scope, obj: Object) -> None:
    """Free what a Service had that is gone."""
    await free_addresses(scope, obj, _addresses(obj["spec"]))
    await free_node_ports(scope, ports_of(obj["spec"]))


def _has_address(spec: Object) -> bool:
    return bool(spec["type"] != "ExternalName" and spec.get("clusterIP") != "None")


def _addresses(spec: Object) -> list[str]:
    return [each for each in spec.get("clusterIPs") or () if each and each != "None"]
