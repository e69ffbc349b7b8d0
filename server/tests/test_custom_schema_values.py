"""Custom resources' values: pruning, defaults, validation. Messages stand on one line each."""
# ruff: noqa: E501

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeling.objects.errors import Cause
from server.schema.custom import compiled
from server.schema.decode import decode
from server.schema.errors import DecodeError

Schema = dict[str, Any]


def of_spec(**spec: Any) -> Schema:
    return {"type": "object", "properties": {"spec": spec}}


def causes(spec_schema: Schema, spec: Any, old: Any = None) -> list[Cause]:
    schema = compiled(of_spec(**spec_schema))
    return schema.validate({"spec": spec}, None if old is None else {"spec": old})


def messages(spec_schema: Schema, spec: Any) -> list[str]:
    return [f"{each.field}: {each.message}" for each in causes(spec_schema, spec)]


PRUNED = [
    ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": "x", "b": 1}, {"a": "x"}, ["spec.b"]),
    (
        {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
        [{"a": "x"}, {"b": 1}],
        [{"a": "x"}, {}],
        ["spec[1].b"],
    ),
    (
        {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": {}}}},
        {"k": {"b": 1}},
        {"k": {}},
        ["spec.k.b"],
    ),
    (
        {"type": "object", "additionalProperties": True},
        {"k": {"b": 1}, "s": 1},
        {"k": {}, "s": 1},
        ["spec.k.b"],
    ),
    ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"k": {"b": 1}}, {"k": {"b": 1}}, []),
    (
        {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}},
        },
        {"z": {"y": 1}, "a": {"b": "x", "c": 1}},
        {"z": {"y": 1}, "a": {"b": "x"}},
        ["spec.a.c"],
    ),
    (
        {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "properties": {"spec": {"type": "object"}},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "x", "nope": 1},
            "spec": {"a": 1},
            "more": 1,
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {}},
        ["spec.metadata.nope", "spec.spec.a", "spec.more"],
    ),
    ({"type": "string"}, 5, 5, []),
    ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": None}, {"a": None}, []),
]


@pytest.mark.parametrize(("schema", "value", "stored", "unknown"), PRUNED)
def test_unknown_fields_are_pruned_and_told(
    schema: Schema, value: Any, stored: Any, unknown: list[str]
) -> None:
    found = decode(compiled(of_spec(**schema)).struct, {"spec": value})
    assert found.obj == {"spec": stored}
    assert list(found.unknown) == unknown


def test_nothing_is_pruned_when_the_definition_preserves_unknown_fields() -> None:
    schema = compiled(
        of_spec(type="object", properties={"a": {"type": "object"}}), preserve_unknown_fields=True
    )
    obj = {"spec": {"a": {"b": 1}, "c": 1}, "more": 1}
    assert decode(schema.struct, obj) == (obj, [])


def test_metadata_is_typed_strictly() -> None:
    with pytest.raises(
        DecodeError, match=r"cannot unmarshal number into Go struct field ObjectMeta\.metadata"
    ):
        decode(compiled({"type": "object"}).struct, {"metadata": {"labels": {"a": 1}}})


DEFAULTED = [
    ({"type": "object", "properties": {"a": {"type": "string", "default": "x"}}}, {}, {"a": "x"}),
    ({"type": "object", "properties": {"a": {"type": "string", "default": "x"}}}, {"a": "y"}, {"a": "y"}),
    ({"type": "object", "properties": {"a": {"type": "string", "default": "x"}}}, {"a": None}, {"a": "x"}),
    (
        {"type": "object", "properties": {"a": {"type": "string", "default": "x", "nullable": True}}},
        {"a": None},
        {"a": None},
    ),
    ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": None}, {}),
    ({"type": "object", "properties": {"a": {"type": "string", "nullable": True}}}, {"a": None}, {"a": None}),
    (
        {
            "type": "object",
            "properties": {
                "a": {"type": "object", "default": {}, "properties": {"b": {"type": "integer", "default": 3}}}
            },
        },
        {},
        {"a": {"b": 3}},
    ),
    (
        {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"default": 3}}}}},
        {},
        {},
    ),
    (
        {
            "type": "array",
            "items": {"type": "object", "properties": {"b": {"type": "integer", "default": 3}}},
        },
        [{}, {"b": 4}, None],
        [{"b": 3}, {"b": 4}, None],
    ),
    ({"type": "array", "items": {"type": "integer", "default": 3}}, [None, 4], [3, 4]),
    ({"type": "object", "additionalProperties": {"type": "string"}}, {"a": None, "b": "x"}, {"b": "x"}),
]


