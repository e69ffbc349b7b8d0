"""The kinds of discovery.k8s.io."""

from collections.abc import Callable, Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, qualified_name_errors
from server.registry.causes import (
    duplicate,
    immutable,
    invalid,
    invalids,
    not_supported,
    one_of,
    required,
    too_many,
)
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.ip_validation import (
    non_special_causes,
    parsed_ip,
    qualified_domain_causes,
)
from server.registry.groups.ip_warnings import ip_warnings
from server.registry.kind import Kind
from server.registry.metadata import label_causes
from server.registry.strategy import Scope, Strategy

_SHOWN = 3
_TYPES = ("FQDN", "IPv4", "IPv6")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MOST_TOPOLOGY, _MOST_ADDRESSES, _MOST_PORTS, _MOST_ENDPOINTS = 16, 100, 20000, 1000
_MOST_HINTS = 8


class EndpointSlices(Strategy):
    has_generation = True
    columns = columns("AddressType", "Ports", "Endpoints", AGE)

    def default(self, obj: Object) -> None:
        for port in obj.get("ports") or ():
            port.setdefault("name", "")
            port.setdefault("protocol", "TCP")

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        """Nothing is reset: an EndpointSlice has no status."""

    def validate(self, obj: Object) -> list[Cause]:
        kind = obj.get("addressType") or ""
        causes = one_of("addressType", kind, _TYPES)
        causes += _endpoint_list_causes(obj.get("endpoints") or [], kind)
        return causes + _port_list_causes(obj.get("ports") or [])

    def warnings(self, obj: Object) -> list[str]:
        return [
            warning
            for position, endpoint in enumerate(obj.get("endpoints") or ())
            for number, each in enumerate(endpoint.get("addresses") or ())
            for warning in ip_warnings(f"endpoints[{position}].addresses[{number}]", each)
        ]

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        same = obj.get("addressType") == old.get("addressType")
        return [] if same else [immutable("addressType", obj.get("addressType"))]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        addresses = [ip for each in obj.get("endpoints") or () for ip in each.get("addresses") or ()]
        return [
            meta.name(obj),
            obj.get("addressType", ""),
            _ports(obj.get("ports")),
            _shortened(addresses) if obj.get("endpoints") else "<unset>",
            object_age(obj, now),
        ]


def _ports(ports: list[Object] | None) -> str:
    if not ports:
        return "<unset>"
    return _shortened([str(each.get("port") or each.get("name") or "*") for each in ports])


def _shortened(texts: list[str]) -> str:
    shown = ",".join(texts[:_SHOWN])
    return f"{shown} + {len(texts) - _SHOWN} more..." if len(texts) > _SHOWN else shown


def _endpoint_list_causes(endpoints: list[Object], kind: str) -> list[Cause]:
    if len(endpoints) > _MOST_ENDPOINTS:
        return [too_many("endpoints", len(endpoints), _MOST_ENDPOINTS)]
    return [
        cause
        for position, each in enumerate(endpoints)
        for cause in _endpoint_causes(f"endpoints[{position}]", each, kind)
    ]


def _endpoint_causes(field: str, each: Object, kind: str) -> list[Cause]:
    addresses, causes = each.get("addresses") or [], []
    if not addresses:
        causes.append(required(f"{field}.addresses", "must contain at least 1 address"))
    elif len(addresses) > _MOST_ADDRESSES:
        causes.append(too_many(f"{field}.addresses", len(addresses), _MOST_ADDRESSES))
    check = _ADDRESS_CHECKS.get(kind)
    for position, address in enumerate(addresses):
        causes += check(f"{field}.addresses[{position}]", address) if check else []
    topology: Mapping[str, str] = each.get("deprecatedTopology") or {}
    if len(topology) > _MOST_TOPOLOGY:
        causes.append(too_many(f"{field}.deprecatedTopology", len(topology), _MOST_TOPOLOGY))
    causes += label_causes(f"{field}.deprecatedTopology", topology)
    if (host := each.get("hostname")) is not None:
        causes += invalids(f"{field}.hostname", host, label_errors(host))
    if (node := each.get("nodeName")) is not None and not node:
        causes += invalids(f"{field}.nodeName", node, label_errors(node))
    return causes + _hint_causes(f"{field}.hints", each.get("hints") or {})


def _hint_causes(field: str, hints: Object) -> list[Cause]:
    causes: list[Cause] = []
    for name in ("forZones", "forNodes"):
        given, seen = hints.get(name) or [], set[str]()
        if len(given) > _MOST_HINTS:
            causes.append(too_many(f"{field}.{name}", len(given), _MOST_HINTS))
            continue
        for position, each in enumerate(given):
            where, value = f"{field}.{name}[{position}].name", each.get("name", "")
            if value in seen:
                causes.append(duplicate(where, value))
            seen.add(value)
            causes += invalids(where, value, qualified_name_errors(value))
    return causes


def _ipv4_causes(field: str, text: str) -> list[Cause]:
    if not isinstance(parsed_ip(text), IPv4Address):
        return [invalid(field, text, "must be a valid IPv4 address"), *non_special_causes(field, text)]
    return non_special_causes(field, text)


def _ipv6_causes(field: str, text: str) -> list[Cause]:
    if not isinstance(parsed_ip(text), IPv6Address):
        return [invalid(field, text, "must be a valid IPv6 address"), *non_special_causes(field, text)]
    return non_special_causes(field, text)


_ADDRESS_CHECKS: Mapping[str, Callable[[str, str], list[Cause]]] = {
    "IPv4": _ipv4_causes,
    "IPv6": _ipv6_causes,
    "FQDN": qualified_domain_causes,
}


def _port_list_causes(ports: list[Object]) -> list[Cause]:
    if len(ports) > _MOST_PORTS:
        return [too_many("ports", len(ports), _MOST_PORTS)]
    causes: list[Cause] = []
    names: set[str] = set()
    for position, port in enumerate(ports):
        field, name = f"ports[{position}]", port.get("name") or ""
        if name:
            causes += invalids(f"{field}.name", name, label_errors(name))
        if name in names:
            causes.append(duplicate(f"{field}.name", name))
        names.add(name)
        protocol = port.get("protocol")
        if protocol not in _PROTOCOLS:
            causes.append(not_supported(f"{field}.protocol", protocol, _PROTOCOLS))
        if (application := port.get("appProtocol")) is not None:
            causes += invalids(f"{field}.appProtocol", application, qualified_name_errors(application))
    return causes


KINDS = (Kind("discovery.k8s.io", "EndpointSlice", "endpointslices", EndpointSlices()),)
