"""Endpoints: the addresses behind a Service, in the old form."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, qualified_name_errors, subdomain_errors
from server.registry.causes import in_range, invalids, one_of, required
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.core.service_validation import PROTOCOLS
from server.registry.groups.ip_validation import ip_errors, non_special_causes
from server.registry.groups.ip_warnings import ip_warnings
from server.registry.strategy import Strategy

_SHOWN = 3


class EndpointsKind(Strategy):
    create_on_update = True
    columns = columns(Column("Endpoints", description="The addresses and ports of all subsets."), AGE)

    def default(self, obj: Object) -> None:
        for subset in obj.get("subsets") or ():
            for port in subset.get("ports") or ():
                port.setdefault("protocol", "TCP")

    def validate(self, obj: Object) -> list[Cause]:
        causes: list[Cause] = []
        for position, subset in enumerate(obj.get("subsets") or ()):
            causes += _subset_causes(f"subsets[{position}]", subset)
        return causes

    def warnings(self, obj: Object) -> list[str]:
        return [
            warning
            for number, subset in enumerate(obj.get("subsets") or ())
            for name in ("addresses", "notReadyAddresses")
            for position, each in enumerate(subset.get(name) or ())
            for warning in ip_warnings(f"subsets[{number}].{name}[{position}].ip", each.get("ip", ""))
        ]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), _endpoints(obj), object_age(obj, now)]


def _endpoints(obj: Object) -> str:
    found: list[str] = []
    for subset in obj.get("subsets") or ():
        ports = [port.get("port") for port in subset.get("ports") or ()]
        for address in subset.get("addresses") or ():
            ip = address.get("ip", "")
            host = f"[{ip}]" if ":" in ip else ip
            found += [f"{host}:{port}" for port in ports] if ports else [ip]
    shown = ",".join(found[:_SHOWN]) or "<none>"
    return f"{shown} + {len(found) - _SHOWN} more..." if len(found) > _SHOWN else shown


def _subset_causes(field: str, subset: Object) -> list[Cause]:
    causes: list[Cause] = []
    if not subset.get("addresses") and not subset.get("notReadyAddresses"):
        causes.append(required(field, "must specify `addresses` or `notReadyAddresses`"))
    for name in ("addresses", "notReadyAddresses"):
        for position, address in enumerate(subset.get(name) or ()):
            causes += _address_causes(f"{field}.{name}[{position}]", address)
    ports = subset.get("ports") or []
    for position, port in enumerate(ports):
        causes += _port_causes(f"{field}.ports[{position}]", port, needs_name=len(ports) > 1)
    return causes


def _address_causes(field: str, address: Object) -> list[Cause]:
    ip, host, node = address.get("ip", ""), address.get("hostname"), address.get("nodeName")
    causes = invalids(f"{field}.ip", ip, ip_errors(ip))
    if host:
        causes += invalids(f"{field}.hostname", host, label_errors(host))
    if node is not None:
        causes += invalids(f"{field}.nodeName", node, subdomain_errors(node))
    return causes + non_special_causes(f"{field}.ip", ip)


def _port_causes(field: str, port: Object, *, needs_name: bool) -> list[Cause]:
    name, protocol = port.get("name", ""), port.get("appProtocol")
    causes = invalids(f"{field}.name", name, label_errors(name)) if name else []
    if needs_name and not name:
        causes.append(required(f"{field}.name"))
    causes += in_range(f"{field}.port", port.get("port", 0), 1, 65535)
    causes += one_of(f"{field}.protocol", port.get("protocol"), PROTOCOLS)
    if protocol is not None:
        causes += invalids(f"{field}.appProtocol", protocol, qualified_name_errors(protocol))
    return causes
