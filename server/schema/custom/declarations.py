"""What a schema may and may not say, apart from being structural: the rest of upstream's rules for it."""

from dataclasses import dataclass, replace
from typing import Any

from kubeling.objects.errors import Cause
from server.schema import causes
from server.schema.custom import list_declarations
from server.schema.custom.rule_form import rule_form_causes

Schema = dict[str, Any]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_METADATA = ("metadata", "kind", "apiVersion")
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")


@dataclass(frozen=True)
class Place:
    """Where a schema stands, as far as rules depend on it."""

    default_forbidden: str | None = None
    """Why it cannot have a default; None when it can."""
    in_metadata: bool = False


def declaration_causes(schema: Schema, path: str, place: Place | None = None) -> list[Cause]:
    """What is wrong with a schema (the root, when no place is given) and all below it."""
    root, place = place is None, place or Place()
    found = _own(schema, path, place)
    found += _maps(schema, path, place, root=root)
    for junctor in ("allOf", "oneOf", "anyOf"):
        for position, each in enumerate(schema.get(junctor) or ()):
            found += declaration_causes(each, f"{path}.{junctor}[{position}]", place)
    if schema.get("not") is not None:
        found += declaration_causes(schema["not"], f"{path}.not", place)
    if isinstance(schema.get("items"), dict):
        found += declaration_causes(schema["items"], f"{path}.items", place)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        where = f"{path}.x-kubernetes-preserve-unknown-fields"
        found.append(causes.invalid(where, False, "must be true or undefined"))
    found += _map_type_causes(schema, path)
    found += list_declarations.list_causes(schema, path)
    return found + rule_form_causes(schema, path)


def _own(schema: Schema, path: str, place: Place) -> list[Cause]:
    found: list[Cause] = []
    declared = schema.get("type", "")
    if declared and declared not in _TYPES:
        found.append(causes.not_supported(f"{path}.type", declared, _TYPES))
    if schema.get("default") is not None and place.default_forbidden is not None:
        found.append(causes.forbidden(f"{path}.default", f"must not be set{place.default_forbidden}"))
    for name in _UNSUPPORTED:
        if schema.get(name) not in (None, "", {}):
            found.append(causes.forbidden(f"{path}.{name}", f"{name} is not supported"))
    if declared == "null":
        detail = "type cannot be set to null, use nullable as an alternative"
        found.append(causes.forbidden(f"{path}.type", detail))
    if isinstance(schema.get("items"), list):
        found.append(causes.forbidden(f"{path}.items", "items must be a schema object and not an array"))
    if place.in_metadata and schema.get("x-kubernetes-embedded-resource"):
        where = f"{path}.x-kubernetes-embedded-resource"
        found.append(causes.forbidden(where, "must not be used inside of resource meta"))
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        found.append(causes.forbidden(f"{path}.uniqueItems", detail))
    return found


def _maps(schema: Schema, path: str, place: Place, *, root: bool) -> list[Cause]:
    found: list[Cause] = []
    others, properties = schema.get("additionalProperties"), schema.get("properties") or {}
    where = f"{path}.additionalProperties"
    if others is not None and others is not True and properties:
        found.append(causes.forbidden(where, "additionalProperties and properties are mutual exclusive"))
    if isinstance(others, dict):
        inside = place
        if place.in_metadata:
            reason = " inside additionalProperties applying to object metadata"
            inside = replace(place, default_forbidden=reason)
        found += declaration_causes(others, where, inside)
    resource = root or bool(schema.get("x-kubernetes-embedded-resource"))
    for name, each in properties.items():
        inside = place
        if resource and name in _METADATA:
            forbidden = f" in top-level {name}" if root else place.default_forbidden
            inside = Place(default_forbidden=forbidden, in_metadata=True)
        found += declaration_causes(each, f"{path}.properties[{name}]", inside)
    return found


def _map_type_causes(schema: Schema, path: str) -> list[Cause]:
    kind = schema.get("x-kubernetes-map-type")
    if kind is None:
        return []
    found: list[Cause] = []
    detail, declared = "must be object if x-kubernetes-map-type is specified", schema.get("type", "")
    if declared != "object":
        where = f"{path}.type"
        found.append(causes.invalid(where, declared, detail) if declared else causes.required(where, detail))
    if kind not in ("atomic", "granular"):
        found.append(causes.not_supported(f"{path}.x-kubernetes-map-type", kind, ("atomic", "granular")))
    return found
