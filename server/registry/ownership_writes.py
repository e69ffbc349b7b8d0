"""Creations and updates on their way through the registry: their changes are found and their owners noted.

As in Kubernetes, what a client sent counts, after decoding and defaults and before admission: what admission
and the kind's own rules set is nobody's. Nor is what the kind takes from no client (`Strategy.reset_fields`).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from kubeling.objects import errors
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry import encoding, ownership
from server.registry.causes import invalid, too_long
from server.registry.field_manager import field_manager_causes
from server.registry.kind import Kind
from server.registry.strategy import Scope
from server.schema.apply import compare
from server.schema.apply.compare import Changes, plan_for
from server.schema.apply.elements import dotted
from server.schema.apply.field_set import LEAF, Fields, of_path, union
from server.storage import Record

_LONGEST_SUBRESOURCE = 256


class Reset(NamedTuple):
    """What a kind takes from nobody, through one of its subresources."""

    tops: frozenset[str]
    """Whole fields of the object: they need not even be compared."""
    fields: Fields


def reset(kind: Kind, subresource: str) -> Reset:
    """Kept with the kind: it is asked for at every write."""
    kept: dict[str, Reset] = vars(kind).setdefault("reset fields", {})
    found = kept.get(subresource)
    if found is None:
        found = kept[subresource] = _reset(kind.strategy.reset_fields(kind, subresource))
    return found


def _reset(paths: Sequence[str]) -> Reset:
    fields: Fields = LEAF
    for path in paths:
        fields = union(fields, of_path(dotted(*path.split("."))))
    return Reset(frozenset(path for path in paths if "." not in path), fields)


def track_creation(scope: Scope, obj: Object, version: str) -> None:
    """Note who made the object, which is in the storage version."""
    kind, own = scope.kind, obj["metadata"]
    given = own.pop("managedFields", None)
    owner = ownership.owner_of(scope.context, kind.api_version(version), "")
    ignored = reset(kind, "")
    seen = obj if _is_stored(kind, version) else in_version(kind, obj, version)
    plan = plan_for(kind.struct(version))
    if entries := ownership.entries_to_begin_with([], given, subresource=""):
        _check(kind, obj, given)
        everything = Changes(compare.created(plan, seen, ignored.tops, go_type=kind.types is None), LEAF)
        entries = ownership.updated(
            entries, lambda _: everything, owner, ignored=ignored.fields, now=scope.now
        )
        ownership.put(obj, entries)
        return
    fields = compare.created(plan, seen, ignored.tops, go_type=kind.types is None)
    ownership.put(obj, ownership.created(fields, owner, scope.now))


def track_update(scope: Scope, record: Record, obj: Object, *, version: str, subresource: str) -> None:
    """Note who owns what of the object as it is going to be, before it is narrowed to what may change."""
    kind, old = scope.kind, record.obj
    before = old["metadata"].get("managedFields") or []
    if subresource in kind.strategy.actions:
        ownership.put(obj, before)
        return
    given = obj.setdefault("metadata", {}).get("managedFields")
    entries = ownership.entries_to_begin_with(before, given, subresource=subresource)
    if entries is not before:
        _check(kind, obj, given)
    if entries:
        ignored = reset(kind, subresource)
        owner = ownership.owner_of(scope.context, kind.api_version(version), subresource)
        changes = Versions(kind, record, obj, ignored.tops)
        entries = ownership.updated(entries, changes, owner, ignored=ignored.fields, now=scope.now)
    ownership.put(obj, entries)


def _check(kind: Kind, obj: Object, given: Any) -> None:
    if causes := entry_causes(given):
        raise errors.invalid(kind.kind, obj["metadata"].get("name", ""), causes, group=kind.group)


def entry_causes(entries: Any) -> list[Cause]:
    """What is wrong with entries that a client gave."""
    found: list[Cause] = []
    for position, entry in enumerate(entries or ()):
        field = f"metadata.managedFields[{position}]"
        found += field_manager_causes(f"{field}.manager", entry.get("manager", ""))
        if entry and entry.get("operation") not in (ownership.UPDATE, ownership.APPLY):
            why = "must be `Apply` or `Update`"
            found.append(invalid(f"{field}.operation", entry.get("operation", ""), why))
        if len(entry.get("subresource", "")) > _LONGEST_SUBRESOURCE:
            found.append(too_long(f"{field}.subresource", _LONGEST_SUBRESOURCE))
    return found


class Versions:
    """The changes of one update, as seen in any version of the kind."""

    def __init__(self, kind: Kind, record: Record, obj: Object, ignored: frozenset[str]) -> None:
        self._kind = kind
        self._record = record
        self._obj = obj
        self._ignored = ignored
        self._known: dict[str, Changes | None] = {}

    def __call__(self, api_version: str) -> Changes | None:
        if api_version not in self._known:
            self._known[api_version] = self._found(api_version)
        return self._known[api_version]

    def _found(self, api_version: str) -> Changes | None:
        kind = self._kind
        version = version_named(kind, api_version)
        if version is None and kind.form is not None:
            old_form = kind.form.translated(self._record.obj, api_version)
            new_form = kind.form.translated(self._obj, api_version)
            if old_form is not None and new_form is not None:
                return compare.changes(plan_for(new_form[0]), old_form[1], new_form[1], self._ignored)
        if version is None:
            same_group = api_version.rpartition("/")[0] == kind.group
            if same_group and kind.types is None:
                return None
            version = kind.versions[0]  # an apiVersion that only another kind knows of: the fields are alike
        plan = plan_for(kind.struct(version))
        old = encoding.decoded(self._record, kind, version)
        new = self._obj if _is_stored(kind, version) else in_version(kind, self._obj, version)
        return compare.changes(plan, old, new, self._ignored)


def version_named(kind: Kind, api_version: str) -> str | None:
    return next((each for each in kind.versions if kind.api_version(each) == api_version), None)


def _is_stored(kind: Kind, version: str) -> bool:
    return kind.api_version(version) == kind.storage_api_version


def in_version(kind: Kind, obj: Object, version: str) -> Object:
    """An object in the storage version as it is in another one."""
    if _is_stored(kind, version):
        return obj
    copied: Object = orjson.loads(orjson.dumps(obj))
    copied["apiVersion"] = kind.api_version(version)
    return kind.strategy.from_storage(copied, version)


def is_same(obj: Object, old: Object) -> bool:
    """Whether nothing is to be written: a new time in managedFields alone is nothing."""
    if obj == old:
        return True
    own, before = obj["metadata"], old["metadata"]
    entries, entries_before = own.get("managedFields") or [], before.get("managedFields") or []
    if not ownership.unchanged_but_for_times(entries, entries_before):
        return False
    return _timeless(obj) == _timeless(old)


def _timeless(obj: Object) -> Object:
    own = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": own}
