"""The kinds of discovery.k8s.io."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import immutable, one_of, required
from server.registry.columns import AGE, columns, object_age
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_SHOWN = 3
_TYPES = ("FQDN", "IPv4", "IPv6")


class EndpointSlices(Strategy):
    has_generation = True
    columns = columns("AddressType", "Ports", "Endpoints", AGE)

    def default(self, obj: Object) -> None:
        for port in obj.get("ports") or ():
            port.setdefault("name", "")
            port.setdefault("protocol", "TCP")

    def validate(self, obj: Object) -> list[Cause]:
        causes = one_of("addressType", obj.get("addressType"), _TYPES)
        for position, each in enumerate(obj.get("endpoints") or ()):
            if not each.get("addresses"):
                why = "must contain at least 1 address"
                causes.append(required(f"endpoints[{position}].addresses", why))
        return causes

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        same = obj.get("addressType") == old.get("addressType")
        return [] if same else [immutable("addressType", obj.get("addressType"))]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        ports = [str(each.get("port") or "*") for each in obj.get("ports") or ()]
        addresses = [ip for each in obj.get("endpoints") or () for ip in each.get("addresses") or ()]
        return [
            meta.name(obj),
            obj.get("addressType", ""),
            _shortened(ports) if "ports" in obj else "<unset>",
            _shortened(addresses) if "endpoints" in obj else "<unset>",
            object_age(obj, now),
        ]


def _shortened(texts: list[str]) -> str:
    shown = ",".join(texts[:_SHOWN])
    return f"{shown} + {len(texts) - _SHOWN} more..." if len(texts) > _SHOWN else shown


KINDS = (Kind("discovery.k8s.io", "EndpointSlice", "endpointslices", EndpointSlices()),)
