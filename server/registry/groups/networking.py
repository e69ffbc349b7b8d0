"""The kinds of networking.k8s.io."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import invalid, not_supported, required
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.core.scheduling_validation import selector_causes
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.selectors import selector_text
from server.registry.strategy import Strategy

_GROUP = "networking.k8s.io"
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")


class IngressClasses(Strategy):
    has_generation = True
    columns = columns("Controller", "Parameters", AGE)

    def validate(self, obj: Object) -> list[Cause]:
        return [] if (obj.get("spec") or {}).get("controller") else [required("spec.controller")]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        parameters = spec.get("parameters")
        return [
            meta.name(obj),
            spec.get("controller", ""),
            _reference(parameters) if parameters else "<none>",
            object_age(obj, now),
        ]


def _reference(parameters: Object) -> str:
    group = parameters.get("apiGroup")
    return f"{parameters.get('kind')}{'.' if group else ''}{group or ''}/{parameters.get('name')}"


class Ingresses(Strategy):
    has_generation = True
    columns = columns("Class", "Hosts", "Address", "Ports", AGE)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        if not spec.get("rules") and not spec.get("defaultBackend"):
            return [invalid("spec", [], "either `defaultBackend` or `rules` must be specified")]
        causes: list[Cause] = []
        for position, rule in enumerate(spec.get("rules") or ()):
            for number, path in enumerate((rule.get("http") or {}).get("paths") or ()):
                causes += _path_causes(f"spec.rules[{position}].http.paths[{number}]", path)
        return causes

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec, balancer = obj.get("spec") or {}, (obj.get("status") or {}).get("loadBalancer") or {}
        hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
        shown = f"{','.join(hosts[:3])} + {len(hosts) - 3} more..." if len(hosts) > 3 else ",".join(hosts)
        addresses = [each.get("ip") or each.get("hostname") or "" for each in balancer.get("ingress") or ()]
        return [
            meta.name(obj),
            spec.get("ingressClassName") or "<none>",
            shown or "*",
            ",".join(addresses),
            "80, 443" if spec.get("tls") else "80",
            object_age(obj, now),
        ]


def _path_causes(field: str, path: Object) -> list[Cause]:
    kind = path.get("pathType")
    if not kind:
        return [required(f"{field}.pathType", "pathType must be specified")]
    return [] if kind in _PATH_TYPES else [not_supported(f"{field}.pathType", kind, _PATH_TYPES)]


class NetworkPolicies(Strategy):
    has_generation = True
    columns = columns("Pod-Selector", AGE)

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("podSelector", {})
        if not spec.get("policyTypes"):
            spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
        for direction in ("ingress", "egress"):
            for rule in spec.get(direction) or ():
                for port in rule.get("ports") or ():
                    port.setdefault("protocol", "TCP")

    def validate(self, obj: Object) -> list[Cause]:
        return selector_causes("spec.podSelector", obj["spec"]["podSelector"])

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        selector = selector_text((obj.get("spec") or {}).get("podSelector"))
        return [meta.name(obj), selector or "<none>", object_age(obj, now)]


class IPAddresses(Strategy):
    columns = columns("ParentRef", AGE)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        parent = (obj.get("spec") or {}).get("parentRef") or {}
        place = "/".join(str(parent[name]) for name in ("resource", "namespace", "name") if parent.get(name))
        return [meta.name(obj), place or "<none>", object_age(obj, now)]


class ServiceCIDRs(Strategy):
    columns = columns("CIDRs", AGE)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        cidrs = (obj.get("spec") or {}).get("cidrs") or []
        return [meta.name(obj), ",".join(cidrs), object_age(obj, now)]


KINDS = (
    Kind(_GROUP, "IngressClass", "ingressclasses", IngressClasses(), namespaced=False),
    Kind(
        _GROUP,
        "Ingress",
        "ingresses",
        Ingresses(),
        short_names=("ing",),
        subresources=status("Ingress"),
    ),
    Kind(_GROUP, "IPAddress", "ipaddresses", IPAddresses(), namespaced=False, short_names=("ip",)),
    Kind(_GROUP, "NetworkPolicy", "networkpolicies", NetworkPolicies(), short_names=("netpol",)),
    Kind(
        _GROUP,
        "ServiceCIDR",
        "servicecidrs",
        ServiceCIDRs(),
        namespaced=False,
        subresources=status("ServiceCIDR"),
    ),
)
