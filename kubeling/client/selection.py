"""Whether an object is in a namespace and matches selectors, for clients that hold the objects themselves.

A real server decides this by what each kind offers; here any dotted path of the object may be asked for.
"""

from collections.abc import Callable
from typing import Any

from kubeling.objects import fields, labels, meta
from kubeling.objects.meta import Object

Matches = Callable[[Object], bool]


def selection(namespace: str | None, *, label_selector: str = "", field_selector: str = "") -> Matches:
    """Raises: SelectorError, FieldSelectorError."""
    by_label = labels.parse_selector(label_selector)
    by_field = fields.parse_field_selector(field_selector)

    def matches(obj: Object) -> bool:
        return (
            namespace in (None, meta.namespace(obj))
            and by_label.matches(meta.labels(obj))
            and by_field.matches(lambda path: read_field(obj, path))
        )

    return matches


def read_field(obj: Object, path: str) -> str:
    """The value at a dotted path as text, "" when there is none."""
    value: Any = obj
    for part in path.split("."):
        value = (value or {}).get(part)
    return "" if value is None else str(value)