@pytest.mark.parametrize(("schema", "value", "stored"), DEFAULTED)
def test_defaults_are_set_and_nulls_that_are_not_allowed_go(schema: Schema, value: Any, stored: Any) -> None:
    obj = {"spec": json.loads(json.dumps(value))}
    changed = compiled(of_spec(**schema)).default(obj)
    assert obj == {"spec": stored}
    assert changed == (value != stored)


def test_a_default_is_a_copy() -> None:
    schema = compiled(of_spec(type="object", properties={"a": {"type": "array", "default": [{"b": 1}]}}))
    one: dict[str, Any] = {"spec": {}}
    schema.default(one)
    one["spec"]["a"][0]["b"] = 2
    other: dict[str, Any] = {"spec": {}}
    schema.default(other)
    assert other == {"spec": {"a": [{"b": 1}]}}


WRONG = [
    ({"type": "integer"}, "x", 'spec: Invalid value: "string": spec in body must be of type integer: "string"'),
    ({"type": "integer"}, 1.5, 'spec: Invalid value: "number": spec in body must be of type integer: "number"'),
    ({"type": "string"}, None, 'spec: Invalid value: "null": spec in body must be of type string: "null"'),
    ({"type": "boolean"}, 1, 'spec: Invalid value: "integer": spec in body must be of type boolean: "integer"'),
    ({"type": "object"}, [], 'spec: Invalid value: "array": spec in body must be of type object: "array"'),
    (
        {"x-kubernetes-int-or-string": True},
        True,
        'spec: Invalid value: "boolean": spec in body must be of type integer,string: "boolean"',
    ),
    ({"type": "integer", "minimum": 1}, 0, "spec: Invalid value: 0: spec in body should be greater than or equal to 1"),
    ({"type": "integer", "maximum": 1}, 2, "spec: Invalid value: 2: spec in body should be less than or equal to 1"),
    (
        {"type": "number", "maximum": 1.5, "exclusiveMaximum": True},
        1.5,
        "spec: Invalid value: 1.5: spec in body should be less than 1.5",
    ),
    ({"type": "integer", "multipleOf": 5}, 7, "spec: Invalid value: 7: spec in body should be a multiple of 5"),
    ({"type": "string", "maxLength": 2}, "abc", "spec: Too long: may not be more than 2 bytes"),
    ({"type": "string", "minLength": 2}, "a", 'spec: Invalid value: "a": spec in body should be at least 2 chars long'),
    ({"type": "string", "pattern": "^a$"}, "b", "spec: Invalid value: \"b\": spec in body should match '^a$'"),
    (
        {"type": "string", "format": "date"},
        "yesterday",
        'spec: Invalid value: "yesterday": spec in body must be of type date: "yesterday"',
    ),
    ({"type": "string", "enum": ["a", "b"]}, "c", 'spec: Unsupported value: "c": supported values: "a", "b"'),
    ({"type": "integer", "enum": [1, 2]}, 3, 'spec: Unsupported value: 3: supported values: "1", "2"'),
    ({"type": "array", "maxItems": 1}, [1, 2], "spec: Too many: 2: must have at most 1 item"),
    ({"type": "array", "minItems": 1}, [], "spec: Invalid value: 0: spec in body should have at least 1 items"),
    ({"type": "object", "required": ["a"]}, {}, "spec.a: Required value"),
    (
        {"type": "object", "maxProperties": 1, "additionalProperties": True},
        {"a": 1, "b": 2},
        "spec: Invalid value: 1: spec in body should have at most 1 properties",
    ),
    (
        {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
        [{}, {"a": 1}],
        'spec[1].a: Invalid value: "integer": spec[1].a in body must be of type string: "integer"',
    ),
    (
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"k": 1},
        'spec.k: Invalid value: "integer": spec.k in body must be of type string: "integer"',
    ),
    ({"not": {"required": ["a"]}}, {"a": 1}, '<nil>: Invalid value: "": "spec" must not validate the schema (not)'),
    (
        {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"a": 1, "b": 1},
        '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf).'
        " Found 2 valid alternatives",
    ),
    ({"type": "array", "x-kubernetes-list-type": "set", "items": {}}, ["a", "b", "a", "a"], 'spec[2]: Duplicate value: "a"'),
    (
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["n"],
            "items": {"type": "object"},
        },
        [{"n": 1, "v": 1}, {"n": 2}, {"n": 1}],
        'spec[2]: Duplicate value: {"n":1}',
    ),
    (
        {"type": "object", "x-kubernetes-embedded-resource": True},
        {"apiVersion": "v1", "metadata": {"name": "x"}},
        "spec.kind: Required value",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "value", "message"), WRONG)
