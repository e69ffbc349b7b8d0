"""NetworkPolicies."""

from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_network
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import forbidden, invalid, invalids, not_supported, required
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.core.label_selector_validation import label_selector_causes
from server.registry.groups.core.port_names import port_name_errors
from server.registry.groups.ip_validation import cidr_errors
from server.registry.groups.ip_warnings import cidr_warnings, each_cidr_warnings
from server.registry.selectors import selector_text
from server.registry.strategy import Strategy

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_TYPES = ("Egress", "Ingress")
_DIRECTIONS = (("ingress", "from"), ("egress", "to"))


class NetworkPolicies(Strategy):
    has_generation = True
    columns = columns("Pod-Selector", AGE)

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("podSelector", {})
        if not spec.get("policyTypes"):
            spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
        for direction, _ in _DIRECTIONS:
            for rule in spec.get(direction) or ():
                for port in rule.get("ports") or ():
                    port.setdefault("protocol", "TCP")

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        causes = label_selector_causes("spec.podSelector", spec["podSelector"])
        for direction, peers in _DIRECTIONS:
            for position, rule in enumerate(spec.get(direction) or ()):
                causes += _rule_causes(f"spec.{direction}[{position}]", rule, peers=peers)
        types = spec.get("policyTypes") or []
        if len(types) > len(_TYPES):
            return [*causes, invalid("spec.policyTypes", types, "may not specify more than two policyTypes")]
        return causes + [
            not_supported(f"spec.policyTypes[{position}]", each, _TYPES)
            for position, each in enumerate(types)
            if each not in _TYPES
        ]

    def warnings(self, obj: Object) -> list[str]:
        return list(_warnings(obj["spec"]))

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        selector = selector_text((obj.get("spec") or {}).get("podSelector"))
        return [meta.name(obj), selector or "<none>", object_age(obj, now)]


def _warnings(spec: Object) -> Iterator[str]:
    for direction, peers in _DIRECTIONS:
        for number, rule in enumerate(spec.get(direction) or ()):
            for position, peer in enumerate(rule.get(peers) or ()):
                block = peer.get("ipBlock") or {}
                field = f"spec.{direction}[{number}].{peers}[{position}].ipBlock"
                yield from cidr_warnings(f"{field}.cidr", block.get("cidr", ""))
                yield from each_cidr_warnings(f"{field}.except", block.get("except") or ())


def _rule_causes(field: str, rule: Object, *, peers: str) -> list[Cause]:
    causes: list[Cause] = []
    for position, port in enumerate(rule.get("ports") or ()):
        causes += _port_causes(f"{field}.ports[{position}]", port)
    for position, peer in enumerate(rule.get(peers) or ()):
        causes += _peer_causes(f"{field}.{peers}[{position}]", peer)
    return causes


def _port_causes(field: str, each: Object) -> list[Cause]:
    protocol, port, end = each.get("protocol"), each.get("port"), each.get("endPort")
    causes: list[Cause] = []
    if protocol is not None and protocol not in _PROTOCOLS:
        causes.append(not_supported(f"{field}.protocol", protocol, _PROTOCOLS))
    if port is None:
        if end is not None:
            why = "may not be specified when `port` is not specified"
            causes.append(invalid(f"{field}.endPort", end, why))
    elif isinstance(port, int):
        causes += _number_causes(f"{field}.port", port)
        if end is not None and end < port:
            causes.append(invalid(f"{field}.endPort", end, "must be greater than or equal to `port`"))
        if end is not None:
            causes += _number_causes(f"{field}.endPort", end)
    else:
        if end is not None:
            why = "may not be specified when `port` is non-numeric"
            causes.append(invalid(f"{field}.endPort", end, why))
        causes += invalids(f"{field}.port", port, port_name_errors(port))
    return causes


def _number_causes(field: str, port: int) -> list[Cause]:
    return [] if 1 <= port <= 65535 else [invalid(field, port, "must be between 1 and 65535, inclusive")]


def _peer_causes(field: str, peer: Object) -> list[Cause]:
    kinds = [each for each in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(each) is not None]
    causes: list[Cause] = []
    for name in ("podSelector", "namespaceSelector"):
        causes += label_selector_causes(f"{field}.{name}", peer.get(name))
    if "ipBlock" in kinds:
        causes += _block_causes(f"{field}.ipBlock", peer["ipBlock"])
    if not kinds:
        causes.append(required(field, "must specify a peer"))
    elif len(kinds) > 1 and "ipBlock" in kinds:
        causes.append(forbidden(field, "may not specify both ipBlock and another peer"))
    return causes


def _block_causes(field: str, block: Object) -> list[Cause]:
    cidr = block.get("cidr", "")
    if not cidr:
        return [required(f"{field}.cidr")]
    if errors := cidr_errors(cidr):
        return invalids(f"{field}.cidr", cidr, errors)
    causes: list[Cause] = []
    outer = ip_network(cidr, strict=False)
    for position, each in enumerate(block.get("except") or ()):
        where = f"{field}.except[{position}]"
        if errors := cidr_errors(each):
            causes += invalids(where, each, errors)
            continue
        inner = ip_network(each, strict=False)
        within = inner.version == outer.version and inner.network_address in outer
        if not within or outer.prefixlen >= inner.prefixlen:
            causes.append(invalid(where, each, "must be a strict subset of `cidr`"))
    return causes
