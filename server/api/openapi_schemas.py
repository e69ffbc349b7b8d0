"""The published schemas: the v1.37 definitions of kubernetes-validate, turned back into what OpenAPI says.

The package's form is JSON Schema for validators: every optional field may be null, and the kind is an enum.
OpenAPI documents have neither.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Schema = dict[str, Any]

_PREFIX = "#/$defs/"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def references(schema: Any) -> Iterable[str]:
    """The names of all definitions that a schema mentions."""
    if isinstance(schema, dict):
        target = schema.get("$ref")
        if isinstance(target, str):
            yield target.removeprefix(_PREFIX)
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def reachable(names: Iterable[str], definitions: Mapping[str, Schema]) -> set[str]:
    """The names, and everything that they mention directly or through others."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found and name in definitions:
            found.add(name)
            waiting.extend(references(definitions[name]))
    return found


class Converter:
    """Writes definitions for one version of OpenAPI."""

    def __init__(self, reference: Callable[[str], Schema], scalars: Mapping[str, Schema]) -> None:
        self._reference = reference
        self._scalars = scalars

    def convert(self, name: str, schema: Schema) -> Schema:
        """One definition, by its name."""
        if name in self._scalars:
            return {**self._scalars[name], **_described(schema)}
        converted = self._plain(schema)
        if schema.get("x-kubernetes-group-version-kind"):
            for field in ("apiVersion", "kind"):
                converted.get("properties", {}).get(field, {}).pop("enum", None)
        return converted

    def _plain(self, schema: Schema) -> Schema:
        target = schema.get("$ref")
        if target is not None:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return self._reference(target.removeprefix(_PREFIX)) | rest
        return {key: self._keyword(key, value) for key, value in schema.items()}

    def _keyword(self, key: str, value: Any) -> Any:
        if key == "type" and isinstance(value, list):
            return next((each for each in value if each != "null"), "null")
        if key == "enum":
            return [each for each in value if each is not None]
        if key == "properties":
            return {name: self._plain(field) for name, field in value.items()}
        if key in ("items", "additionalProperties") and isinstance(value, dict):
            return self._plain(value)
        return value


def _described(schema: Schema) -> Schema:
    return {"description": schema["description"]} if "description" in schema else {}


def version_2() -> Converter:
    """For Swagger 2.0."""
    scalars: dict[str, Schema] = {
        _INT_OR_STRING: {"type": "string", "format": "int-or-string"},
        _QUANTITY: {"type": "string"},
    }
    return Converter(lambda name: {"$ref": f"#/definitions/{name}"}, scalars)


def version_3() -> Converter:
    """For OpenAPI 3.0, where a reference with a description beside it must be wrapped."""
    scalars: dict[str, Schema] = {
        _INT_OR_STRING: {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
        _QUANTITY: {"oneOf": [{"type": "string"}, {"type": "number"}]},
    }
    return Converter(_wrapped_reference, scalars)


def _wrapped_reference(name: str) -> Schema:
    return {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}
