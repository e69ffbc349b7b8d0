"""ServiceCIDRs and IPAddresses. Which Service has which address is decided in `core.addresses`."""

from datetime import datetime
from ipaddress import ip_network
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import path_segment_errors, subdomain_errors
from server.registry.causes import immutable, invalid, invalids, required
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.ip_validation import canonical_cidr_errors, canonical_ip_errors
from server.registry.groups.ip_warnings import each_cidr_warnings
from server.registry.strategy import Strategy

_MOST_RANGES = 2


class IPAddresses(Strategy):
    columns = columns("ParentRef")

    def name_errors(self, name: str) -> list[str]:
        return canonical_ip_errors(name)

    def validate(self, obj: Object) -> list[Cause]:
        field, parent = "spec.parentRef", (obj.get("spec") or {}).get("parentRef")
        if parent is None:
            return [required(field)]
        causes: list[Cause] = []
        if group := parent.get("group"):
            causes += invalids(f"{field}.group", group, subdomain_errors(group))
        for name in ("resource", "name"):
            if value := parent.get(name):
                causes += invalids(f"{field}.{name}", value, path_segment_errors(value))
            else:
                causes.append(required(f"{field}.{name}"))
        if namespace := parent.get("namespace"):
            causes += invalids(f"{field}.namespace", namespace, path_segment_errors(namespace))
        return causes

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        new, before = ((each.get("spec") or {}).get("parentRef") for each in (obj, old))
        return [] if new == before else [immutable("spec.parentRef", new)]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        parent = (obj.get("spec") or {}).get("parentRef")
        return [meta.name(obj), _place(parent) if parent else "<none>"]


def _place(parent: Object) -> str:
    """`services/NAMESPACE/NAME`, `gateways.example.com/NAME`."""
    group = parent.get("group")
    resource = f"{parent.get('resource', '')}.{group}" if group else str(parent.get("resource", ""))
    space = parent.get("namespace")
    return "/".join(filter(None, (resource.lower(), space, parent.get("name"))))


class ServiceCIDRs(Strategy):
    columns = columns("CIDRs", AGE)

    def validate(self, obj: Object) -> list[Cause]:
        field, cidrs = "spec.cidrs", (obj.get("spec") or {}).get("cidrs") or []
        if not cidrs:
            return [required(field, "at least one CIDR required")]
        if len(cidrs) > _MOST_RANGES:
            return [invalid(field, cidrs, "may only hold up to 2 values")]
        causes = [
            cause
            for position, cidr in enumerate(cidrs)
            for cause in invalids(f"{field}[{position}]", cidr, canonical_cidr_errors(cidr))
        ]
        if not causes and len({ip_network(cidr, strict=False).version for cidr in cidrs}) < len(cidrs):
            why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
            causes.append(invalid(field, cidrs, why))
        return causes

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        """A range stays; one of the other family may be added."""
        new, before = ((each.get("spec") or {}).get("cidrs") or [] for each in (obj, old))
        if len(new) < len(before) or len(new) > _MOST_RANGES:
            return [immutable("spec.cidrs", new)]
        return [
            immutable(f"spec.cidrs[{position}]", cidr)
            for position, (cidr, was) in enumerate(zip(new, before, strict=False))
            if cidr != was
        ]

    def warnings(self, obj: Object) -> list[str]:
        return list(each_cidr_warnings("spec.cidrs", (obj.get("spec") or {}).get("cidrs") or ()))

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        cidrs = (obj.get("spec") or {}).get("cidrs") or []
        return [meta.name(obj), ",".join(cidrs), object_age(obj, now)]
