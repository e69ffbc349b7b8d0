"""Priority: a pod's priority and preemption policy come from its PriorityClass, and from nowhere else."""

from typing import Any

from kubeling.objects.errors import forbidden
from kubeling.objects.meta import Object
from server.admission.chain import Listed, Plugin, is_new_pod
from server.registry.admission import Attributes

_CLASSES = "priorityclasses.scheduling.k8s.io"
_SYSTEM: dict[str, int] = {"system-node-critical": 2000001000, "system-cluster-critical": 2000000000}
PREEMPT = "PreemptLowerPriority"


class Priority(Plugin):
    def __init__(self, objects: Listed) -> None:
        self._objects = objects

    def mutate(self, attributes: Attributes) -> None:
        """Fill in what the class says.

        Raises:
            Forbidden: there is no such class, or the pod names another priority than its class.
        """
        if attributes.obj is None or not is_new_pod(attributes):
            return
        spec: dict[str, Any] = attributes.obj["spec"]
        if not spec.get("priorityClassName"):
            default = self._default_class()
            if default is not None:
                spec["priorityClassName"] = default["metadata"]["name"]
        value, policy = self._meaning(attributes, spec.get("priorityClassName") or "")
        _settle(attributes, spec, "priority", value)
        _settle(attributes, spec, "preemptionPolicy", policy)

    def validate(self, attributes: Attributes) -> None:
        """
        Raises:
            Forbidden: a second class would be the default.
        """
        found = attributes.obj
        if found is None or str(attributes.kind.resource) != _CLASSES or not found.get("globalDefault"):
            return
        default = self._default_class()
        if default is not None and default["metadata"]["name"] != attributes.name:
            marked = f"PriorityClass {default['metadata']['name']} is already marked as default"
            why = f"{marked}. Only one default can exist"
            raise forbidden(attributes.kind.resource, attributes.shown_name, why)

    def _default_class(self) -> Object | None:
        """The class that is the global default: of several, the one with the lowest value."""
        found = [record.obj for record in self._objects.list(_CLASSES) if record.obj.get("globalDefault")]
        return min(found, key=lambda each: int(each.get("value", 0)), default=None)

    def _meaning(self, attributes: Attributes, name: str) -> tuple[int, str]:
        if not name:
            return 0, PREEMPT
        record = self._objects.get(_CLASSES, "", name)
        if record is not None:
            return int(record.obj.get("value", 0)), record.obj.get("preemptionPolicy") or PREEMPT
        if name in _SYSTEM:
            return _SYSTEM[name], PREEMPT
        why = f"no PriorityClass with name {name} was found"
        raise forbidden(attributes.kind.resource, attributes.shown_name, why)


def _settle(attributes: Attributes, spec: dict[str, Any], field: str, value: int | str) -> None:
    given = spec.get(field)
    if given is not None and given != value:
        noun = "integer value of priority" if field == "priority" else "string value of PreemptionPolicy"
        computed = f"priority admission controller computed {value} from the given PriorityClass name"
        why = f"the {noun} ({given}) must not be provided in pod spec; {computed}"
        raise forbidden(attributes.kind.resource, attributes.shown_name, why)
    spec[field] = value
