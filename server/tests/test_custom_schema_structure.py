# ruff: noqa: E501
"""What a schema must be like: structural, with declarations that fit."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.schema.custom import compiled, schema_errors

Schema = dict[str, Any]
PATH = "spec.validation.openAPIV3Schema"
SPEC = f"{PATH}.properties[spec]"
TEXT = {"type": "string"}


def errors(spec: Schema) -> list[str]:
    found = schema_errors({"type": "object", "properties": {"spec": spec}}, PATH)
    return [f"{each.field}: {each.message}" for each in found]


RIGHT: list[Schema] = [
    {"type": "object", "properties": {"a": TEXT}},
    {"x-kubernetes-int-or-string": True},
    {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
    {"x-kubernetes-int-or-string": True, "allOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}]},
    {"x-kubernetes-preserve-unknown-fields": True},
    {"type": "object", "additionalProperties": TEXT},
    {"type": "object", "additionalProperties": True},
    {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
    {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
    {"type": "integer", "default": 5, "minimum": 1},
    {"type": "object", "default": {}, "properties": {"a": {"type": "string", "default": "x"}}},
    {
        "type": "object",
        "properties": {"a": TEXT},
        "oneOf": [{"required": ["a"]}, {"properties": {"a": {"enum": ["x"]}}}],
    },
]


@pytest.mark.parametrize("spec", RIGHT)
def test_a_structural_schema_has_no_errors(spec: Schema) -> None:
    assert errors(spec) == []


WRONG: list[tuple[Schema, str]] = [
    ({}, f"{SPEC}.type: Required value: must not be empty for specified object fields"),
    ({"type": "array"}, f"{SPEC}.items: Required value: must be specified"),
    (
        {"type": "array", "items": {}},
        f"{SPEC}.items.type: Required value: must not be empty for specified array items",
    ),
    (
        {"type": "strange"},
        f'{SPEC}.type: Unsupported value: "strange": supported values: "array", "boolean", "integer", "number", "object", "string"',
    ),
    (
        {"type": "string", "pattern": "["},
        f'{SPEC}.pattern: Invalid value: "[": must be a valid regular expression, but isn\'t: error parsing regexp: missing closing ]: `[`',
    ),
    (
        {"type": "string", "anyOf": [{"type": "string"}]},
        f"{SPEC}.anyOf[0].type: Forbidden: must be empty to be structural",
    ),
    (
        {"type": "object", "not": {"additionalProperties": TEXT}},
        f"{SPEC}.not.additionalProperties: Forbidden: must be undefined to be structural",
    ),
    (
        {"type": "object", "properties": {"a": TEXT}, "additionalProperties": TEXT},
        f"{SPEC}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
    ),
    (
        {"type": "array", "items": TEXT, "uniqueItems": True},
        f"{SPEC}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    ),
    (
        {"type": "object", "x-kubernetes-preserve-unknown-fields": False},
        f"{SPEC}.x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined",
    ),
    (
        {"type": "object", "x-kubernetes-embedded-resource": True},
        f"{SPEC}.properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
    ),
    (
        {"type": "string", "default": 5},
        f'{SPEC}.default: Invalid value: "integer":  in body must be of type string: "integer"',
    ),
    (
        {"type": "object", "default": {"z": 1}, "properties": {"a": TEXT}},
        f'{SPEC}.default: Invalid value: {{"z":1}}: must not have unknown fields',
    ),
    (
        {"type": "string", "x-kubernetes-list-type": "set"},
        f'{SPEC}.type: Invalid value: "string": must be array if x-kubernetes-list-type is specified',
    ),
    (
        {"type": "object", "x-kubernetes-map-type": "strange"},
        f'{SPEC}.x-kubernetes-map-type: Unsupported value: "strange": supported values: "atomic", "granular"',
    ),
    (
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["a"],
            "items": {"type": "object", "properties": {"a": TEXT}},
        },
        f"{SPEC}.items.properties[a].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
    ),
    (
        {"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}},
        f"{SPEC}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
    ),
]


@pytest.mark.parametrize(("spec", "message"), WRONG)
def test_what_is_not_structural_is_told(spec: Schema, message: str) -> None:
    assert errors(spec) == [message]


def test_the_root_has_rules_of_its_own() -> None:
    found = schema_errors(
        {"properties": {"metadata": {"type": "object", "properties": {"labels": TEXT}}}}, PATH
    )
    assert [f"{each.field}: {each.message}" for each in found] == [
        f"{PATH}.properties[metadata]: Forbidden: must not specify anything other than name and generateName,"
        " but metadata is implicitly specified",
        f"{PATH}.type: Required value: must not be empty at the root",
    ]


def test_names_may_be_restricted() -> None:
    schema = {
        "type": "object",
        "properties": {
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 2}}}
        },
    }
    assert schema_errors(schema, PATH) == []
    assert [each.field for each in compiled(schema).validate({"metadata": {"name": "abc"}})] == [
        "metadata.name"
    ]


def test_what_alternatives_speak_of_must_be_declared() -> None:
    schema = {"type": "object", "anyOf": [{"properties": {"a": {"minimum": 1}}}]}
    (found,) = schema_errors(schema, PATH)
    assert f"{found.field}: {found.message}" == (
        f"{PATH}.properties[a]: Required value: because it is defined in {PATH}.anyOf[0].properties[a]"
    )


def test_a_status_subresource_restricts_the_root() -> None:
    schema = {"type": "object", "properties": {"a": TEXT}, "oneOf": [{"required": ["a"]}]}
    assert schema_errors(schema, PATH) == []
    (found,) = schema_errors(schema, PATH, status_subresource=True)
    assert (
        "fields are allowed at the root of the schema if the status subresource is enabled" in found.message
    )


_WORDS = st.sampled_from(
    ["type", "properties", "items", "additionalProperties", "anyOf", "not", "default", "required", "enum", "a",
     "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations", "rule", "pattern", "nullable",
     "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "maxItems", "format", "metadata"]
)  # fmt: skip
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["object", "array", "string", "map", "self.a", "["])
)
_TREES = st.recursive(
    _LEAVES,
    lambda each: st.lists(each, max_size=2) | st.dictionaries(_WORDS, each, max_size=4),
    max_leaves=15,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(_WORDS, _TREES, max_size=5))
def test_arbitrary_schemas_are_accepted_or_refused(schema: Schema) -> None:
    if not schema_errors(schema, PATH):
        found = compiled(schema)
        found.default({"a": {}})
        found.validate({"a": {}}, {"a": 1})


def test_a_schema_of_wrong_types_is_an_error_and_no_more() -> None:
    (found,) = schema_errors({"type": "object", "additionalProperties": {"type": 5}}, PATH)
    assert "cannot unmarshal number into Go struct field JSONSchemaProps.type of type string" in found.message
