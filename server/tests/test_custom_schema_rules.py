# ruff: noqa: E501
"""Rules of schemas (x-kubernetes-validations): checked on objects, and when they are declared."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeling.objects.errors import Cause
from server.schema.causes import Tolerated
from server.schema.custom import compiled, schema_errors
from server.schema.custom.rules import rule_set

Schema = dict[str, Any]
PATH = "spec.validation.openAPIV3Schema"


def of_spec(**spec: Any) -> Schema:
    return {"type": "object", "properties": {"spec": spec}}


def ruled(rules: list[Schema], **properties: Schema) -> Schema:
    return of_spec(type="object", properties=properties, **{"x-kubernetes-validations": rules})


def told(schema: Schema, spec: Any, old: Any = None) -> list[str]:
    found = compiled(schema).validate({"spec": spec}, None if old is None else {"spec": old})
    return [f"{each.field}: {each.message}" for each in found]


INT, TEXT = {"type": "integer"}, {"type": "string"}


def test_a_rule_that_does_not_hold_is_told() -> None:
    schema = ruled([{"rule": "self.a <= self.b"}], a=INT, b=INT)
    assert told(schema, {"a": 1, "b": 2}) == []
    assert told(schema, {"a": 3, "b": 2}) == ["spec: Invalid value: failed rule: self.a <= self.b"]


def test_message_field_path_and_reason() -> None:
    rule = {
        "rule": "self.a > 1",
        "message": " too small ",
        "fieldPath": ".a",
        "reason": "FieldValueForbidden",
    }
    found = compiled(ruled([rule], a=INT)).validate({"spec": {"a": 1}})
    assert found == [Cause("spec.a", "FieldValueForbidden", "Forbidden: too small")]


def test_a_scalars_value_is_shown() -> None:
    schema = of_spec(type="string", **{"x-kubernetes-validations": [{"rule": "self.startsWith('a')"}]})
    assert told(schema, "b") == ["spec: Invalid value: \"b\": failed rule: self.startsWith('a')"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("'a is ' + string(self.a)", "a is 1"),
        ("self.c", "plain"),
        ("''", "plain"),
        ("'two\\nlines'", "plain"),
    ],
)
def test_message_expressions(expression: str, message: str) -> None:
    rule = {"rule": "self.a > 1", "message": "plain", "messageExpression": expression}
    assert told(ruled([rule], a=INT, c=TEXT), {"a": 1}) == [f"spec: Invalid value: {message}"]


def test_errors_of_evaluation_are_told() -> None:
    schema = ruled([{"rule": "self.a == 1"}], a=INT)
    assert told(schema, {}) == ['spec: Invalid value: "object": no such key: a evaluating rule: self.a == 1']
    mixed = ruled([{"rule": "self.a > 5"}], a={"x-kubernetes-int-or-string": True})
    assert told(mixed, {"a": "x"}) == [
        "spec: Invalid value: \"object\": 'no such overload': call arguments did not match a supported operator,"
        " function or macro signature for rule: self.a > 5"
    ]


def test_transition_rules_need_an_old_value() -> None:
    schema = ruled([{"rule": "self.a >= oldSelf.a", "message": "only up"}], a=INT)
    assert told(schema, {"a": 1}) == []
    assert told(schema, {"a": 2}, {"a": 1}) == []
    assert told(schema, {"a": 1}, {"a": 2}) == ["spec: Invalid value: only up"]


def test_transition_rules_with_an_optional_old_value_always_run() -> None:
    rule = {
        "rule": "!oldSelf.hasValue() || self.a == oldSelf.value().a",
        "optionalOldSelf": True,
        "message": "no",
    }
    schema = ruled([rule], a=INT)
    assert told(schema, {"a": 1}) == []
    assert told(schema, {"a": 1}, {"a": 2}) == ["spec: Invalid value: no"]


def test_items_are_told_apart_by_their_keys() -> None:
    items = {
        "type": "object",
        "properties": {"n": TEXT, "v": INT},
        "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v", "message": "only up"}],
    }
    schema = of_spec(
        type="array", items=items, **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]}
    )
    old = [{"n": "a", "v": 5}, {"n": "b", "v": 1}]
    assert told(schema, [{"n": "b", "v": 1}, {"n": "a", "v": 4}, {"n": "c", "v": 0}], old) == [
        "spec[1]: Invalid value: only up"
    ]


def test_a_rule_of_an_unchanged_part_may_go_on_to_fail() -> None:
    inner = {"type": "object", "properties": {"a": INT}, "x-kubernetes-validations": [{"rule": "self.a > 1"}]}
    schema = ruled([], inner=inner, b=INT)
    found = compiled(schema).validate(
        {"spec": {"inner": {"a": 1}, "b": 1}}, {"spec": {"inner": {"a": 1}, "b": 2}}
    )
    assert [type(each) for each in found] == [Tolerated]
    assert told(schema, {"inner": {"a": 0}}, {"inner": {"a": 1}}) == [
        "spec.inner: Invalid value: failed rule: self.a > 1"
    ]


TYPED = [
    ({"type": "number"}, "self.x < 2.5 && type(self.x) == double", 1),
    (
        {"type": "string", "format": "date-time"},
        "self.x > timestamp('2020-01-01T00:00:00Z')",
        "2021-01-01T00:00:00Z",
    ),
    ({"type": "string", "format": "date"}, "self.x.getFullYear() == 2021", "2021-01-01"),
    ({"type": "string", "format": "duration"}, "self.x > duration('1s')", "1m"),
    ({"type": "string", "format": "byte"}, "self.x == b'hello'", "aGVsbG8="),
    ({"x-kubernetes-int-or-string": True}, "type(self.x) == int ? self.x > 1 : self.x == '50%'", "50%"),
    (
        {"type": "object", "additionalProperties": INT},
        "self.x.all(k, self.x[k] > 0) && 'a' in self.x",
        {"a": 1},
    ),
    ({"type": "array", "items": {"type": "number"}}, "self.x.sum() == 3.5", [1, 2.5]),
    ({"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"}, "self.x == ['b', 'a']", ["a", "b"]),
    (
        {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
        "self.x.kind == 'Pod' && self.x.metadata.name == 'p'",
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}},
    ),
]


@pytest.mark.parametrize(("schema", "rule", "value"), TYPED)
def test_values_have_the_types_of_the_schema(schema: Schema, rule: str, value: Any) -> None:
    full = ruled([{"rule": rule}], x=schema)
    assert not [each for each in schema_errors(full, PATH) if "cost" not in each.message]
    assert told(full, {"x": value}) == []


_NAMED = {"type": "object", "properties": {"name": TEXT, "value": TEXT, "foo": INT}}
DOCUMENTED: dict[str, Schema] = {
    "minReplicas": INT,
    "replicas": INT,
    "maxReplicas": INT,
    "stateCounts": {"type": "object", "additionalProperties": INT},
    "list1": {"type": "array", "items": TEXT},
    "list2": {"type": "array", "items": TEXT},
    "map1": {"type": "object", "additionalProperties": TEXT},
    "envars": {"type": "array", "items": _NAMED},
    "created": {"type": "string", "format": "date-time"},
    "expired": {"type": "string", "format": "date-time"},
    "ttl": {"type": "string", "format": "duration"},
    "health": TEXT,
    "set1": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
    "set2": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
    "widgets": {
        "type": "array",
        "items": {**_NAMED, "required": ["name"]},
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    },
}
FROM_THE_DOCUMENTATION = [
    "self.minReplicas <= self.replicas && self.replicas <= self.maxReplicas",
    "'Available' in self.stateCounts",
    "(self.list1.size() == 0) != (self.list2.size() == 0)",
    "!('MY_KEY' in self.map1) || self.map1['MY_KEY'].matches('^[a-zA-Z]*$')",
    "self.envars.filter(e, e.name == 'MY_ENV').all(e, e.value.matches('^[a-zA-Z]*$'))",
    "has(self.expired) && self.created + self.ttl < self.expired",
    "self.health.startsWith('ok')",
    "self.widgets.exists(w, w.name == 'x' && w.foo < 10)",
    "self.set1.all(e, !(e in self.set2))",
    "size(self.widgets.filter(c, c.name == 'x')) == 1",
    "self.map1.all(key, key.matches('^[a-zA-Z_]*$'))",
    "self.set1 + self.set2 == ['c', 'b', 'a'] && (self.set1 + ['a']).size() == 2",
    "(self.widgets + self.widgets).size() == 1",
    "self.?widgets.orValue([]).all(w, w.?foo.orValue(0) < 10)",
    "[self.replicas, self.maxReplicas].max() == 5",
]


@pytest.mark.parametrize("rule", FROM_THE_DOCUMENTATION)
def test_documented_rules_compile_and_hold(rule: str) -> None:
    schema = ruled([{"rule": rule}], **DOCUMENTED)
    value = {
        "minReplicas": 1, "replicas": 2, "maxReplicas": 5, "stateCounts": {"Available": 1}, "list1": [],
        "list2": ["x"], "map1": {"MY_KEY": "abc"}, "envars": [{"name": "MY_ENV", "value": "x"}],
        "created": "2024-01-01T00:00:00Z", "expired": "2024-01-03T00:00:00Z", "ttl": "24h", "health": "ok",
        "set1": ["a", "b"], "set2": ["c"], "widgets": [{"name": "x", "foo": 1}],
    }  # fmt: skip
    assert not [each for each in schema_errors(schema, PATH) if "cost" not in each.message]
    assert told(schema, value) == []


def test_a_stored_time_that_is_none_does_not_break_its_rule() -> None:
    when = {
        "type": "string",
        "format": "date-time",
        "x-kubernetes-validations": [{"rule": "self > timestamp(0)"}],
    }
    schema = ruled([], when=when, b=INT)
    (found,) = told(schema, {"when": "never", "b": 1}, {"when": "never", "b": 2})
    assert "'no such overload': call arguments did not match" in found


@pytest.mark.parametrize(
    "rule",
    [
        "self.all(l, l.protocol in ['HTTP', 'TCP', 'UDP'] ? !has(l.tls) : true)",
        "self.all(l1, self.exists_one(l2, l1.name == l2.name))",
        "self.all(l1, self.exists_one(l2, l1.port == l2.port && l1.protocol == l2.protocol && (has(l1.hostname) &&"
        " has(l2.hostname) ? l1.hostname == l2.hostname : !has(l1.hostname) && !has(l2.hostname))))",
        "self.all(l, (l.protocol == 'HTTPS' && has(l.tls)) ? (l.tls.mode == '' || l.tls.mode == 'Terminate') : true)",
    ],
)
def test_rules_that_gateways_have_are_cheap_enough(rule: str) -> None:
    listener = {
        "type": "object",
        "required": ["name", "port", "protocol"],
        "properties": {
            "name": {"type": "string", "maxLength": 253},
            "hostname": {"type": "string", "maxLength": 253},
            "port": INT,
            "protocol": {"type": "string", "maxLength": 255},
            "tls": {
                "type": "object",
                "properties": {"mode": {"type": "string", "enum": ["Terminate", "Passthrough"]}},
            },
        },
    }
    schema = of_spec(
        type="array", maxItems=64, items=listener, **{"x-kubernetes-validations": [{"rule": rule}]}
    )
    assert schema_errors(schema, PATH) == []
    assert (
        told(
            schema,
            [{"name": "a", "port": 80, "protocol": "HTTP"}, {"name": "b", "port": 81, "protocol": "HTTP"}],
        )
        == []
    )


def test_names_that_are_no_identifiers_are_escaped() -> None:
    rule = "self.a__dash__b == 1 && self.__namespace__ == 2 && self.c__dot__d == 3 && self.e__underscores__f == 4"
    names = {"a-b": INT, "namespace": INT, "c.d": INT, "e__f": INT}
    schema = ruled([{"rule": rule}], **names)
    assert told(schema, {"a-b": 1, "namespace": 2, "c.d": 3, "e__f": 4}) == []


def test_the_roots_metadata_is_visible_to_rules() -> None:
    schema = {"type": "object", "x-kubernetes-validations": [{"rule": "self.metadata.name.startsWith('a')"}]}
    found = compiled(schema).validate({"metadata": {"name": "b"}})
    assert [each.field for each in found] == ["<nil>"]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(FROM_THE_DOCUMENTATION),
    st.dictionaries(
        st.sampled_from(sorted(DOCUMENTED)),
        st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers() | st.text()),
    ),
)
def test_rules_stand_values_of_any_type(rule: str, value: Any) -> None:
    node = rule_set(ruled([{"rule": rule}], **DOCUMENTED))
    assert node is not None
    node.causes({"spec": value}, None)


def test_rules_are_not_checked_on_an_object_that_is_invalid() -> None:
    schema = ruled([{"rule": "self.a > 1"}], a={"type": "integer", "enum": [1, 2]})
    assert told(schema, {"a": 3})[1:] == [
        "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid;"
        " correct the existing errors to complete validation"
    ]


def test_an_expensive_rule_is_stopped() -> None:
    rule = "self.l.all(a, self.l.all(b, self.l.all(c, a + b + c > 0)))"
    schema = ruled([{"rule": rule}, {"rule": "false"}], l={"type": "array", "items": INT})
    found = told(schema, {"l": [1] * 200})
    assert found == [
        "spec: Invalid value: \"object\": 'operation cancelled: actual cost limit exceeded': no further validation"
        f" rules will be run due to call cost exceeds limit for rule: {rule}"
    ]


def test_an_objects_rules_share_a_budget() -> None:
    rule = {"rule": "self.all(a, self.all(b, a + b > 0))"}
    items = {"type": "array", "items": INT, "x-kubernetes-validations": [rule]}
    schema = of_spec(type="array", items=items)
    found = told(schema, [[1] * 300] * 40)
    assert found[-1].endswith(
        "validation failed due to running out of cost budget, no further validation rules will be run"
    )


def declared(rule: Schema, **properties: Schema) -> list[str]:
    return [f"{each.field}: {each.message}" for each in schema_errors(ruled([rule], **properties), PATH)]


WHERE = f"{PATH}.properties[spec].x-kubernetes-validations[0]"
DECLARED = [
    ({"rule": ""}, f"{WHERE}.rule: Required value: rule is not specified"),
    (
        {"rule": "true", "message": " "},
        f'{WHERE}.message: Invalid value: " ": message must be non-empty if specified',
    ),
    (
        {"rule": "self.a ==\n 1"},
        f"{WHERE}.message: Required value: message must be specified if rule contains line breaks",
    ),
    (
        {"rule": "true", "fieldPath": ".x"},
        f'{WHERE}.fieldPath: Invalid value: ".x": fieldPath must be a valid path',
    ),
    (
        {"rule": "true", "reason": "Nope"},
        f'{WHERE}.reason: Unsupported value: "Nope": supported values: "FieldValueDuplicate",'
        ' "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"',
    ),
    (
        {"rule": "true", "optionalOldSelf": True},
        f"{WHERE}.optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule",
    ),
]


@pytest.mark.parametrize(("rule", "message"), DECLARED)
def test_a_rules_form_is_checked_when_it_is_declared(rule: Schema, message: str) -> None:
    assert declared(rule, a=INT) == [message]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            {"rule": "self.b == 1"},
            "compilation failed: ERROR: <input>:1:5: undefined field 'b'\n | self.b == 1\n | ....^",
        ),
        ({"rule": "self.a == 'x'"}, "found no matching overload for '_==_' applied to '(int, string)'"),
        ({"rule": "self.a"}, "cel expression must evaluate to a bool"),
        ({"rule": "true", "messageExpression": "1"}, "messageExpression must evaluate to a string"),
        ({"rule": "true", "messageExpression": "x"}, "messageExpression compilation failed: ERROR"),
    ],
)
def test_expressions_are_compiled_when_they_are_declared(rule: Schema, words: str) -> None:
    (found,) = declared(rule, a=INT)
    assert words in found


def test_old_values_that_cannot_be_found_cannot_be_asked_for() -> None:
    items = {"type": "string", "maxLength": 5, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}
    (found,) = schema_errors(of_spec(type="array", maxItems=5, items=items), PATH)
    assert found.message == (
        'Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema'
        f" within {PATH}.properties[spec]"
    )


def test_a_rule_that_may_cost_too_much_is_refused() -> None:
    rule = {"rule": "self.l.all(x, self.l.all(y, x == y))"}
    found = declared(rule, l={"type": "array", "items": TEXT})
    assert found[0].startswith(
        f"{WHERE}.rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x (try"
    )
    assert found[-1].startswith(
        f"{PATH}: Forbidden: x-kubernetes-validations estimated rule cost total for entire"
    )
    bounded = {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 10}}
    assert declared(rule, l=bounded) == []


def test_a_stored_definition_may_keep_an_expensive_rule() -> None:
    schema = ruled([{"rule": "self.l.all(x, self.l.all(y, x == y))"}], l={"type": "array", "items": TEXT})
    assert schema_errors(schema, PATH) != []
    assert schema_errors({**schema, "description": "new"}, PATH, old=schema) == []


def test_a_schema_without_rules_does_not_need_cel() -> None:
    code = (
        "import sys; from server.schema.custom import compiled, schema_errors\n"
        "schema = {'type': 'object', 'properties': {'a': {'type': 'string'}}}\n"
        "compiled(schema).validate({'a': 'b'}); schema_errors(schema, 'x')\n"
        "sys.exit(any(name.startswith(('server.cel', 're2')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
