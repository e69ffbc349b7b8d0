"""metadata.managedFields: who owns which fields of an object, kept up with every write.

An entry is told apart by manager, operation, apiVersion (of updates) and subresource. What a write changed is
added to its own entry and taken from the others; how the changes are found is `schema.apply`'s. Applied
configurations, which can conflict, are in `ownership_apply`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.registry.context import SYSTEM, RequestContext
from server.registry.field_manager import manager_of
from server.schema.apply.compare import UNOWNED_FIELDS, Changes
from server.schema.apply.elements import is_element
from server.schema.apply.field_set import ITSELF, Fields, difference, union, without_trees

Entry = dict[str, Any]

UPDATE, APPLY = "Update", "Apply"
MOST_UPDATERS = 10
"""Entries of updates that an object keeps; the oldest beyond them are merged into one."""
OLDEST_UPDATERS = "ancient-changes"
UNKNOWN_MANAGER, SERVER = "unknown", "kube-apiserver"
_FORMAT = "FieldsV1"


class Owner(NamedTuple):
    """Who writes."""

    manager: str
    operation: str
    api_version: str
    subresource: str = ""

    def owns(self, entry: Entry) -> bool:
        return identity(entry) == self.identity

    @property
    def identity(self) -> tuple[str, str, str, str]:
        version = self.api_version if self.operation == UPDATE else ""
        return (self.manager, self.operation, version, self.subresource)

    def entry(self, fields: Fields, now: datetime) -> Entry:
        made: Entry = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": meta.timestamp(now),
            "fieldsType": _FORMAT,
            "fieldsV1": fields,
        }
        if self.subresource:
            made["subresource"] = self.subresource
        return made


def owner_of(context: RequestContext, api_version: str, subresource: str, operation: str = UPDATE) -> Owner:
    nobody = SERVER if context.user is SYSTEM else UNKNOWN_MANAGER
    manager = context.field_manager or manager_of(context.user_agent) or nobody
    return Owner(manager, operation, api_version, subresource)


def identity(entry: Entry) -> tuple[str, str, str, str]:
    operation = entry.get("operation", "")
    version = "" if operation == APPLY else entry.get("apiVersion", "")
    return (entry.get("manager", ""), operation, version, entry.get("subresource", ""))


ChangesIn = Callable[[str], Changes | None]
"""What the write changed as seen in an apiVersion; None when there is no such version any more."""


def entries_to_begin_with(old: Sequence[Entry], given: Any, *, subresource: str) -> Sequence[Entry]:
    """The entries that a write starts from: those of the object, or those that the client gave.

    A client that sends none, or some that cannot be read, is one that does not know of them. One empty entry
    clears them. Through a subresource they cannot be changed.
    """
    if subresource or given is None or given == old:
        return old
    if not given or given == [{}]:
        return []
    return in_order(given) if _readable(given) else old


def _readable(entries: Any) -> bool:
    return isinstance(entries, list) and all(
        isinstance(entry, dict) and _can_be_read(entry) for entry in entries
    )


def _can_be_read(entry: Entry) -> bool:
    known = entry.get("operation") in (UPDATE, APPLY) and entry.get("fieldsType") == _FORMAT
    return known and bool(entry.get("apiVersion")) and _is_set(entry.get("fieldsV1") or {})


def _is_set(fields: Any) -> bool:
    if not isinstance(fields, dict):
        return False
    return all((key == ITSELF or is_element(key)) and _is_set(below) for key, below in fields.items())


def updated(
    entries: Sequence[Entry],
    changes_in: ChangesIn,
    owner: Owner,
    *,
    ignored: Fields,
    now: datetime,
) -> list[Entry]:
    """The entries after an update by that owner."""
    own = changes_in(owner.api_version)
    assert own is not None
    gained = difference(without_trees(own.changed, ignored), UNOWNED_FIELDS)
    out, found = [], False
    for entry in entries:
        mine = owner.owns(entry)
        found = found or mine
        left = _after(entry, own if mine else changes_in(entry.get("apiVersion", "")), ignored)
        if mine and gained:
            left = owner.entry(union(left["fieldsV1"] if left else {}, gained), now)
        if left is not None:
            out.append(left)
    if gained and not found:
        out.append(owner.entry(gained, now))
    return in_order(_capped(out))


def _after(entry: Entry, changes: Changes | None, ignored: Fields) -> Entry | None:
    """An entry without what somebody else changed, and without what is gone; None when nothing is left."""
    if changes is None:
        return None
    fields = entry.get("fieldsV1") or {}
    left = difference(fields, without_trees(changes.changed, ignored)) if changes.changed else fields
    left = difference(left, without_trees(changes.removed, ignored)) if changes.removed else left
    if left is fields:
        return entry
    return {**entry, "fieldsV1": left} if left else None


def created(fields: Fields, owner: Owner, now: datetime) -> list[Entry]:
    """The entries of a new object."""
    return [owner.entry(fields, now)] if fields else []


def in_order(entries: list[Entry]) -> list[Entry]:
    if len(entries) > 1:
        entries.sort(key=_place)
    return entries


def _place(entry: Entry) -> tuple[str, str, str, str, str]:
    return (
        entry.get("operation", ""),
        entry.get("time") or "",
        entry.get("manager", ""),
        entry.get("apiVersion", ""),
        entry.get("subresource", ""),
    )


def _capped(entries: list[Entry]) -> list[Entry]:
    """With so many entries of updates at most: the oldest of each version become one."""
    updates = [entry for entry in entries if entry.get("operation") == UPDATE]
    if len(updates) <= MOST_UPDATERS:
        return entries
    updates.sort(key=lambda entry: (entry.get("time") or "", identity(entry)))
    over, buckets = len(updates) - MOST_UPDATERS, dict[str, Entry]()
    for entry in updates:
        version = entry["apiVersion"]
        bucket = buckets.get(version)
        if over == 0:
            break
        if bucket is None:
            buckets[version] = entry
            continue
        entries = [each for each in entries if each is not entry and each is not bucket]
        buckets[version] = _merged(bucket, entry)
        entries.append(buckets[version])
        over -= 1
    return entries


def _merged(older: Entry, newer: Entry) -> Entry:
    made: Entry = {
        "manager": OLDEST_UPDATERS,
        "operation": UPDATE,
        "apiVersion": newer["apiVersion"],
        "time": newer.get("time"),
        "fieldsType": _FORMAT,
        "fieldsV1": union(older.get("fieldsV1") or {}, newer.get("fieldsV1") or {}),
    }
    return made


def unchanged_but_for_times(entries: Sequence[Entry], before: Sequence[Entry]) -> bool:
    if len(entries) != len(before):
        return False
    return all(
        one is other or _timeless(one) == _timeless(other) for one, other in zip(entries, before, strict=True)
    )


def _timeless(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in entry.items() if key != "time"}


def put(obj: Object, entries: Sequence[Entry]) -> None:
    """Make them the object's entries."""
    if entries:
        obj["metadata"]["managedFields"] = list(entries)
    else:
        obj["metadata"].pop("managedFields", None)