def test_a_wrong_value_is_told_in_upstreams_words(schema: Schema, value: Any, message: str) -> None:
    assert messages(schema, value) == [message]


RIGHT = [
    ({"type": "integer"}, 3.0),
    ({"type": "number"}, 3),
    ({"type": "string", "nullable": True}, None),
    ({"x-kubernetes-int-or-string": True}, "50%"),
    ({"x-kubernetes-int-or-string": True}, 50),
    ({"type": "string", "format": "unheard-of"}, "x"),
    ({"type": "integer", "format": "int32"}, 1 << 40),
    ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"b": 1}),
    ({"type": "array", "x-kubernetes-list-type": "set", "items": {}}, [1, True, "1", 1.5]),
]


@pytest.mark.parametrize(("schema", "value"), RIGHT)
def test_a_right_value_has_no_causes(schema: Schema, value: Any) -> None:
    assert messages(schema, value) == []


def test_type_errors_have_a_reason_of_their_own() -> None:
    assert [each.reason for each in causes({"type": "integer"}, "x")] == ["FieldValueTypeInvalid"]


def test_any_of_tells_the_best_alternatives_problems() -> None:
    assert messages({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}) == [
        '<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)',
        "spec.a: Required value",
    ]


def test_all_of_tells_all_problems() -> None:
    assert messages({"allOf": [{"minimum": 2}, {"minimum": 3}]}, 1) == [
        "spec: Invalid value: 1: spec in body should be greater than or equal to 2",
        "spec: Invalid value: 1: spec in body should be greater than or equal to 3",
        '<nil>: Invalid value: "": "spec" must validate all the schemas (allOf). None validated',
    ]


OBJECT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {"type": "string", "maxLength": 1},
        "b": {"type": "integer"},
        "l": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["n"],
            "items": {"type": "object", "properties": {"v": {"type": "integer", "maximum": 1}}},
        },
        "m": {"type": "array", "items": {"type": "integer", "maximum": 1}},
    },
}


@pytest.mark.parametrize(
    ("value", "old", "fields"),
    [
        ({"a": "long", "b": 1}, {"a": "long", "b": 2}, []),
        ({"a": "longer"}, {"a": "long"}, ["spec.a"]),
        ({"a": "long"}, {}, ["spec.a"]),
        ({"l": [{"n": 2}, {"n": 1, "v": 5}]}, {"l": [{"n": 1, "v": 5}]}, []),
        ({"l": [{"n": 1, "v": 6}]}, {"l": [{"n": 1, "v": 5}]}, ["spec.l[0].v"]),
        ({"m": [5]}, {"m": [5]}, []),
        ({"m": [5, 1]}, {"m": [5]}, ["spec.m[0]"]),
    ],
)
def test_what_did_not_change_may_stay_invalid(value: Any, old: Any, fields: list[str]) -> None:
    assert [each.field for each in causes(OBJECT, value, old)] == fields


