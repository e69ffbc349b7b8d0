"""What a write changed of an object, as field sets: everything at creation, the difference at an update.

Fields that nobody owns are left out: apiVersion, kind, and the metadata that the server keeps.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from server.schema.apply.elements import dotted
from server.schema.apply.empty import EmptyObject
from server.schema.apply.field_set import ITSELF, LEAF, Fields, of_path, union
from server.schema.apply.plan import DEDUCED, Branch, StructPlan, struct_plan
from server.schema.nodes import Struct

Object = dict[str, Any]
UNOWNED = frozenset({"apiVersion", "kind"})
UNOWNED_METADATA = frozenset(
    {
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    }
)
_METADATA = "f:metadata"


class Changes(NamedTuple):
    changed: Fields
    """Modified and added."""
    removed: Fields


def _unowned() -> Fields:
    out = {"f:apiVersion": LEAF, "f:kind": LEAF, _METADATA: {ITSELF: LEAF}}
    for name in UNOWNED_METADATA:
        out = union(out, of_path(dotted("metadata", name)))
    return out


UNOWNED_FIELDS = _unowned()


def plan_for(struct: Struct | None) -> Branch:
    """The plan of a kind's objects; of a kind without a known type, one that goes by how they look."""
    return struct_plan(struct) if struct is not None else DEDUCED


def changes(plan: Branch, old: Mapping[str, Any], new: Mapping[str, Any], ignored: frozenset[str]) -> Changes:
    """Between two states of an object, apart from the `ignored` fields at its top."""
    changed, removed = plan.below(_owned(old, ignored), _owned(new, ignored))
    return Changes(_without_metadata_itself(changed), _without_metadata_itself(removed))


def created(plan: Branch, obj: Object, ignored: frozenset[str], *, go_type: bool) -> Fields:
    """What the creation of an object sets. Objects of a Go type begin with that type's empty value."""
    if go_type and isinstance(plan, StructPlan):
        return _empty_object(plan).below(_owned(obj, ignored))
    return _without_metadata_itself(plan.below({}, _owned(obj, ignored))[0])


def _owned(obj: Mapping[str, Any], ignored: frozenset[str]) -> Object:
    out = {key: value for key, value in obj.items() if key not in UNOWNED and key not in ignored}
    if own := out.get("metadata"):
        out["metadata"] = {key: value for key, value in own.items() if key not in UNOWNED_METADATA}
    return out


def _without_metadata_itself(fields: Fields) -> Fields:
    below = fields.get(_METADATA)
    if below is None or (below and ITSELF not in below):
        return fields
    out, rest = dict(fields), {key: value for key, value in below.items() if key != ITSELF}
    if rest:
        out[_METADATA] = rest
    else:
        del out[_METADATA]
    return out


def _empty_object(plan: StructPlan) -> EmptyObject:
    """The type's empty value, which is kept with it."""
    found: EmptyObject | None = vars(plan).get("empty")
    if found is None:
        found = vars(plan)["empty"] = EmptyObject(plan, top=True)
    return found
