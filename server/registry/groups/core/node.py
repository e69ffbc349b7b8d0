"""Nodes: registered with a status of their own, shown with what the kubelet reports."""

from datetime import datetime
from typing import Any

from kubeling.objects import conditions, meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.columns import AGE, Column, columns, object_age, wide
from server.registry.groups.core.node_validation import (
    node_causes,
    node_status_causes,
    node_update_causes,
)
from server.registry.groups.ip_warnings import each_cidr_warnings
from server.registry.strategy import Scope, Strategy

_ROLE_PREFIX, _ROLE = "node-role.kubernetes.io/", "kubernetes.io/role"
_WARNINGS = {
    "configSource": "the feature is no longer supported",
    "externalID": "this field is deprecated, and is unused by Kubernetes",
}


class Nodes(Strategy):
    selectable = ("spec.unschedulable",)
    columns = columns(
        Column("Status", description="The status of the node"),
        Column("Roles", description="The roles of the node"),
        AGE,
        Column("Version", description="Kubelet Version reported by the node."),
        wide("Internal-IP"),
        wide("External-IP"),
        wide("OS-Image"),
        wide("Kernel-Version"),
        wide("Container-Runtime"),
    )

    def field(self, obj: Object, path: str) -> str:
        return "true" if (obj.get("spec") or {}).get("unschedulable") else "false"

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        """A node may bring its status along."""
        _prepare_spec(obj)
        obj.setdefault("status", {})

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        _prepare_spec(obj)

    def validate(self, obj: Object) -> list[Cause]:
        return node_causes(obj)

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return node_update_causes(obj, old)

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        return node_status_causes(obj)

    def warnings(self, obj: Object) -> list[str]:
        spec = obj.get("spec") or {}
        found = [f"spec.{name}: {why}" for name, why in _WARNINGS.items() if spec.get(name)]
        return found + list(each_cidr_warnings("spec.podCIDRs", spec.get("podCIDRs") or ()))

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        info = (obj.get("status") or {}).get("nodeInfo") or {}
        return [
            meta.name(obj),
            _status(obj),
            ",".join(_roles(obj)) or "<none>",
            object_age(obj, now),
            info.get("kubeletVersion", ""),
            _address(obj, "InternalIP"),
            _address(obj, "ExternalIP"),
            info.get("osImage") or "<unknown>",
            info.get("kernelVersion") or "<unknown>",
            info.get("containerRuntimeVersion") or "<unknown>",
        ]


def _prepare_spec(obj: Object) -> None:
    """podCIDR and the first of podCIDRs are one; whichever was given stands for both."""
    spec = obj.setdefault("spec", {})
    spec.pop("podPreemptionPolicy", None)
    one, several = spec.get("podCIDR"), spec.get("podCIDRs")
    if one and not several:
        spec["podCIDRs"] = [one]
    elif several:
        spec["podCIDR"] = several[0]


def _status(obj: Object) -> str:
    ready = conditions.find(obj, "Ready")
    status = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    cordoned = (obj.get("spec") or {}).get("unschedulable")
    return f"{status},SchedulingDisabled" if cordoned else status


def _roles(obj: Object) -> list[str]:
    roles = set()
    for key, value in meta.labels(obj).items():
        if key.startswith(_ROLE_PREFIX) and key != _ROLE_PREFIX:
            roles.add(key.removeprefix(_ROLE_PREFIX))
        elif key == _ROLE and value:
            roles.add(value)
    return sorted(roles)


def _address(obj: Object, kind: str) -> str:
    addresses = (obj.get("status") or {}).get("addresses") or []
    return next((each.get("address", "") for each in addresses if each.get("type") == kind), "<none>")
