"""The expressions of admission policies and webhooks, and what else their objects must be."""

from typing import Any

import pytest

from kubeling.objects.errors import Cause
from server.registry.groups.admissionregistration.policies import (
    MutatingBindings,
    MutatingPolicies,
    Policies,
    ValidatingBindings,
)
from server.registry.groups.admissionregistration.webhooks import Webhooks

RULE = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"], "operations": ["CREATE"]}


def problems(strategy: Any, obj: dict[str, Any]) -> dict[str, str]:
    obj = {"metadata": {"name": "p.example.com"}, **obj}
    strategy.default(obj)
    found: list[Cause] = strategy.validate(obj)
    return {each.field: each.message for each in found}


def policy(**spec: Any) -> dict[str, str]:
    base = {"matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": "true"}]}
    return problems(Policies(), {"spec": {**base, **spec}})


def mutation(kind: str, expression: str, **spec: Any) -> dict[str, str]:
    form = "jsonPatch" if kind == "JSONPatch" else "applyConfiguration"
    base = {
        "matchConstraints": {"resourceRules": [RULE]},
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": kind, form: {"expression": expression}}],
    }
    return problems(MutatingPolicies(), {"spec": {**base, **spec}})


@pytest.mark.parametrize(
    "expression",
    [
        "object.spec.replicas <= 5",
        "oldObject == null || object.metadata.name == oldObject.metadata.name",
        "request.operation == 'CREATE' && request.userInfo.groups.exists(g, g == 'system:masters')",
        "request.resource.group == 'apps' && !request.dryRun",
        "namespaceObject.metadata.labels['env'] == 'prod'",
        "authorizer.group('apps').resource('deployments').namespace('x').check('get').allowed()",
        "authorizer.path('/healthz').check('get').allowed()",
        "authorizer.serviceAccount('a', 'b').path('/x').check('get').reason() == ''",
        "authorizer.requestResource.check('custom').allowed()",
    ],
)
def test_expressions_may_speak_of_the_request(expression: str) -> None:
    assert policy(validations=[{"expression": expression}]) == {}


@pytest.mark.parametrize(
    ("check", "field", "message"),
    [
        ({"expression": "object.spec"}, "expression", "must evaluate to bool but got dyn"),
        ({"expression": "1 +"}, "expression", "compilation failed: ERROR: <input>:1:"),
        (
            {"expression": "params.x == 1"},
            "expression",
            "compilation failed: ERROR: <input>:1:1: undeclared reference to 'params' (in container '')\n"
            " | params.x == 1\n | ^",
        ),
        (
            {"expression": "variables.x == 1"},
            "expression",
            "compilation failed: ERROR: <input>:1:1: undeclared reference to 'variables'",
        ),
        ({"expression": "request.verb == 'x'"}, "expression", "undefined field 'verb'"),
        (
            {"expression": "true", "messageExpression": "1"},
            "messageExpression",
            "must evaluate to string but got int",
        ),
        (
            {
                "expression": "true",
                "messageExpression": "string(authorizer.path('/').check('get').allowed())",
            },
            "messageExpression",
            "undeclared reference to 'authorizer'",
        ),
    ],
)
def test_expressions_that_do_not_compile_are_refused(check: dict[str, str], field: str, message: str) -> None:
    assert message in policy(validations=[check])[f"spec.validations[0].{field}"]


def test_variables_are_seen_by_what_follows_them() -> None:
    variables = [
        {"name": "name", "expression": "object.metadata.name + 'x'"},
        {"name": "long", "expression": "variables.name.size() > 5"},
    ]
    assert policy(variables=variables, validations=[{"expression": "variables.long"}]) == {}
    found = policy(variables=list(reversed(variables)), validations=[{"expression": "variables.name"}])
    assert "undefined field 'name'" in found["spec.variables[0].expression"]
    assert policy(variables=[{"name": "true", "expression": "1"}]) == {
        "spec.variables[0].name": 'Invalid value: "true": name is not a valid CEL identifier'
    }


def test_parameters_are_known_where_their_kind_is() -> None:
    conditions = [{"name": "c", "expression": " params.x == 1 "}]
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    assert policy(paramKind=kind, matchConditions=conditions) == {}
    found = policy(matchConditions=conditions)["spec.matchConditions[0].expression"]
    assert found.startswith('Invalid value: "params.x == 1": compilation failed')


