"""What becomes of a Service's fields that an update does not mention, or that its type has no use for."""

from kubeling.objects.meta import Object
from server.registry.groups.core.node_ports import needs_health_port, needs_node_ports

EXTERNAL = "ExternalName"
EXPOSED = ("NodePort", "LoadBalancer")
_ADDRESS_FIELDS = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")
_BALANCER_FIELDS = ("allocateLoadBalancerNodePorts", "loadBalancerClass")


def normalize_addresses(spec: Object, before: Object | None) -> None:
    """clusterIP and the first of clusterIPs are the same thing; an old client changes only the former."""
    ip, ips = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if before is None:
        if ip and not ips:
            spec["clusterIPs"] = [ip]
        return
    if ip == (before.get("clusterIP") or ""):
        return
    if ips == (before.get("clusterIPs") or []):
        if ip:
            spec["clusterIPs"] = [ip]
        else:
            spec.pop("clusterIPs", None)


def keep_allocated(spec: Object, before: Object) -> None:
    """An update that does not mention addresses and node ports keeps them."""
    if EXTERNAL not in (spec["type"], before["type"]):
        if not spec.get("clusterIP") and before.get("clusterIP"):
            spec["clusterIP"] = before["clusterIP"]
        if not spec.get("clusterIPs") and spec.get("clusterIP") == before.get("clusterIP"):
            spec["clusterIPs"] = list(before.get("clusterIPs") or ())
        if not spec.get("clusterIPs"):
            spec.pop("clusterIPs", None)
    if needs_node_ports(spec) and needs_node_ports(before):
        _keep_node_ports(spec, before)
    if before.get("healthCheckNodePort") and needs_health_port(spec) and needs_health_port(before):
        spec["healthCheckNodePort"] = spec.get("healthCheckNodePort") or before["healthCheckNodePort"]


def _keep_node_ports(spec: Object, before: Object) -> None:
    given = {port.get("nodePort") for port in spec.get("ports") or ()}
    ports = {(p.get("protocol"), p["port"]): p.get("nodePort") for p in before.get("ports") or ()}
    for port in spec.get("ports") or ():
        kept = ports.get((port.get("protocol"), port.get("port")))
        if not port.get("nodePort") and kept and kept not in given:
            port["nodePort"] = kept


def drop_type_dependent(spec: Object, before: Object) -> None:
    """What the new type has no use for goes, if the update only carried it along from the old type."""
    if spec["type"] == EXTERNAL and before["type"] != EXTERNAL:
        _drop_carried(spec, before, *_ADDRESS_FIELDS)
    if needs_node_ports(before) and not needs_node_ports(spec):
        kept = {(p.get("protocol"), p["port"]): p.get("nodePort") for p in before.get("ports") or ()}
        ports = spec.get("ports") or ()
        if all(p.get("nodePort") in (None, kept.get((p.get("protocol"), p.get("port")))) for p in ports):
            for port in ports:
                port.pop("nodePort", None)
    if needs_health_port(before) and not needs_health_port(spec):
        _drop_carried(spec, before, "healthCheckNodePort")
    if before["type"] == "LoadBalancer" != spec["type"]:
        _drop_carried(spec, before, *_BALANCER_FIELDS)
    if _exposed(before) and not _exposed(spec):
        _drop_carried(spec, before, "externalTrafficPolicy")
    if before["type"] == EXTERNAL != spec["type"]:
        _drop_carried(spec, before, "externalName")


def _exposed(spec: Object) -> bool:
    return spec["type"] in EXPOSED or (spec["type"] == "ClusterIP" and bool(spec.get("externalIPs")))


def _drop_carried(spec: Object, before: Object, *names: str) -> None:
    for name in names:
        if spec.get(name) == before.get(name):
            spec.pop(name, None)
