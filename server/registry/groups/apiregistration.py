"""The kinds of apiregistration.k8s.io. APIServices are stored; requests are not forwarded to them yet."""

from datetime import datetime
from typing import Any

from kubeling.objects import conditions, meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import invalid
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.plain import PathNamed
from server.registry.groups.subresources import status
from server.registry.kind import Kind


class APIServices(PathNamed):
    create_on_update = False
    unconditional_update = False
    columns = columns("Service", "Available", AGE)

    def default(self, obj: Object) -> None:
        if (service := (obj.get("spec") or {}).get("service")) is not None:
            service.setdefault("port", 443)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        wanted, name = f"{spec.get('version', '')}.{spec.get('group', '')}", meta.name(obj)
        if name == wanted:
            return []
        why = f'must be `spec.version+"."+spec.group`: "{wanted}"'
        return [invalid("metadata.name", name, why)]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        service = (obj.get("spec") or {}).get("service")
        place = f"{service.get('namespace')}/{service.get('name')}" if service else "Local"
        return [meta.name(obj), place, _available(obj), object_age(obj, now)]


def _available(obj: Object) -> str:
    condition = conditions.find(obj, "Available")
    if condition is None:
        return "Unknown"
    reason = condition.get("reason")
    return "True" if condition.get("status") == "True" else f"{condition.get('status')} ({reason})"


KINDS = (
    Kind(
        "apiregistration.k8s.io",
        "APIService",
        "apiservices",
        APIServices(),
        namespaced=False,
        categories=("api-extensions",),
        subresources=status("APIService"),
    ),
)
