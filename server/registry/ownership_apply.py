"""Applied configurations: merged into the live object, or refused where others own a different value.

Kubernetes' rules of server-side apply: an applier owns what its configuration declares; what it declared
before and declares no longer goes, unless somebody else owns it; a field that somebody else owns with another
value is a conflict, unless the applier forces it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import orjson

from kubeling.objects.errors import ApiError, BadRequest, Conflict
from kubeling.objects.meta import Object
from server.registry.ownership import APPLY, UPDATE, Entry, Owner, identity, in_order
from server.registry.ownership_writes import Reset
from server.schema.apply import compare
from server.schema.apply.compare import Changes
from server.schema.apply.declare import ConfigurationError, declared, fields_of
from server.schema.apply.elements import path_text
from server.schema.apply.field_set import (
    LEAF,
    Fields,
    difference,
    intersection,
    paths,
    without_trees,
)
from server.schema.apply.merge import merged
from server.schema.apply.plan import Branch
from server.schema.apply.prune import pruned

BEFORE_FIRST_APPLY = "before-first-apply"
KUBECTL = "kubectl"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_LARGEST_ANNOTATIONS = 256 * 1024


SeenIn = Callable[[str, Object], tuple[Branch, Object] | None]
"""An object of the request's version in another apiVersion, with its plan; None when that is not served."""


class Application(NamedTuple):
    """One configuration on its way, in the request's version."""

    plan: Branch
    go_type: bool
    live: Object
    """The object as it is; without a uid when there is none yet."""
    config: Object
    owner: Owner
    force: bool
    reset: Reset
    now: datetime
    seen_in: SeenIn | None = None
    """For kinds that have several versions: the entries may be of another one than the request."""


class Applied(NamedTuple):
    obj: Object
    """Not yet decoded: it may hold nulls."""
    entries: list[Entry]


ChangesFor = Callable[[Entry], Changes | None]
Conflicts = list[tuple[Entry, Fields]]


def apply(application: Application) -> Applied:
    """The object as it should be.

    Raises:
        ApiError: the configuration does not fit.
        Conflict: others own what it changes.
    """
    fields = _declared(application)
    entries = _entries_before(application)
    own = next((entry for entry in entries if application.owner.owns(entry)), None)
    others = [entry for entry in entries if entry is not own]
    live = _without_entries(application.live)
    obj = merged(application.plan, live, application.config)
    if own is not None and own.get("fieldsV1"):
        owned = [fields, *(entry.get("fieldsV1") or LEAF for entry in others)]
        obj = pruned(application.plan, obj, own["fieldsV1"], owned) or {}
    changes_for = _changes(application, live, obj)
    conflicts = _conflicts(others, changes_for)
    if conflicts and not application.force:
        _settle(application, live, conflicts)
    after = [
        *_after(others, changes_for),
        *([application.owner.entry(fields, application.now)] if fields else []),
    ]
    return Applied(_with_last_applied(application, obj), in_order(after))


def _declared(application: Application) -> Fields:
    config, owner = application.config, application.owner
    if "managedFields" in _metadata(config):
        raise BadRequest("metadata.managedFields must be nil")
    try:
        fields = declared(application.plan, config)
    except ConfigurationError as error:
        which = described(config, owner.api_version)
        raise ApiError(f"failed to create typed patch object ({which}): {error}", reason="") from error
    return without_trees(fields, application.reset.fields)


def described(config: Object, api_version: str) -> str:
    """A configuration as error texts name it."""
    own = _metadata(config)
    group, _, version = api_version.rpartition("/")
    return f"{own.get('namespace', '')}/{own.get('name', '')}; {group}/{version}, Kind={config.get('kind')}"


def _metadata(config: Object) -> Object:
    """Of a configuration that has not been checked yet."""
    own = config.get("metadata")
    return own if isinstance(own, dict) else {}


def _entries_before(application: Application) -> Sequence[Entry]:
    """The entries of the live object; where they were not kept, everything in it has one owner."""
    live, owner = application.live, application.owner
    found: Sequence[Entry] = live["metadata"].get("managedFields") or []
    if found or not live["metadata"].get("uid"):
        return found
    fields = compare.created(application.plan, live, application.reset.tops, go_type=application.go_type)
    fields = without_trees(fields, application.reset.fields)
    before = Owner(BEFORE_FIRST_APPLY, UPDATE, owner.api_version, owner.subresource)
    return [before.entry(fields, application.now)] if fields else []


def _without_entries(obj: Object) -> Object:
    return {
        **obj,
        "metadata": {key: obj["metadata"][key] for key in obj["metadata"] if key != "managedFields"},
    }


