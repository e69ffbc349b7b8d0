"""The published definitions of custom resources, in the form of `schema.definitions`, to be converted alike.

For OpenAPI v2 what its clients stumble over is left out, as upstream does: combinations, nullable values,
defaults, and everything below a place that keeps unknown fields.
"""

from collections.abc import Iterable
from typing import Any

from kubeling.objects.meta import Object
from server.registry.kind import Kind

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_CONVENTIONS = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_TYPE_META = {
    "apiVersion": {
        "type": "string",
        "description": "APIVersion defines the versioned schema of this representation of an object. Servers"
        " should convert recognized schemas to the latest internal value, and may reject unrecognized values."
        f" More info: {_CONVENTIONS}#resources",
    },
    "kind": {
        "type": "string",
        "description": "Kind is a string value representing the REST resource this object represents. Servers"
        " may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase."
        f" More info: {_CONVENTIONS}#types-kinds",
    },
}
_COMBINATIONS = ("allOf", "oneOf", "anyOf", "not", "default", "nullable")
_STRUCTURE = ("type", "items", "properties", "additionalProperties", "required", "format", "enum")
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"


def definitions_of(kinds: Iterable[tuple[Kind, str]], *, swagger: bool) -> dict[str, Any]:
    """The definitions of the custom ones among the kinds, each with its list's."""
    found: dict[str, Any] = {}
    for kind, version in kinds:
        if kind.custom_schema is not None:
            name = definition_name(kind, version)
            found[name] = _definition(kind, version, kind.custom_schema, swagger=swagger)
            found[f"{name.rpartition('.')[0]}.{kind.list_kind}"] = _list(kind, version, name)
    return found


def definition_name(kind: Kind, version: str) -> str:
    """`com.example.v1.CronTab`"""
    return f"{'.'.join(reversed(kind.group.split('.')))}.{version}.{kind.kind}"


def _definition(kind: Kind, version: str, schema: Object, *, swagger: bool) -> Object:
    if not schema or (swagger and schema.get(_PRESERVE)):
        content: Object = {"type": "object", _PRESERVE: True}
    else:
        content = _published(schema, swagger=swagger)
        content["properties"] = {
            **(content.get("properties") or {}),
            **_TYPE_META,
            "metadata": _reference(
                "ObjectMeta", f"Standard object's metadata. More info: {_CONVENTIONS}#metadata"
            ),
        }
    return content | _marked(kind.group, version, kind.kind)


def _list(kind: Kind, version: str, name: str) -> Object:
    return {
        "type": "object",
        "description": f"{kind.list_kind} is a list of {kind.kind}",
        "required": ["items"],
        "properties": {
            **_TYPE_META,
            "items": {
                "type": "array",
                "description": f"List of {kind.plural}. More info: {_CONVENTIONS}",
                "items": {"$ref": f"#/$defs/{name}"},
            },
            "metadata": _reference(
                "ListMeta", f"Standard list metadata. More info: {_CONVENTIONS}#types-kinds"
            ),
        },
        **_marked(kind.group, version, kind.list_kind),
    }


def _reference(name: str, description: str) -> Object:
    return {"$ref": f"#/$defs/{_META}.{name}", "description": description}


def _marked(group: str, version: str, kind: str) -> Object:
    return {"x-kubernetes-group-version-kind": [{"group": group, "kind": kind, "version": version}]}


def _published(schema: Object, *, swagger: bool) -> Object:
    """A schema with what objects embedded in it always have."""
    found = _downgraded(schema) if swagger else dict(schema)
    for name in ("items", "additionalProperties", "not"):
        if isinstance(found.get(name), dict):
            found[name] = _published(found[name], swagger=swagger)
    for name in ("allOf", "anyOf", "oneOf"):
        if name in found:
            found[name] = [_published(each, swagger=swagger) for each in found[name]]
    if "properties" in found:
        properties = found["properties"].items()
        found["properties"] = {name: _published(each, swagger=swagger) for name, each in properties}
    if schema.get(_EMBEDDED) and "properties" in found:
        found["properties"] = {**found["properties"], **_TYPE_META, "metadata": _reference("ObjectMeta", "")}
    return found


def _downgraded(schema: Object) -> Object:
    found = {key: value for key, value in schema.items() if key not in _COMBINATIONS}
    if schema.get("nullable") or schema.get(_PRESERVE):
        for name in _STRUCTURE:
            found.pop(name, None)
    if schema.get("x-kubernetes-int-or-string"):
        found.pop("type", None)
    return found
