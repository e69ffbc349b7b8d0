"""Whether the defaults in a schema are values that the schema itself allows, with no unknown fields."""

from typing import Any

from kubeling.objects.errors import Cause
from server.schema import causes
from server.schema.custom.embedded import embedded_check
from server.schema.custom.problems import as_causes
from server.schema.custom.pruning import pruned
from server.schema.custom.values import ABSENT, value_check

Schema = dict[str, Any]

_METADATA = ("metadata", "apiVersion", "kind")


def default_causes(schema: Schema, path: str, *, root: bool = True, in_metadata: bool = False) -> list[Cause]:
    """What is wrong with the defaults of a schema and of all below it; maps' values have none."""
    resource = root or bool(schema.get("x-kubernetes-embedded-resource"))
    in_metadata = in_metadata and not resource
    found: list[Cause] = []
    if schema.get("default") is not None and not root:
        found += _own(schema, f"{path}.default", in_metadata=in_metadata)
    if isinstance(schema.get("items"), dict):
        found += default_causes(schema["items"], f"{path}.items", root=False, in_metadata=in_metadata)
    for name, each in (schema.get("properties") or {}).items():
        inside = in_metadata or (resource and name in _METADATA)
        found += default_causes(each, f"{path}.properties[{name}]", root=False, in_metadata=inside)
    return found


def _own(schema: Schema, field: str, *, in_metadata: bool) -> list[Cause]:
    value = schema["default"]
    found: list[Cause] = []
    if not in_metadata:
        if pruned(schema, value) != value:
            found.append(causes.invalid(field, value, "must not have unknown fields"))
        check = embedded_check(schema)
        embedded: list[Cause] = []
        if check is not None:
            check(value, field, embedded)
        if embedded:
            return found + embedded
    problems = value_check(schema)(value, ABSENT) or []
    return found + [_at(field, each) for each in as_causes(problems)] if problems else found


def _at(field: str, cause: Cause) -> Cause:
    """A cause with its path after the default's; errors without a path are of the default as a whole."""
    below = "" if cause.field == causes.NOWHERE else cause.field
    return cause._replace(field=field + (below if not below or below.startswith("[") else f".{below}"))
