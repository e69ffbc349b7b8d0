"""Whether a schema is structural: every field is declared once, outside of what only restricts values."""

from typing import Any, Literal

from kubeling.objects.errors import Cause
from kubeling.objects.regex import RegexError, compiled
from server.schema import causes

Schema = dict[str, Any]
Level = Literal["root", "item", "field"]

INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]

_UNTYPED = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
_FORBIDDEN_BELOW = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)
"""What may not stand within allOf, anyOf, oneOf and not."""


def structural_causes(schema: Schema, path: str) -> list[Cause]:
    """What keeps a schema from being structural, sorted by text."""
    found = _invariants(schema, "root", path) + _incomplete(schema, schema, path, path)
    return sorted(found, key=causes.text_of)


def _invariants(schema: Schema, level: Level, path: str) -> list[Cause]:
    found = _below(schema, level, path) + _extensions(schema, path)
    skip_any = schema.get("anyOf") == INT_OR_STRING
    all_of = schema.get("allOf") or [{}]
    skip_first = all_of[0].get("anyOf") == INT_OR_STRING
    found += _restrictions(schema, path, skip_any=skip_any, skip_first=skip_first)
    found += _type_causes(schema, level, path)
    return found + _resource_causes(schema, level, path)


def _below(schema: Schema, level: Level, path: str) -> list[Cause]:
    found: list[Cause] = []
    if schema.get("type") == "array" and "items" not in schema:
        found.append(causes.required(f"{path}.items", "must be specified"))
    if isinstance(schema.get("items"), dict):
        found += _invariants(schema["items"], "item", f"{path}.items")
    for name, each in (schema.get("properties") or {}).items():
        found += _invariants(each, "field", f"{path}.properties[{name}]")
    if schema.get("additionalProperties") is not None:
        where = f"{path}.additionalProperties"
        if level == "root":
            found.append(causes.forbidden(where, "must not be used at the root"))
        if isinstance(schema["additionalProperties"], dict):
            found += _invariants(schema["additionalProperties"], "field", where)
    return found


def _extensions(schema: Schema, path: str) -> list[Cause]:
    if not schema.get("x-kubernetes-int-or-string"):
        return []
    return [
        causes.invalid(f"{path}.{name}", True, "must be false if x-kubernetes-int-or-string is true")
        for name in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")
        if schema.get(name)
    ]


def _type_causes(schema: Schema, level: Level, path: str) -> list[Cause]:
    found: list[Cause] = []
    declared, where = schema.get("type", ""), f"{path}.type"
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if schema.get("x-kubernetes-embedded-resource") and declared != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        found.append(causes.invalid(where, declared, detail) if declared else causes.required(where, detail))
    elif not declared and not free:
        found.append(causes.required(where, _UNTYPED[level]))
    if level == "root" and declared and declared != "object":
        found.append(causes.invalid(where, declared, "must be object at the root"))
    return found


def _resource_causes(schema: Schema, level: Level, path: str) -> list[Cause]:
    """apiVersion, kind and metadata of objects and of the resources within them."""
    found: list[Cause] = []
    embedded = schema.get("x-kubernetes-embedded-resource")
    properties: dict[str, Schema] = schema.get("properties") or {}
    resource = level == "root" or bool(embedded)
    if embedded and schema.get("additionalProperties") is not None:
        detail = "must not be used if x-kubernetes-embedded-resource is set"
        found.append(causes.forbidden(f"{path}.additionalProperties", detail))
    for name in ("kind", "apiVersion"):
        if resource and name in properties and properties[name].get("type") != "string":
            where = f"{path}.properties[{name}].type"
            found.append(causes.invalid(where, properties[name].get("type", ""), "must be string"))
    if "metadata" in properties:
        where = f"{path}.properties[metadata]"
        found += _metadata_causes(properties["metadata"], where, resource=resource, root=level == "root")
    if embedded and not schema.get("x-kubernetes-preserve-unknown-fields") and not properties:
        detail = (
            "must not be empty if x-kubernetes-embedded-resource is true without"
            " x-kubernetes-preserve-unknown-fields"
        )
        found.append(causes.required(f"{path}.properties", detail))
    return found


