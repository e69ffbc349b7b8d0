"""ControllerRevisions: the history of DaemonSets and StatefulSets."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import at_least, invalid, required
from server.registry.columns import AGE, columns, object_age
from server.registry.strategy import Strategy


class ControllerRevisions(Strategy):
    columns = columns("Controller", "Revision", AGE)

    def validate(self, obj: Object) -> list[Cause]:
        causes = [required("data", "data is mandatory")] if obj.get("data") is None else []
        return causes + at_least("revision", obj.get("revision", 0))

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        if obj.get("data") == old.get("data"):
            return []
        return [invalid("data", obj.get("data"), "field is immutable")]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        owner = meta.controller_of(obj)
        group = owner["apiVersion"].partition("/")[0] if owner and "/" in owner["apiVersion"] else ""
        kind = f"{owner['kind'].lower()}{'.' if group else ''}{group}" if owner else ""
        return [
            meta.name(obj),
            f"{kind}/{owner['name']}" if owner else "<none>",
            obj.get("revision", 0),
            object_age(obj, now),
        ]
