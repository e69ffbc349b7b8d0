"""What an applier declared before and declares no longer goes, unless somebody else owns it."""

from collections.abc import Sequence
from typing import Any

from server.schema.apply.declare import fields_of, with_named
from server.schema.apply.elements import ElementError
from server.schema.apply.field_set import LEAF, Fields, difference, intersection, is_member, union
from server.schema.apply.plan import Branch, ListPlan, Plan


def pruned(plan: Branch, merged: Any, last: Fields, owned: Sequence[Fields]) -> Any:
    """The merged object without what only its applier's `last` configuration declared.

    `owned` is what everybody owns, the applier by its new configuration, at the version of the object.
    """
    before = with_named(plan, last)
    without = removed(plan, merged, before)
    kept: Fields = LEAF
    for each in owned:
        kept = union(kept, with_named(plan, each))
    everything = with_named(plan, fields_of(plan, merged) or LEAF)
    present = with_named(plan, fields_of(plan, without) or LEAF)
    without = removed(plan, merged, difference(everything, union(present, kept)))
    present = with_named(plan, fields_of(plan, without) or LEAF)
    return removed(plan, merged, intersection(difference(everything, present), before))


def removed(plan: Plan, value: Any, taken: Fields) -> Any:
    """The value without those fields; None when nothing is left of it."""
    if not taken:
        return value
    if isinstance(plan, ListPlan):
        return _without_items(plan, value, taken)
    if not isinstance(plan, Branch):
        return None if isinstance(value, dict | list) else value
    if not isinstance(value, dict):
        return value if plan.deduced and not isinstance(value, list) else None
    out = {}
    for key, item in value.items():
        label, child = plan.place(key)
        below = taken.get(label)
        if below is None:
            out[key] = item
        elif not is_member(below):
            out[key] = removed(child, item, below)
    return out or None


def _without_items(plan: ListPlan, value: Any, taken: Fields) -> Any:
    out = []
    for item in value if isinstance(value, list) else ():
        try:
            below = taken.get(plan.label(item))
        except ElementError:
            below = None
        if below is None:
            out.append(item)
        elif not is_member(below):
            out.append(removed(plan.items, item, below))
    return out or None