def _metadata_causes(schema: Schema, path: str, *, resource: bool, root: bool) -> list[Cause]:
    found: list[Cause] = []
    if resource and schema.get("type") != "object":
        found.append(causes.invalid(f"{path}.type", schema.get("type", ""), "must be object"))
    more = {name for name, each in schema.items() if each not in (None, False, "", [], {})}
    names = set(schema.get("properties") or ())
    if root and (more - {"type", "properties", "default"} or names - {"name", "generateName"}):
        detail = (
            "must not specify anything other than name and generateName, but metadata is implicitly specified"
        )
        found.append(causes.forbidden(path, detail))
    return found


def _restrictions(schema: Schema, path: str, *, skip_any: bool, skip_first: bool) -> list[Cause]:
    """What is wrong within allOf, anyOf, oneOf and not, and with the pattern."""
    found: list[Cause] = []
    if not skip_any:
        for position, each in enumerate(schema.get("anyOf") or ()):
            found += _restriction(each, f"{path}.anyOf[{position}]", skip_any=False)
    for position, each in enumerate(schema.get("allOf") or ()):
        found += _restriction(each, f"{path}.allOf[{position}]", skip_any=skip_first and position == 0)
    for position, each in enumerate(schema.get("oneOf") or ()):
        found += _restriction(each, f"{path}.oneOf[{position}]", skip_any=False)
    if schema.get("not") is not None:
        found += _restriction(schema["not"], f"{path}.not", skip_any=False)
    return found + _pattern_causes(schema.get("pattern") or "", path)


def _pattern_causes(pattern: str, path: str) -> list[Cause]:
    try:
        if pattern:
            compiled(pattern)
    except RegexError as error:
        detail = f"must be a valid regular expression, but isn't: {error}"
        return [causes.invalid(f"{path}.pattern", pattern, detail)]
    return []


def _restriction(schema: Schema, path: str, *, skip_any: bool) -> list[Cause]:
    found = _restrictions(schema, path, skip_any=skip_any, skip_first=False)
    if isinstance(schema.get("items"), dict):
        found += _restriction(schema["items"], f"{path}.items", skip_any=False)
    properties: dict[str, Schema] = schema.get("properties") or {}
    for name, each in properties.items():
        found += _restriction(each, f"{path}.properties[{name}]", skip_any=False)
    for name, detail in _FORBIDDEN_BELOW:
        value = schema.get(name)
        if value or (value is not None and name in ("default", "additionalProperties")):
            found.append(causes.forbidden(f"{path}.{name}", detail))
    if "metadata" in properties:
        detail = "must not be specified in a nested context"
        found.append(causes.forbidden(f"{path}.properties[metadata]", detail))
    return found


def _incomplete(restriction: Schema, schema: Schema | None, path: str, where: str) -> list[Cause]:
    """Fields that allOf, anyOf, oneOf and not speak of, but the schema itself does not declare."""
    if schema is None:
        return [causes.required(path, f"because it is defined in {where}")]
    found: list[Cause] = []
    for junctor in ("allOf", "anyOf", "oneOf"):
        for position, each in enumerate(restriction.get(junctor) or ()):
            found += _undeclared(each, schema, path, f"{where}.{junctor}[{position}]")
    if restriction.get("not") is not None:
        found += _undeclared(restriction["not"], schema, path, f"{where}.not")
    return found


def _undeclared(restriction: Schema, schema: Schema | None, path: str, where: str) -> list[Cause]:
    if schema is None:
        return [causes.required(path, f"because it is defined in {where}")]
    found = _incomplete(restriction, schema, path, where)
    if isinstance(restriction.get("items"), dict):
        found += _undeclared(restriction["items"], schema.get("items"), f"{path}.items", f"{where}.items")
    declared: dict[str, Schema] = schema.get("properties") or {}
    for name, each in (restriction.get("properties") or {}).items():
        at, of = f"{path}.properties[{name}]", f"{where}.properties[{name}]"
        found += _undeclared(each, declared.get(name), at, of)
    return found