def _changes(application: Application, live: Object, obj: Object) -> ChangesFor:
    """What changes as an entry's owner sees it: in the entry's apiVersion; None when there is no such."""
    reset, seen_in = application.reset, application.seen_in

    def between(plan: Branch, old: Object, new: Object) -> Changes:
        found = compare.changes(plan, old, new, reset.tops)
        return Changes(without_trees(found.changed, reset.fields), without_trees(found.removed, reset.fields))

    own = application.owner.api_version
    known: dict[str, Changes | None] = {own: between(application.plan, live, obj)}

    def changes_for(entry: Entry) -> Changes | None:
        version = entry.get("apiVersion", "") if seen_in is not None else own
        if version not in known and seen_in is not None:
            old, new = seen_in(version, live), seen_in(version, obj)
            known[version] = between(old[0], old[1], new[1]) if old and new else None
        return known[version]

    return changes_for


def _conflicts(others: Sequence[Entry], changes_for: ChangesFor) -> Conflicts:
    found = [
        (entry, intersection(entry.get("fieldsV1") or LEAF, changes.changed))
        for entry in others
        if (changes := changes_for(entry)) is not None
    ]
    return sorted(((entry, fields) for entry, fields in found if fields), key=lambda each: identity(each[0]))


def _after(others: Sequence[Entry], changes_for: ChangesFor) -> list[Entry]:
    out = []
    for entry in others:
        changes = changes_for(entry)
        if changes is None:
            continue
        fields = entry.get("fieldsV1") or LEAF
        left = difference(difference(fields, changes.changed), changes.removed)
        if left:
            out.append(entry if left is fields else {**entry, "fieldsV1": left})
    return out


def _settle(application: Application, live: Object, conflicts: Conflicts) -> None:
    """Raise Conflict, unless kubectl takes over what it applied on the client's side before."""
    if application.owner.manager == KUBECTL:
        allowed = _applied_by_client(application, live)
        conflicts = [(entry, difference(fields, allowed)) for entry, fields in conflicts]
        conflicts = [(entry, fields) for entry, fields in conflicts if fields]
    if conflicts:
        raise _refusal([(entry, path_text(path)) for entry, fields in conflicts for path in paths(fields)])


def _applied_by_client(application: Application, live: Object) -> Fields:
    """The fields of the last configuration that a client applied itself, and that are still as it said."""
    text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    try:
        last = orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        last = None
    if not isinstance(last, dict) or last.get("apiVersion") != application.owner.api_version:
        return LEAF
    fields = fields_of(application.plan, last) or LEAF
    changed, removed = application.plan.below(last, live)
    return difference(difference(fields, changed), removed)


def _refusal(conflicts: Sequence[tuple[Entry, str]]) -> Conflict:
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_shown(entry)}", "field": path}
        for entry, path in conflicts
    ]
    return Conflict(f"Apply failed with {_told(conflicts)}", details={"causes": causes})


def _told(conflicts: Sequence[tuple[Entry, str]]) -> str:
    if len(conflicts) == 1:
        return f"1 conflict: conflict with {_shown(conflicts[0][0])}: {conflicts[0][1]}"
    lines, manager = [], ""
    for entry, path in conflicts:
        if _shown(entry) != manager:
            manager = _shown(entry)
            lines.append(f"conflicts with {manager}:")
        lines.append(f"- {path}")
    return f"{len(conflicts)} conflicts: " + "\n".join(lines)


def _shown(entry: Entry) -> str:
    text = orjson.dumps(entry.get("manager", "")).decode()
    if entry.get("subresource"):
        text += f" with subresource {orjson.dumps(entry['subresource']).decode()}"
    return text if entry.get("operation") == APPLY else f"{text} using {entry.get('apiVersion', '')}"


def _with_last_applied(application: Application, obj: Object) -> Object:
    """kubectl's annotation follows what kubectl applies here, where the object has one."""
    own = obj.get("metadata") or {}
    annotations = own.get("annotations") or {}
    if application.owner.manager != KUBECTL or not annotations.get(LAST_APPLIED):
        return obj
    after = {**annotations, LAST_APPLIED: _last_applied(application.config)}
    if (
        sum(len(key.encode()) + len(str(value).encode()) for key, value in after.items())
        > _LARGEST_ANNOTATIONS
    ):
        del after[LAST_APPLIED]
    return {**obj, "metadata": {**own, "annotations": after}}


def _last_applied(config: Object) -> str:
    own = dict(config.get("metadata") or {})
    if annotations := own.get("annotations"):
        own["annotations"] = {key: each for key, each in annotations.items() if key != LAST_APPLIED}
    text: str = orjson.dumps({**config, "metadata": own}, option=orjson.OPT_SORT_KEYS).decode()
    return f"{text}\n"
