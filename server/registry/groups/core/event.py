"""Events, in the core group's form, which is also the stored one."""

from datetime import datetime
from typing import Any, ClassVar

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.ages import age
from server.registry.causes import invalid
from server.registry.columns import Column, wide
from server.registry.strategy import Strategy

_OBJECT = "involvedObject"
_OF_CLUSTER = ("default", "kube-system")


class Events(Strategy):
    create_on_update = True
    selectable: ClassVar[tuple[str, ...]] = (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    )
    columns = (
        Column("Last Seen"),
        Column("Type"),
        Column("Reason"),
        Column("Object"),
        wide("Subobject"),
        wide("Source"),
        Column("Message"),
        wide("First Seen"),
        wide("Count"),
        Column("Name", format="name", priority=1),
    )

    def field(self, obj: Object, path: str) -> str:
        if path == "source":
            component = (obj.get("source") or {}).get("component")
            return component or obj.get("reportingComponent") or ""
        if path == "reportingComponent":
            return obj.get("reportingComponent") or ""
        return super().field(obj, path)

    def validate(self, obj: Object) -> list[Cause]:
        """The namespace must be that of the object; those of objects without one are in two namespaces."""
        involved, namespace = (obj.get(_OBJECT) or {}).get("namespace", ""), meta.namespace(obj)
        if involved == namespace or (not involved and namespace in _OF_CLUSTER):
            return []
        return [invalid("involvedObject.namespace", involved, "does not match event.namespace")]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        involved = obj.get(_OBJECT) or {}
        count = _count(obj)
        return [
            _last_seen(obj, now),
            obj.get("type", ""),
            obj.get("reason", ""),
            f"{involved.get('kind', '').lower()}/{involved.get('name', '')}",
            involved.get("fieldPath", ""),
            _source(obj),
            (obj.get("message") or "").strip(),
            age(obj.get("firstTimestamp") or obj.get("eventTime"), now),
            count,
            meta.name(obj),
        ]


def _count(obj: Object) -> int:
    series = obj.get("series") or {}
    return int(series.get("count") or obj.get("count") or 1)


def _last_seen(obj: Object, now: datetime) -> str:
    series = obj.get("series")
    if series:
        return age(series.get("lastObservedTime"), now)
    last = obj.get("lastTimestamp") or obj.get("firstTimestamp") or obj.get("eventTime")
    return age(last, now)


def _source(obj: Object) -> str:
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent") or ""
    host = source.get("host") or obj.get("reportingInstance") or ""
    return ", ".join(each for each in (component, host) if each)