def test_audit_annotations_are_texts_or_nothing() -> None:
    notes = [{"key": "k", "valueExpression": "object.x > 1 ? 'high' : null"}]
    assert policy(auditAnnotations=notes) == {}
    notes = [{"key": "k", "valueExpression": "1"}]
    assert policy(auditAnnotations=notes) == {
        "spec.auditAnnotations[0].valueExpression": (
            'Invalid value: "1": must evaluate to one of [string null_type] but got int'
        )
    }
    long = [{"key": "k", "valueExpression": f"'{'x' * 5200}'"}]
    assert policy(auditAnnotations=long) == {
        "spec.auditAnnotations[0].valueExpression": "Required value: must not exceed 5120 bytes in length"
    }


@pytest.mark.parametrize(
    ("kind", "expression"),
    [
        ("ApplyConfiguration", "Object{}"),
        ("ApplyConfiguration", "Object{spec: Object.spec{replicas: 1, ?paused: object.?spec.?paused}}"),
        ("JSONPatch", "[JSONPatch{op: 'add', path: '/a/' + jsonpatch.escapeKey('b/c'), value: 1}]"),
        ("JSONPatch", "has(object.x) ? [JSONPatch{op: 'copy', from: '/a', path: '/b'}] : []"),
    ],
)
def test_mutations_make_objects_or_patches(kind: str, expression: str) -> None:
    assert mutation(kind, expression) == {}


@pytest.mark.parametrize(
    ("kind", "expression", "message"),
    [
        ("ApplyConfiguration", "{'spec': 1}", "must evaluate to Object but got map(string, int)"),
        ("JSONPatch", "[JSONPatch{op: 1}]", "expected type of field 'op' is 'string' but provided type is"),
        ("JSONPatch", "[JSONPatch{verb: 'x'}]", "undefined field 'verb'"),
        ("JSONPatch", "[Patch{op: 'x'}]", "undeclared reference to 'Patch'"),
        ("JSONPatch", " ", "Required value"),
    ],
)
def test_mutations_of_another_type_are_refused(kind: str, expression: str, message: str) -> None:
    form = "jsonPatch" if kind == "JSONPatch" else "applyConfiguration"
    assert message in mutation(kind, expression)[f"spec.mutations[0].{form}.expression"]


def test_only_what_is_created_or_updated_can_be_mutated() -> None:
    match = {"resourceRules": [{**RULE, "operations": ["DELETE"]}]}
    message = 'Unsupported value: "DELETE": supported values: "CREATE", "UPDATE"'
    found = mutation("ApplyConfiguration", "Object{}", matchConstraints=match)
    assert found == {"spec.matchConstraints.resourceRules.operations": message}
    binding = {"spec": {"policyName": "p", "matchResources": match}}
    assert problems(MutatingBindings(), binding) == {"spec.matchResources.resourceRules.operations": message}


def test_parameters_are_named_or_selected() -> None:
    reference = {"name": "n", "selector": {}, "parameterNotFoundAction": "Maybe"}
    spec = {"policyName": "p", "validationActions": ["Deny"], "paramRef": reference}
    assert problems(ValidatingBindings(), {"spec": spec}) == {
        "spec.paramRef.name": "Forbidden: name and selector are mutually exclusive",
        "spec.paramRef.selector": "Forbidden: name and selector are mutually exclusive",
        "spec.paramRef.parameterNotFoundAction": (
            'Unsupported value: "Maybe": supported values: "Deny", "Allow"'
        ),
    }


def test_conditions_of_webhooks_are_compiled() -> None:
    hook = {
        "name": "a.b.c",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": "https://example.com"},
        "matchConditions": [
            {"name": "good", "expression": "request.userInfo.username != 'system:admin'"},
            {"name": "bad", "expression": "object.metadata.name"},
        ],
    }
    assert problems(Webhooks(), {"webhooks": [hook]}) == {
        "webhooks[0].matchConditions[1].expression": (
            'Invalid value: "object.metadata.name": must evaluate to bool but got dyn'
        )
    }
