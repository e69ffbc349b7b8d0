"""Services: defaults, what an update keeps, how they are shown. Addresses and ports are in `allocation`."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_1035_errors
from server.registry.columns import AGE, Column, columns, object_age, wide
from server.registry.groups.core.allocation import allocated, release
from server.registry.groups.core.ip_families import default_families
from server.registry.groups.core.node_ports import needs_health_port, needs_node_ports
from server.registry.groups.core.service_validation import service_causes, update_causes
from server.registry.selectors import selector_text
from server.registry.strategy import Scope, Strategy

_EXTERNAL = "ExternalName"
_EXPOSED = ("NodePort", "LoadBalancer")


class Services(Strategy):
    returns_deleted = True
    create_on_update = True
    selectable = ("spec.clusterIP", "spec.type")
    columns = columns(
        Column("Type", description="Type determines how the Service is exposed."),
        Column("Cluster-IP", description="The service's IP address, if it has one."),
        Column("External-IP", description="Addresses under which the service can be reached from outside."),
        Column("Port(s)", description="The ports that the service serves on."),
        AGE,
        wide("Selector"),
    )

    def name_errors(self, name: str) -> list[str]:
        return label_1035_errors(name)

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("type", "ClusterIP")
        spec.setdefault("sessionAffinity", "None")
        if spec["sessionAffinity"] == "ClientIP":
            client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
            client.setdefault("timeoutSeconds", 10800)
        for port in spec.get("ports") or ():
            port.setdefault("protocol", "TCP")
            if port.get("targetPort") in (None, 0, "") and "port" in port:
                port["targetPort"] = port["port"]
        _default_policies(spec)

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = {"loadBalancer": {}}
        _normalize_cluster_ips(obj["spec"])
        default_families(scope.settings, obj["spec"])

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        spec, before = obj["spec"], old["spec"]
        _keep_allocated(spec, before)
        _normalize_cluster_ips(spec)
        _drop_type_dependent(spec, before)
        default_families(scope.settings, spec)

    def validate(self, obj: Object) -> list[Cause]:
        return service_causes(obj["spec"])

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return update_causes(obj["spec"], old["spec"])

    def reserve(self, scope: Scope, obj: Object, old: Object | None) -> AbstractAsyncContextManager[None]:
        return allocated(scope, obj, old)

    async def release(self, scope: Scope, obj: Object) -> None:
        await release(scope, obj)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        return [
            meta.name(obj),
            spec.get("type", ""),
            _cluster_ip(spec),
            _external_ip(obj, spec),
            ",".join(_port_text(port) for port in spec.get("ports") or ()) or "<none>",
            object_age(obj, now),
            selector_text(spec.get("selector")) or "<none>",
        ]


def _default_policies(spec: Object) -> None:
    kind = spec["type"]
    if kind in _EXPOSED or (kind == "ClusterIP" and spec.get("externalIPs")):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind != _EXTERNAL:
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def _normalize_cluster_ips(spec: Object) -> None:
    """clusterIP and the first of clusterIPs are the same thing; whichever was given stands for both."""
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    elif spec.get("clusterIPs") and not spec.get("clusterIP"):
        spec["clusterIP"] = spec["clusterIPs"][0]


def _keep_allocated(spec: Object, before: Object) -> None:
    """An update that does not mention addresses and node ports keeps them."""
    if spec["type"] != _EXTERNAL and before["type"] != _EXTERNAL and not spec.get("clusterIP"):
        for name in ("clusterIP", "clusterIPs"):
            if name in before and not spec.get(name):
                spec[name] = before[name]
    if needs_node_ports(spec) and needs_node_ports(before):
        ports = {(p.get("protocol"), p["port"]): p.get("nodePort") for p in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            if not port.get("nodePort") and (kept := ports.get((port.get("protocol"), port.get("port")))):
                port["nodePort"] = kept
    if before.get("healthCheckNodePort") and needs_health_port(spec):
        spec.setdefault("healthCheckNodePort", before["healthCheckNodePort"])


def _drop_type_dependent(spec: Object, before: Object) -> None:
    """What the new type has no use for goes, if the update only carried it along from the old type."""
    if spec["type"] == _EXTERNAL and before["type"] != _EXTERNAL:
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            if spec.get(name) == before.get(name):
                spec.pop(name, None)
    if needs_node_ports(before) and not needs_node_ports(spec):
        kept = {each.get("nodePort") for each in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            if port.get("nodePort") in kept:
                port.pop("nodePort", None)
    if before["type"] in _EXPOSED and spec["type"] not in _EXPOSED and not spec.get("externalIPs"):
        spec.pop("externalTrafficPolicy", None)
    if before["type"] == "LoadBalancer" != spec["type"]:
        spec.pop("allocateLoadBalancerNodePorts", None)
    if not needs_health_port(spec) and spec.get("healthCheckNodePort") == before.get("healthCheckNodePort"):
        spec.pop("healthCheckNodePort", None)


def _cluster_ip(spec: Object) -> str:
    return str((spec.get("clusterIPs") or [spec.get("clusterIP") or "<none>"])[0])


def _external_ip(obj: Object, spec: Object) -> str:
    given: list[str] = spec.get("externalIPs") or []
    match spec.get("type"):
        case "ExternalName":
            return str(spec.get("externalName") or "")
        case "LoadBalancer":
            ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
            found = [each.get("ip") or each.get("hostname") or "" for each in ingress]
            return ",".join([*found, *given]) or "<pending>"
        case _:
            return ",".join(given) or "<none>"


def _port_text(port: Object) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node}/{port.get('protocol')}"
