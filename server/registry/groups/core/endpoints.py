"""Endpoints: the addresses behind a Service, in the old form."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.strategy import Strategy

_SHOWN = 3


class EndpointsKind(Strategy):
    create_on_update = True
    columns = columns(Column("Endpoints", description="The addresses and ports of all subsets."), AGE)

    def default(self, obj: Object) -> None:
        for subset in obj.get("subsets") or ():
            for port in subset.get("ports") or ():
                port.setdefault("protocol", "TCP")

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
