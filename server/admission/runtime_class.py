"""RuntimeClass: a pod gets the overhead, the node selector and the tolerations of its runtime class."""

from typing import Any

from kubeling.objects import quantity
from kubeling.objects.errors import Forbidden, forbidden
from kubeling.objects.meta import Object
from server.admission.chain import Objects, Plugin, is_new_pod
from server.registry.admission import Attributes

_CLASSES = "runtimeclasses.node.k8s.io"


class RuntimeClass(Plugin):
    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def mutate(self, attributes: Attributes) -> None:
        """
        Raises:
            Forbidden: there is no such class, or the pod contradicts it.
        """
        if attributes.obj is None or not is_new_pod(attributes):
            return
        spec: dict[str, Any] = attributes.obj["spec"]
        name = spec.get("runtimeClassName")
        if name:
            found = self._class(attributes, name)
            _set_overhead(attributes, spec, found)
            _set_scheduling(attributes, spec, found.get("scheduling") or {})
        elif spec.get("overhead"):
            why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            raise _refused(attributes, why)

    def _class(self, attributes: Attributes, name: str) -> Object:
        record = self._objects.get(_CLASSES, "", name)
        if record is None:
            raise _refused(attributes, f'pod rejected: RuntimeClass "{name}" not found')
        return record.obj


def _refused(attributes: Attributes, why: str) -> Forbidden:
    return forbidden(attributes.kind.resource, attributes.shown_name, why)


def _set_overhead(attributes: Attributes, spec: dict[str, Any], found: Object) -> None:
    wanted = (found.get("overhead") or {}).get("podFixed") or {}
    given = spec.get("overhead") or {}
    if given and not wanted:
        why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
        raise _refused(attributes, why)
    if given and _amounts(given) != _amounts(wanted):
        why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
        raise _refused(attributes, why)
    if wanted:
        spec["overhead"] = dict(wanted)


def _amounts(resources: dict[str, str]) -> dict[str, Any]:
    return {name: quantity.parse(amount) for name, amount in resources.items()}


def _set_scheduling(attributes: Attributes, spec: dict[str, Any], scheduling: Object) -> None:
    selector = dict(spec.get("nodeSelector") or {})
    for key, value in (scheduling.get("nodeSelector") or {}).items():
        if selector.setdefault(key, value) != value:
            found = f"runtimeClass.scheduling.nodeSelector[{key}] = {value}"
            given = f"pod.spec.nodeSelector[{key}] = {selector[key]}"
            raise _refused(attributes, f"conflict: {found}; {given}")
    if selector:
        spec["nodeSelector"] = selector
    present = list(spec.get("tolerations") or [])
    present += [dict(each) for each in scheduling.get("tolerations") or () if each not in present]
    if present:
        spec["tolerations"] = present
