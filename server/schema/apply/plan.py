"""A compiled type as the comparison needs it: for each node, how a value becomes fields, and how two differ.

Plans are made once per struct, on first use, and kept for as long as the struct lives. Lists and maps are
followed as their type says: atomic ones are one field, sets and maps have a field per item. What a schema
leaves open (`deduced`) is followed as it looks: objects field by field, lists as one value.
"""

from collections.abc import Mapping
from typing import Any

from server.schema.apply.elements import ElementError, Label, labels_of
from server.schema.apply.field_set import ITSELF, LEAF, Fields, in_order
from server.schema.nodes import Anything, ListOf, MapOf, Node, Struct

_KEPT = "ownership plan"


class Plan:
    """A field that is one value: scalars, atomic lists and maps."""

    leaf = True
    deduced = False

    def fields(self, value: Any) -> Fields:
        """What is below the element whose value has just come: itself and everything in it."""
        return LEAF

    def difference(self, old: Any, new: Any) -> tuple[Fields | None, Fields | None]:
        """What is below the element in the changed fields, and in the removed ones; None for no place there.

        The values differ.
        """
        return LEAF, None


ATOM = Plan()
Places = Mapping[str, tuple[str, Plan]]


class Branch(Plan):
    """A field with fields of its own, named by the keys of an object."""

    leaf = False

    def place(self, key: str) -> tuple[str, Plan]:
        """How a key is called in field sets, and the plan of what it holds."""
        raise NotImplementedError

    def fields(self, value: Any) -> Fields:
        if not isinstance(value, dict) or not value:
            return LEAF
        out = {ITSELF: LEAF}
        for key in sorted(value):
            label, plan = self.place(key)
            out[label] = LEAF if plan.leaf else plan.fields(value[key])
        return out

    def difference(self, old: Any, new: Any) -> tuple[Fields | None, Fields | None]:
        if not old and not new:
            return LEAF, None  # an object instead of nothing, or the reverse
        if not isinstance(old or {}, dict) or not isinstance(new or {}, dict):
            return LEAF, None  # a custom resource's, before its schema has been asked
        changed, removed = self.below(old or {}, new or {})
        return changed or None, removed or None

    def below(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Fields, Fields]:
        """The changed fields and the removed ones below two objects."""
        changed: Fields = {}
        removed: Fields = {}
        for key, item in new.items():
            if key in old:
                before = old[key]
                if before is item or (before == item and type(before) is type(item)):
                    continue
                label, plan = self.place(key)
                more, less = plan.difference(before, item)
                if more is not None:
                    changed[label] = more
                if less is not None:
                    removed[label] = less
            else:
                label, plan = self.place(key)
                changed[label] = LEAF if plan.leaf else plan.fields(item)
        for key in old:
            if key not in new:
                label, plan = self.place(key)
                removed[label] = LEAF if plan.leaf else plan.fields(old[key])
        return in_order(changed) if len(changed) > 1 else changed, removed


class MapPlan(Branch):
    def __init__(self, values: Plan) -> None:
        self.values = values

    def place(self, key: str) -> tuple[str, Plan]:
        return f"f:{key}", self.values


class DeducedPlan(Branch):
    """What no schema describes."""

    deduced = True

    def place(self, key: str) -> tuple[str, Plan]:
        return f"f:{key}", self

    def difference(self, old: Any, new: Any) -> tuple[Fields | None, Fields | None]:
        if isinstance(old, dict) and isinstance(new, dict):
            return super().difference(old, new)
        changed = {ITSELF: LEAF, **self.below({}, new)[0]} if isinstance(new, dict) and new else LEAF
        removed = self.below(old, {})[1] if isinstance(old, dict) else LEAF
        return changed, removed or None


DEDUCED = DeducedPlan()


