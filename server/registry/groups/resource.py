"""The kinds of resource.k8s.io (dynamic resource allocation). They are stored; nothing is allocated yet."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import immutable
from server.registry.columns import AGE, NAME_AND_AGE, columns, name_and_age, object_age
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_GROUP = "resource.k8s.io"


class DeviceClasses(Strategy):
    has_generation = True
    columns = NAME_AND_AGE

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return name_and_age(obj, now)


class Claims(Strategy):
    columns = columns("State", AGE)

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return _fixed_spec(obj, old)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), _state(obj), object_age(obj, now)]


def _fixed_spec(obj: Object, old: Object) -> list[Cause]:
    return [] if obj.get("spec") == old.get("spec") else [immutable("spec", obj.get("spec"))]


def _state(obj: Object) -> str:
    state = obj.get("status") or {}
    found = ["deleted"] if meta.is_terminating(obj) else []
    if state.get("allocation"):
        found.append("allocated")
        found += ["reserved"] if state.get("reservedFor") else []
    return ",".join(found) or "pending"


class ClaimTemplates(DeviceClasses):
    has_generation = False

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return _fixed_spec(obj, old)


class Slices(Strategy):
    has_generation = True
    selectable = ("spec.nodeName", "spec.driver")
    columns = columns("Node", "Driver", "Pool", AGE)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        pool = (spec.get("pool") or {}).get("name", "")
        node = spec.get("nodeName") or "<unset>"
        return [meta.name(obj), node, spec.get("driver", ""), pool, object_age(obj, now)]


KINDS = (
    Kind(_GROUP, "DeviceClass", "deviceclasses", DeviceClasses(), namespaced=False),
    Kind(
        _GROUP,
        "DeviceTaintRule",
        "devicetaintrules",
        DeviceClasses(),
        namespaced=False,
        subresources=status("DeviceTaintRule"),
    ),
    Kind(_GROUP, "ResourceClaim", "resourceclaims", Claims(), subresources=status("ResourceClaim")),
    Kind(_GROUP, "ResourceClaimTemplate", "resourceclaimtemplates", ClaimTemplates()),
    Kind(_GROUP, "ResourceSlice", "resourceslices", Slices(), namespaced=False),
)
