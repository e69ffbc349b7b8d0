"""Events, in the core group's form, which is also the stored one."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import qualified_name_errors
from server.registry.ages import age
from server.registry.causes import invalid, invalids, required
from server.registry.columns import Column, wide
from server.registry.strategy import Strategy

_OBJECT = "involvedObject"
_LONGEST, _LONGEST_NOTE = 128, 1024


class Events(Strategy):
    create_on_update = True
    has_dependents = False
    selectable: tuple[str, ...] = (
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
        """The namespace must agree with the object's; an event with an eventTime says who reports it."""
        involved, namespace = (obj.get(_OBJECT) or {}).get("namespace", ""), meta.namespace(obj)
        reported = bool(obj.get("eventTime"))
        if involved:
            agrees = reported or involved == namespace
        else:
            agrees = namespace == "default" or (reported and namespace == "kube-system")
        why = "does not match event.namespace"
        causes = [] if agrees else [invalid("involvedObject.namespace", involved, why)]
        return causes + (_reporting_causes(obj) if reported else [])

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


def _reporting_causes(obj: Object) -> list[Cause]:
    reporter = obj.get("reportingComponent") or ""
    causes = [] if reporter else [required("reportingController")]
    causes += invalids("reportingController", reporter, qualified_name_errors(reporter))
    for name in ("reportingInstance", "action", "reason"):
        if not obj.get(name):
            causes.append(required(name))
        elif len(obj[name]) > _LONGEST:
            causes.append(invalid(name, "", f"can have at most {_LONGEST} characters"))
    if len(obj.get("message") or "") > _LONGEST_NOTE:
        causes.append(invalid("message", "", f"can have at most {_LONGEST_NOTE} characters"))
    return causes


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
