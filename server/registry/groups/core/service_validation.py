"""Validation of Services, before addresses and ports are allocated."""

from typing import Any

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object, annotations
from kubeling.objects.names import label_errors, qualified_name_errors, subdomain_errors
from server.registry.causes import (
    choice,
    duplicate,
    forbidden,
    in_range,
    invalid,
    invalids,
    not_supported,
    one_of,
    required,
)
from server.registry.groups.core.node_ports import needs_health_port
from server.registry.groups.core.port_names import port_name_errors
from server.registry.groups.core.service_addresses import address_causes, is_headless
from server.registry.groups.ip_validation import cidr_errors, ip_errors, non_special_causes, parsed_ip
from server.registry.metadata import label_causes

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PROTOCOLS = ("SCTP", "TCP", "UDP")
_TRAFFIC = ("Cluster", "Local")
_DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_TOPOLOGY, _OLD_TOPOLOGY = (
    "service.kubernetes.io/topology-mode",
    "service.kubernetes.io/topology-aware-hints",
)
_LONGEST_AFFINITY = 86400
_KUBELET_PORT = 10250
_ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"


def service_causes(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    causes = _topology_causes(obj)
    if not spec.get("ports") and not is_headless(spec) and spec.get("type") != "ExternalName":
        causes.append(required("spec.ports"))
    causes += _type_causes(spec)
    causes += _port_list_causes(spec)
    causes += label_causes("spec.selector", spec.get("selector") or {})
    causes += _affinity_causes(spec)
    causes += address_causes(spec)
    for position, each in enumerate(spec.get("externalIPs") or ()):
        where = f"spec.externalIPs[{position}]"
        causes += invalids(where, each, ip_errors(each)) or non_special_causes(where, each)
    causes += one_of("spec.type", spec.get("type"), TYPES)
    causes += _node_port_causes(spec)
    causes += _balancer_causes(obj, spec)
    return causes + _policy_causes(spec)


def _topology_causes(obj: Object) -> list[Cause]:
    given = annotations(obj)
    if given.get(_TOPOLOGY, given.get(_OLD_TOPOLOGY)) == given.get(_OLD_TOPOLOGY, given.get(_TOPOLOGY)):
        return []
    why = f"must match annotations[{_OLD_TOPOLOGY}] when both are specified"
    return [invalid(f"metadata.annotations[{_TOPOLOGY}]", given[_TOPOLOGY], why)]


def _type_causes(spec: Object) -> list[Cause]:
    kind = spec.get("type")
    if kind in ("LoadBalancer", "NodePort") and is_headless(spec):
        return [invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")]
    if kind == "LoadBalancer":
        return _exposed_node_causes(spec)
    if kind != "ExternalName":
        return []
    why = "may not be set for ExternalName services"
    causes = [
        forbidden(f"spec.{name}", why)
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy")
        if spec.get(name)
    ]
    name = spec.get("externalName", "").removesuffix(".")
    if not name:
        return [*causes, required("spec.externalName")]
    return causes + invalids("spec.externalName", name, subdomain_errors(name))


def _exposed_node_causes(spec: Object) -> list[Cause]:
    """Balancers must not open the port on which every node's agent listens."""
    why = f"may not expose port {_KUBELET_PORT} externally since it is used by kubelet"
    return [
        invalid(f"spec.ports[{position}]", _KUBELET_PORT, why)
        for position, port in enumerate(spec.get("ports") or ())
        if port.get("port") == _KUBELET_PORT
    ]


def _port_list_causes(spec: Object) -> list[Cause]:
    ports = spec.get("ports") or []
    causes: list[Cause] = []
    names: set[str] = set()
    for position, port in enumerate(ports):
        where = f"spec.ports[{position}]"
        causes += _port_name_causes(f"{where}.name", port, names, needed=len(ports) > 1)
        causes += _port_causes(where, port)
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


def _port_causes(field: str, port: Object) -> list[Cause]:
    causes = in_range(f"{field}.port", port.get("port", 0), 1, 65535)
    causes += one_of(f"{field}.protocol", port.get("protocol"), PROTOCOLS)
    target = port.get("targetPort", 0)
    if isinstance(target, int):
        causes += in_range(f"{field}.targetPort", target, 1, 65535)
    else:
        causes += invalids(f"{field}.targetPort", target, port_name_errors(target))
    if (protocol := port.get("appProtocol")) is not None:
        causes += invalids(f"{field}.appProtocol", protocol, qualified_name_errors(protocol))
    return causes


def _node_port_causes(spec: Object) -> list[Cause]:
    """Node ports only where the type has them; neither these nor ports twice for a protocol."""
    ports = list(enumerate(spec.get("ports") or ()))
    causes: list[Cause] = []
    if spec.get("type") == "ClusterIP":
        why = "may not be used when `type` is 'ClusterIP'"
        causes += [forbidden(f"spec.ports[{n}].nodePort", why) for n, port in ports if port.get("nodePort")]
    taken: set[tuple[Any, Any]] = set()
    for position, port in ports:
        place = (port.get("protocol"), port.get("nodePort"))
        if place[1] and place in taken:
            causes.append(duplicate(f"spec.ports[{position}].nodePort", place[1]))
        taken.add(place)
    seen: set[tuple[Any, Any]] = set()
    for position, port in ports:
        place = (port.get("protocol"), port.get("port"))
        if place in seen:
            shown = {"port": place[1], "protocol": place[0]}
            causes.append(duplicate(f"spec.ports[{position}]", shown))
        seen.add(place)
    return causes


def _affinity_causes(spec: Object) -> list[Cause]:
    affinity, config = spec.get("sessionAffinity"), spec.get("sessionAffinityConfig")
    field = "spec.sessionAffinityConfig"
    causes = choice("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    if affinity == "None" and config is not None:
        causes.append(forbidden(field, "must not be set when session affinity is None"))
    if affinity == "ClientIP":
        seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds", 0)
        if not 0 < seconds <= _LONGEST_AFFINITY:
            why = f"must be greater than 0 and less than {_LONGEST_AFFINITY}"
            causes.append(invalid(f"{field}.clientIP.timeoutSeconds", seconds, why))
    return causes


def _balancer_causes(obj: Object, spec: Object) -> list[Cause]:
    balanced = spec.get("type") == "LoadBalancer"
    causes = _range_causes(obj, spec, balanced=balanced)
    if spec.get("allocateLoadBalancerNodePorts") is not None and not balanced:
        causes.append(forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_BALANCED))
    if (name := spec.get("loadBalancerClass")) is not None:
        if balanced:
            causes += invalids("spec.loadBalancerClass", name, qualified_name_errors(name))
        else:
            causes.append(forbidden("spec.loadBalancerClass", _ONLY_BALANCED))
    return causes


def _range_causes(obj: Object, spec: Object, *, balanced: bool) -> list[Cause]:
    ranges = spec.get("loadBalancerSourceRanges") or []
    field = "spec.LoadBalancerSourceRanges"
    if ranges:
        causes = [] if balanced else [forbidden(field, _ONLY_BALANCED)]
        for position, each in enumerate(ranges):
            causes += invalids(f"{field}[{position}]", each.strip(), cidr_errors(each.strip()))
        return causes
    listed = annotations(obj).get(_RANGES)
    if listed is None:
        return []
    field = f"metadata.annotations[{_RANGES}]"
    causes = [] if balanced else [forbidden(field, _ONLY_BALANCED)]
    for each in listed.strip().split(",") if listed.strip() else ():
        causes += invalids(field, each.strip(), cidr_errors(each.strip()))
    return causes


def externally_accessible(spec: Object) -> bool:
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def _policy_causes(spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    policy, field = spec.get("externalTrafficPolicy"), "spec.externalTrafficPolicy"
    if externally_accessible(spec):
        causes += choice(field, policy, _TRAFFIC)
    elif policy:
        causes.append(invalid(field, policy, "may only be set for externally-accessible services"))
    if port := spec.get("healthCheckNodePort"):
        causes += _health_port_causes(spec, port)
    policy = spec.get("internalTrafficPolicy")
    if policy is not None and policy not in _TRAFFIC:
        causes.append(not_supported("spec.internalTrafficPolicy", policy, _TRAFFIC))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        causes.append(not_supported("spec.trafficDistribution", distribution, _DISTRIBUTIONS))
    return causes


def _health_port_causes(spec: Object, port: int) -> list[Cause]:
    field = "spec.healthCheckNodePort"
    if needs_health_port(spec):
        return in_range(field, port, 1, 65535)
    why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
    return [invalid(field, port, why)]


def status_causes(obj: Object) -> list[Cause]:
    ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    field = "status.loadBalancer.ingress"
    if ingress and obj["spec"].get("type") != "LoadBalancer":
        return [forbidden(field, "may only be used when `spec.type` is 'LoadBalancer'")]
    causes: list[Cause] = []
    for position, each in enumerate(ingress):
        causes += _ingress_causes(f"{field}[{position}]", each)
    return causes


def _ingress_causes(field: str, each: Object) -> list[Cause]:
    ip, mode, host = each.get("ip", ""), each.get("ipMode"), each.get("hostname", "")
    causes = invalids(f"{field}.ip", ip, ip_errors(ip)) if ip else []
    if mode is None and ip:
        causes.append(required(f"{field}.ipMode", "must be specified when `ip` is set"))
    elif mode is not None and not ip:
        causes.append(forbidden(f"{field}.ipMode", "may not be specified when `ip` is not set"))
    elif mode is not None and mode not in ("Proxy", "VIP"):
        causes.append(not_supported(f"{field}.ipMode", mode, ("Proxy", "VIP")))
    if host:
        causes += invalids(f"{field}.hostname", host, subdomain_errors(host))
        if parsed_ip(host):
            causes.append(invalid(f"{field}.hostname", host, "must be a DNS name, not an IP address"))
    return causes
