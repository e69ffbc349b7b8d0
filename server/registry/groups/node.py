"""The kinds of node.k8s.io."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors
from server.registry.causes import immutable, invalids, required
from server.registry.columns import AGE, columns, object_age
from server.registry.kind import Kind
from server.registry.strategy import Strategy


class RuntimeClasses(Strategy):
    unconditional_update = False
    columns = columns("Handler", AGE)

    def validate(self, obj: Object) -> list[Cause]:
        handler = obj.get("handler", "")
        return invalids("handler", handler, label_errors(handler)) if handler else [required("handler")]

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        if obj.get("handler") == old.get("handler"):
            return []
        return [immutable("handler", obj.get("handler"))]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), obj.get("handler", ""), object_age(obj, now)]


KINDS = (Kind("node.k8s.io", "RuntimeClass", "runtimeclasses", RuntimeClasses(), namespaced=False),)
