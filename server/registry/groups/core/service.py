"""Services: defaults, what an update keeps, how they are shown. Addresses and ports are in `allocation`."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

from kubeling.objects import errors, meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_1035_errors
from server.registry.columns import AGE, Column, columns, object_age, wide
from server.registry.groups.core.allocation import allocated, release
from server.registry.groups.core.ip_families import default_families
from server.registry.groups.core.service_addresses import stack_causes, update_causes
from server.registry.groups.core.service_changes import (
    EXPOSED,
    EXTERNAL,
    drop_type_dependent,
    keep_allocated,
    normalize_addresses,
)
from server.registry.groups.core.service_validation import service_causes, status_causes
from server.registry.groups.core.service_warnings import service_warnings
from server.registry.selectors import selector_text
from server.registry.strategy import Scope, Strategy


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
        if spec["sessionAffinity"] == "None":
            spec.pop("sessionAffinityConfig", None)
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
        normalize_addresses(obj["spec"], None)
        _check_stacks(scope, obj)
        default_families(scope.settings, obj["spec"])

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        spec, before = obj["spec"], old["spec"]
        keep_allocated(spec, before)
        normalize_addresses(spec, before)
        drop_type_dependent(spec, before)
        _check_stacks(scope, obj)
        default_families(scope.settings, spec)

    def prepare_for_status_update(self, scope: Scope, obj: Object, old: Object) -> None:
        status = obj.setdefault("status", {})
        for each in status.setdefault("loadBalancer", {}).get("ingress") or ():
            if each.get("ip"):
                each.setdefault("ipMode", "VIP")

    def validate(self, obj: Object) -> list[Cause]:
        return service_causes(obj)

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return update_causes(obj["spec"], old["spec"])

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        return status_causes(obj)

    def warnings(self, obj: Object) -> list[str]:
        return list(service_warnings(obj))

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


def _check_stacks(scope: Scope, obj: Object) -> None:
    if causes := stack_causes(scope.settings, obj["spec"]):
        raise errors.invalid("Service", meta.name(obj), causes)


def _default_policies(spec: Object) -> None:
    kind = spec["type"]
    if kind in EXPOSED or (kind == "ClusterIP" and spec.get("externalIPs")):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind != EXTERNAL:
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


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
