"""The kinds of node.k8s.io. Admission gives pods what their RuntimeClass says."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors
from server.registry.causes import immutable, invalids, required
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.core.pod_warnings import NODE_LABELS
from server.registry.groups.core.resource_validation import amount_causes
from server.registry.groups.core.scheduling_validation import toleration_causes
from server.registry.kind import Kind
from server.registry.metadata import label_causes
from server.registry.strategy import Strategy


class RuntimeClasses(Strategy):
    unconditional_update = False
    columns = columns("Handler", AGE)

    def default(self, obj: Object) -> None:
        for each in (obj.get("scheduling") or {}).get("tolerations") or ():
            if each.get("operator") == "":
                del each["operator"]

    def validate(self, obj: Object) -> list[Cause]:
        handler = obj.get("handler", "")
        causes = invalids("handler", handler, label_errors(handler)) if handler else [required("handler")]
        for name, amount in ((obj.get("overhead") or {}).get("podFixed") or {}).items():
            causes += amount_causes(f"overhead.limits[{name}]", name, amount)
        scheduling = obj.get("scheduling") or {}
        causes += label_causes("scheduling.nodeSelector", scheduling.get("nodeSelector") or {})
        return causes + toleration_causes("scheduling.tolerations", scheduling.get("tolerations") or [])

    def warnings(self, obj: Object) -> list[str]:
        selector = (obj.get("scheduling") or {}).get("nodeSelector") or {}
        return [f"scheduling.nodeSelector: {NODE_LABELS[key]}" for key in selector if key in NODE_LABELS]

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        if obj.get("handler") == old.get("handler"):
            return []
        return [immutable("handler", obj.get("handler"))]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), obj.get("handler", ""), object_age(obj, now)]


KINDS = (Kind("node.k8s.io", "RuntimeClass", "runtimeclasses", RuntimeClasses(), namespaced=False),)