class StructPlan(Branch):
    def __init__(self, struct: Struct) -> None:
        self.struct = struct
        self._places: Places | None = None
        self.rest: Plan | None = rest_of(struct)

    @property
    def places(self) -> Places:
        if self._places is None:
            fields = self.struct.fields.items()
            self._places = {name: (f"f:{name}", plan_of(field.node)) for name, field in fields}
        return self._places

    def place(self, key: str) -> tuple[str, Plan]:
        return (self._places or self.places).get(key) or (f"f:{key}", self.rest or ATOM)

    def fields(self, value: Any) -> Fields:
        """As of every branch; spelt out, for most of a new object's fields are found here."""
        if not value or type(value) is not dict:
            return LEAF
        places = self._places or self.places
        out = {ITSELF: LEAF}
        try:
            for key in sorted(value):
                label, plan = places[key]
                out[label] = LEAF if plan.leaf else plan.fields(value[key])
        except KeyError:
            return super().fields(value)
        return out


class ListPlan(Plan):
    """A list whose items have names of their own."""

    leaf = False

    def __init__(self, label: Label, items: Plan) -> None:
        self.label = label
        self.items = items

    def fields(self, value: Any) -> Fields:
        if not value or type(value) is not list:
            return LEAF
        return in_order({ITSELF: LEAF, **self._named(value)})

    def _named(self, items: list[Any]) -> Fields:
        label, plan = self.label, self.items
        out: Fields = {}
        for item in items:
            try:
                name = label(item)
            except ElementError:
                continue
            out[name] = LEAF if name in out or plan.leaf else plan.fields(item)
        return out

    def difference(self, old: Any, new: Any) -> tuple[Fields | None, Fields | None]:
        if not old and not new:
            return LEAF, None
        if not isinstance(old or [], list) or not isinstance(new or [], list):
            return LEAF, None
        before, after = self._grouped(old or ()), self._grouped(new or ())
        changed: Fields = {}
        removed: Fields = {}
        for name, items in after.items():
            more, less = self._of_item(before.get(name, ()), items)
            if more is not None:
                changed[name] = more
            if less is not None:
                removed[name] = less
        for name, items in before.items():
            if name not in after:
                removed[name] = LEAF if self.items.leaf or len(items) > 1 else self.items.fields(items[0])
        return in_order(changed) or None, removed or None

    def _grouped(self, items: Any) -> dict[str, list[Any]]:
        out: dict[str, list[Any]] = {}
        for item in items:
            try:
                out.setdefault(self.label(item), []).append(item)
            except ElementError:
                continue
        return out

    def _of_item(self, old: Any, new: list[Any]) -> tuple[Fields | None, Fields | None]:
        """Items of one name; there may be several, though there should not."""
        if old == new:
            return None, None
        if len(old) == len(new) == 1:
            return self.items.difference(old[0], new[0])
        if len(new) > 1:
            less = self.items.fields(old[0]) if len(old) == 1 and not self.items.leaf else None
            return LEAF, less
        more = LEAF if self.items.leaf else self.items.fields(new[0])
        return more, LEAF if old else None


def struct_plan(struct: Struct) -> StructPlan:
    """The struct's plan, which is kept with it."""
    found: StructPlan | None = vars(struct).get(_KEPT)
    if found is None:
        found = vars(struct)[_KEPT] = StructPlan(struct)
    return found


def plan_of(node: Node) -> Plan:
    if is_granular(node):
        return DEDUCED
    if isinstance(node, Struct):
        return ATOM if node.atomic else struct_plan(node)
    if isinstance(node, ListOf) and node.list_type in ("set", "map"):
        return ListPlan(labels_of(node), plan_of(node.items))
    if isinstance(node, MapOf) and not node.atomic:
        return MapPlan(plan_of(node.values))
    return ATOM


def is_granular(node: Any) -> bool:
    """Whether a node without a type of its own is followed field by field: preserved unknown fields are."""
    return isinstance(node, Anything) and bool(getattr(node, "granular", False))


def rest_of(struct: Struct) -> Plan | None:
    """The plan of the fields that the struct does not declare but keeps; None when it keeps none."""
    return DEDUCED if getattr(struct, "granular", False) else None
