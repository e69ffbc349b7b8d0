"""The kinds of events.k8s.io: the core group's Events in their newer form, over the same objects."""

from typing import ClassVar

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import required
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


class NewEvents(Events):
    selectable: ClassVar[tuple[str, ...]] = tuple(_SELECTABLE)

    def to_storage(self, obj: Object, version: str) -> Object:
        return {_RENAMED.get(key, key): value for key, value in obj.items()}

    def from_storage(self, obj: Object, version: str) -> Object:
        return {_BACK.get(key, key): value for key, value in obj.items()}

    def field(self, obj: Object, path: str) -> str:
        return super().field(obj, _SELECTABLE[path])

    def validate(self, obj: Object) -> list[Cause]:
        causes = super().validate(obj)
        for name, shown in (
            ("eventTime", "eventTime"),
            ("reportingComponent", "reportingController"),
            ("reportingInstance", "reportingInstance"),
            ("action", "action"),
            ("reason", "reason"),
        ):
            if not obj.get(name) and not meta.metadata(obj).get("deletionTimestamp"):
                causes.append(required(shown))
        return causes

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return []


KINDS = (Kind("events.k8s.io", "Event", "events", NewEvents(), short_names=("ev",), stored_as=EVENTS),)
