"""The kinds of events.k8s.io: the core group's Events in their newer form, over the same objects."""

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import immutable, invalid, required
from server.registry.groups.core.event import Events
from server.registry.groups.core.kinds import EVENTS
from server.registry.kind import Kind

_RENAMED = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_BACK = {old: new for new, old in _RENAMED.items()}
_SELECTABLE = {
    f"regarding.{name}": f"involvedObject.{name}"
    for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
} | {"reason": "reason", "type": "type", "reportingController": "reportingComponent"}


_TYPES = ("Normal", "Warning")
_OLD = ("firstTimestamp", "lastTimestamp", "count")
_FIXED = (
    "involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type",
    "eventTime", "action", "related", "reportingComponent", "reportingInstance",
)  # fmt: skip
_SHOWN = {"reportingComponent": "reportingController"}
_SMALLEST_SERIES = 2


class NewEvents(Events):
    selectable = tuple(_SELECTABLE)

    def to_storage(self, obj: Object, version: str) -> Object:
        return {_RENAMED.get(key, key): value for key, value in obj.items()}

    def from_storage(self, obj: Object, version: str) -> Object:
        return {_BACK.get(key, key): value for key, value in obj.items()}

    def field(self, obj: Object, path: str) -> str:
        return super().field(obj, _SELECTABLE[path])

    def validate_create(self, obj: Object) -> list[Cause]:
        """This API asks for more than the old one, and leaves the old fields alone."""
        causes = _series_causes(obj)
        if not obj.get("eventTime"):
            causes.append(required("eventTime"))
        if (kind := obj.get("type") or "") not in _TYPES:
            causes.append(invalid("type", "", f"has invalid value: {kind}"))
        source = obj.get("source") or {}
        if source.get("component") or source.get("host"):
            causes.append(invalid("source", "", "needs to be unset"))
        return causes + [invalid(each, "", "needs to be unset") for each in _OLD if obj.get(each)]

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        """Only the series goes on."""
        causes = _series_causes(obj) if obj.get("series") != old.get("series") else []
        return causes + [
            immutable(_SHOWN.get(name, name), obj.get(name))
            for name in _FIXED
            if (obj.get(name) or None) != (old.get(name) or None)
        ]


def _series_causes(obj: Object) -> list[Cause]:
    series = obj.get("series")
    if series is None:
        return []
    causes = []
    if series.get("count", 0) < _SMALLEST_SERIES:
        causes.append(invalid("series.count", "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        causes.append(required("series.lastObservedTime"))
    return causes


KINDS = (Kind("events.k8s.io", "Event", "events", NewEvents(), short_names=("ev",), stored_as=EVENTS),)
