"""What an empty Go object of a type already holds, and so the creator does not add.

Kubernetes finds out what a creation sets by comparing with an empty object of the type. Structs that are no
pointers, and fields without `omitempty`, are there from the start: what is in them is owned, they themselves
are not. The definitions do not say which structs are values, so the table here does.
"""

from collections.abc import Mapping
from typing import Any

from server.schema.apply.field_set import ITSELF, LEAF, Fields
from server.schema.apply.plan import StructPlan, struct_plan
from server.schema.nodes import Scalar, Struct

_TOP = ("metadata", "spec", "status")
_EMBEDDED: Mapping[str, tuple[str, ...]] = {
    "Binding": ("target",),
    "ClusterRoleBinding": ("roleRef",),
    "CronJobSpec": ("jobTemplate",),
    "CustomResourceDefinitionSpec": ("names",),
    "CustomResourceDefinitionStatus": ("acceptedNames",),
    "DaemonSetSpec": ("template", "updateStrategy"),
    "DeploymentSpec": ("strategy", "template"),
    "Event": ("involvedObject", "source", "regarding", "deprecatedSource"),
    "FlowSchemaSpec": ("priorityLevelConfiguration",),
    "HorizontalPodAutoscalerSpec": ("scaleTargetRef",),
    "IngressStatus": ("loadBalancer",),
    "JobSpec": ("template",),
    "JobTemplateSpec": ("metadata", "spec"),
    "NetworkPolicySpec": ("podSelector",),
    "NodeDaemonEndpoints": ("kubeletEndpoint",),
    "NodeStatus": ("daemonEndpoints", "nodeInfo"),
    "PersistentVolumeClaimSpec": ("resources",),
    "PodTemplate": ("template",),
    "PodTemplateSpec": ("metadata", "spec"),
    "ReplicaSetSpec": ("template",),
    "ResourceClaimSpec": ("devices",),
    "ResourceClaimTemplateSpec": ("metadata", "spec"),
    "ResourceSliceSpec": ("pool",),
    "RoleBinding": ("roleRef",),
    "ServiceStatus": ("loadBalancer",),
    "StatefulSetSpec": ("template", "updateStrategy"),
    "StorageVersionMigrationSpec": ("resource",),
    "VolumeAttachmentSpec": ("source",),
}
"""By struct, the fields that hold a struct and no pointer to one; at the top of an object, see `_TOP`."""


class EmptyObject:
    """An empty value of a struct."""

    def __init__(self, plan: StructPlan, *, top: bool = False) -> None:
        name = plan.struct.name
        fields = plan.struct.fields
        embedded = {*_EMBEDDED.get(name, ()), *(_TOP if top else ())}
        self._plan = plan
        self._structs: dict[str, EmptyObject | None] = {
            key: _nested(fields[key].node) for key in embedded if key in fields
        }
        required = [key for key, field in fields.items() if field.required and key not in self._structs]
        self._zeros = {key: _zero(fields[key].node) for key in required}

    def below(self, value: Mapping[str, Any]) -> Fields:
        """What is added to the empty value, or modified, below it."""
        out: Fields = {}
        for key in sorted(value):
            label, plan = self._plan.place(key)
            item = value[key]
            if key in self._structs:
                below = self._embedded(key, item)
            elif key in self._zeros:
                below = self._replaced(plan.fields(item), self._zeros[key], item)
            else:
                below = LEAF if plan.leaf else plan.fields(item)
            if below is not None:
                out[label] = below
        return out

    def _embedded(self, key: str, item: Any) -> Fields | None:
        nested = self._structs[key]
        if not item:
            return None
        return (nested.below(item) or None) if nested is not None else LEAF

    def _replaced(self, fields: Fields, zero: Any, item: Any) -> Fields | None:
        """Of a field that the empty value holds: as null, or as the zero of a scalar."""
        if zero is None:
            return {key: below for key, below in fields.items() if key != ITSELF}
        return None if item == zero else fields


def _nested(node: Any) -> EmptyObject | None:
    """None for a struct that is one value."""
    if not isinstance(node, Struct) or node.atomic:
        return None
    return EmptyObject(struct_plan(node))


def _zero(node: Any) -> Any:
    return node.zero_value if isinstance(node, Scalar) else None
