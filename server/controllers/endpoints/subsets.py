"""The subsets of an Endpoints object: addresses that have the same ports stand together. Pure functions."""

from collections.abc import Iterable, Mapping
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

from kubeling.objects.meta import Object

MOST = 1000
"""Addresses in one Endpoints object, as upstream."""


class Entry(NamedTuple):
    """An address with one of its ports; None: it has none."""

    address: Object
    ready: bool
    port: Object | None


def repacked(entries: Iterable[Entry]) -> list[Object]:
    """Each port with its addresses, then ports with the same addresses as one subset, all in order."""
    by_port: dict[tuple[object, ...], tuple[Object | None, dict[tuple[str, str, bool], Entry]]] = {}
    for entry in entries:
        _, found = by_port.setdefault(_port_order(entry.port), (entry.port, {}))
        found[(*_address_order(entry.address)[1:], entry.ready)] = entry
    groups: dict[frozenset[tuple[str, str, bool]], tuple[list[Object], list[Entry]]] = {}
    for _, (port, found) in sorted(by_port.items()):
        ports, _ = groups.setdefault(frozenset(found), ([], list(found.values())))
        if port is not None:
            ports.append(port)
    return [_subset(ports, each) for ports, each in groups.values()]


def truncated(subsets: list[Object]) -> list[Object] | None:
    """The same with no more than MOST addresses, ready ones first; None when there are no more."""
    total = sum(len(each.get(kind) or ()) for each in subsets for kind in ("addresses", "notReadyAddresses"))
    if total <= MOST:
        return None
    left, kept = MOST, [dict(each) for each in subsets]
    for kind in ("addresses", "notReadyAddresses"):
        for each in kept:
            shown = (each.pop(kind, None) or [])[:left]
            left -= len(shown)
            if shown:
                each[kind] = shown
    return [each for each in kept if "addresses" in each or "notReadyAddresses" in each]


def _subset(ports: list[Object], entries: Iterable[Entry]) -> Object:
    ordered = sorted(entries, key=lambda entry: _address_order(entry.address))
    subset: Object = {}
    for kind, ready in (("addresses", True), ("notReadyAddresses", False)):
        if found := [entry.address for entry in ordered if entry.ready is ready]:
            subset[kind] = found
    if ports:
        subset["ports"] = ports
    return subset


def _address_order(address: Mapping[str, object]) -> tuple[bytes, str, str]:
    target = address.get("targetRef")
    uid = target.get("uid", "") if isinstance(target, Mapping) else ""
    ip = str(address["ip"])
    return inet_pton(AF_INET6 if ":" in ip else AF_INET, ip), ip, str(uid)


def _port_order(port: Object | None) -> tuple[object, ...]:
    if port is None:
        return ()
    return port["port"], port.get("protocol", ""), port.get("name", ""), port.get("appProtocol", "")
