"""Validation of Services, before addresses and ports are allocated."""

from typing import Any

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, subdomain_errors
from server.registry.causes import (
    duplicate,
    forbidden,
    in_range,
    invalid,
    invalids,
    not_supported,
    one_of,
    required,
)
from server.registry.groups.core.port_names import port_name_errors
from server.registry.groups.ip_validation import ip_errors
from server.registry.metadata import label_causes

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")


def service_causes(spec: Object) -> list[Cause]:
    causes = one_of("spec.type", spec.get("type"), _TYPES)
    causes += _type_causes(spec)
    causes += _port_list_causes(spec)
    causes += one_of("spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None"))
    causes += label_causes("spec.selector", spec.get("selector") or {})
    for position, each in enumerate(spec.get("externalIPs") or ()):
        causes += invalids(f"spec.externalIPs[{position}]", each, ip_errors(each))
    return causes + _policy_causes(spec)


def _type_causes(spec: Object) -> list[Cause]:
    kind, ips = spec.get("type"), spec.get("clusterIPs") or []
    if kind == "ExternalName":
        name = spec.get("externalName", "").rstrip(".")
        causes = invalids("spec.externalName", name, subdomain_errors(name)) if name else []
        causes += [] if name else [required("spec.externalName")]
        why = "may not be set for ExternalName services"
        return causes + ([forbidden("spec.clusterIPs", why)] if ips else [])
    if ips and ips[0] == "None" and kind != "ClusterIP":
        return [invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")]
    return _cluster_ip_causes(spec, ips)


def _cluster_ip_causes(spec: Object, ips: list[str]) -> list[Cause]:
    if spec.get("clusterIP") and ips and ips[0] != spec["clusterIP"]:
        why = "first value must match `clusterIP`"
        return [invalid("spec.clusterIPs", ips, why)]
    if len(ips) > 2:
        return [invalid("spec.clusterIPs", ips, "may only hold up to 2 values")]
    causes: list[Cause] = []
    for position, each in enumerate(ips):
        if each != "None":
            causes += invalids(f"spec.clusterIPs[{position}]", each, ip_errors(each))
        elif position:
            causes.append(invalid("spec.clusterIPs", ips, "'None' must be the first and only value"))
    return causes


def _port_list_causes(spec: Object) -> list[Cause]:
    ports = spec.get("ports") or []
    headless = spec.get("clusterIP") == "None"
    if not ports and not headless and spec.get("type") != "ExternalName":
        return [required("spec.ports")]
    causes: list[Cause] = []
    names: set[str] = set()
    places: set[tuple[Any, Any]] = set()
    for position, port in enumerate(ports):
        where = f"spec.ports[{position}]"
        causes += _port_name_causes(f"{where}.name", port, names, needed=len(ports) > 1)
        causes += _port_causes(where, port, spec.get("type", ""))
        place = (port.get("protocol"), port.get("port"))
        if place in places:
            causes.append(duplicate(where, {"port": place[1], "protocol": place[0]}))
        places.add(place)
    return causes


def _port_name_causes(field: str, port: Object, names: set[str], *, needed: bool) -> list[Cause]:
    name = port.get("name", "")
    if not name:
        return [required(field)] if needed else []
    causes = invalids(field, name, label_errors(name))
    if name in names:
        causes.append(duplicate(field, name))
    names.add(name)
    return causes


def _port_causes(field: str, port: Object, kind: str) -> list[Cause]:
    causes = in_range(f"{field}.port", port.get("port", 0), 1, 65535)
    causes += one_of(f"{field}.protocol", port.get("protocol"), _PROTOCOLS)
    target = port.get("targetPort", 0)
    if isinstance(target, int):
        causes += in_range(f"{field}.targetPort", target, 1, 65535)
    else:
        causes += invalids(f"{field}.targetPort", target, port_name_errors(target))
    if kind == "ClusterIP" and port.get("nodePort"):
        causes.append(forbidden(f"{field}.nodePort", "may not be used when `type` is 'ClusterIP'"))
    return causes


def _policy_causes(spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    policies = {
        "externalTrafficPolicy": ("Cluster", "Local"),
        "internalTrafficPolicy": ("Cluster", "Local"),
        "ipFamilyPolicy": ("SingleStack", "PreferDualStack", "RequireDualStack"),
    }
    for name, supported in policies.items():
        value = spec.get(name)
        if value is not None and value not in supported:
            causes.append(not_supported(f"spec.{name}", value, supported))
    exposed = spec.get("type") in ("NodePort", "LoadBalancer") or spec.get("externalIPs")
    if spec.get("externalTrafficPolicy") and not exposed:
        why = "may only be set for externally-accessible services"
        causes.append(invalid("spec.externalTrafficPolicy", spec["externalTrafficPolicy"], why))
    return causes


def update_causes(spec: Object, before: Object) -> list[Cause]:
    """The primary address may not change, but for services that become or cease to be ExternalName."""
    if "ExternalName" in (spec.get("type"), before.get("type")):
        return []
    old, new = before.get("clusterIPs") or [], spec.get("clusterIPs") or []
    if old and (not new or new[0] != old[0]):
        return [invalid("spec.clusterIPs[0]", new, "may not change once set")]
    return []