def test_items_that_stood_twice_before_may_go_on_so() -> None:
    schema = {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}}
    assert causes(schema, [1, 1, 2, 2], [1, 1]) == []
    assert [each.field for each in causes(schema, [1, 1], [1])] == ["spec[1]"]


FORMATS = [
    ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
    ("uuid4", "123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
    ("ipv4", "10.0.0.1", "10.0.0"),
    ("ipv6", "fe80::1", "10.0.0.1"),
    ("cidr", "10.0.0.1/8", "10.0.0.1"),
    ("mac", "00:00:5e:00:53:01", "00:00:5e"),
    ("date", "2024-02-29", "2023-02-29"),
    ("date-time", "2014-12-15T19:30:20.000Z", "2014-12-15"),
    ("duration", "1h30m", "soon"),
    ("duration", "22 ns", "22 parsecs"),
    ("byte", "aGVsbG8=", "a"),
    ("email", "a@example.com", "a"),
    ("hostname", "a.example.com", "-a"),
    ("uri", "https://example.com/x", "example"),
    ("hexcolor", "#ffF", "#ff"),
    ("rgbcolor", "rgb(1,2,255)", "rgb(1,2,256)"),
    ("isbn", "0321751043", "0321751044"),
    ("isbn13", "978-0321751041", "978-0321751042"),
    ("creditcard", "4111-1111-1111-1111", "4111"),
    ("ssn", "111-11-1111", "1"),
    ("bsonobjectid", "507f1f77bcf86cd799439011", "507f"),
    ("k8s-short-name", "a-b", "a.b"),
    ("k8s-long-name", "a.b", "a_b"),
]


@pytest.mark.parametrize(("name", "right", "wrong"), FORMATS)
def test_formats_are_checked(name: str, right: str, wrong: str) -> None:
    assert messages({"type": "string", "format": name}, right) == []
    assert len(messages({"type": "string", "format": name}, wrong)) == 1


_SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
_NAMES = st.sampled_from(["a", "b", "l", "m", "spec", "metadata", "n", "v", "kind"])
_VALUES = st.recursive(
    _SCALAR,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(_NAMES, each, max_size=4),
    max_leaves=12,
)
_FULL = of_spec(
    type="object",
    properties={
        **OBJECT["properties"],
        "n": {"type": "object", "default": {}, "properties": {"a": {"type": "string", "default": "x"}}},
        "v": {"x-kubernetes-int-or-string": True, "nullable": True},
        "spec": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "properties": {"a": {"enum": [1, "x"]}},
        },
        "kind": {
            "oneOf": [{"required": ["a"]}, {"minimum": 3}],
            "x-kubernetes-preserve-unknown-fields": True,
        },
    },
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_NAMES, _VALUES, max_size=4), _VALUES)
def test_arbitrary_objects_are_pruned_defaulted_and_validated(obj: dict[str, Any], old: Any) -> None:
    schema = compiled(_FULL)
    try:
        pruned = decode(schema.struct, obj).obj
    except DecodeError:
        return
    assert decode(schema.struct, pruned) == (pruned, [])
    schema.default(pruned)
    defaulted = json.dumps(pruned)
    assert not schema.default(pruned)
    assert json.dumps(pruned) == defaulted
    schema.validate(pruned, {"spec": old})
    schema.validate(obj)
    assert schema.validate(pruned, pruned) == [
        each for each in schema.validate(pruned, pruned) if each.field.startswith("spec")
    ]
