"""Admission policies and their bindings."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import (
    label_1035_errors,
    path_segment_errors,
    qualified_name_errors,
    subdomain_errors,
)
from server.cel.tokens import RESERVED
from server.registry.causes import (
    duplicate,
    forbidden,
    invalid,
    invalids,
    not_supported,
    required,
    unsupported,
)
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.admissionregistration.expressions import (
    BOOL,
    OBJECT,
    PATCHES,
    TEXT,
    TEXT_OR_NULL,
    Composition,
)
from server.registry.groups.admissionregistration.rules import condition_causes, default_rules, rule_causes
from server.registry.groups.core.label_selector_validation import label_selector_causes
from server.registry.strategy import Strategy

_FAILURE, _MATCH, _AGAIN = ("Fail", "Ignore"), ("Equivalent", "Exact"), ("Never", "IfNeeded")
_MUTABLE = ("CREATE", "UPDATE")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
_ACTIONS, _PATCHES = ("Audit", "Deny", "Warn"), ("ApplyConfiguration", "JSONPatch")
_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_WORDS = RESERVED | {"true", "false", "null", "in"}
_MOST_ANNOTATIONS, _LONGEST_VALUE = 20, 5 * 1024
_EITHER = "validations or auditAnnotations must contain at least one item"
_EXCLUSIVE = "name and selector are mutually exclusive"
_REPEATED = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API"
    " response and headers serves no purpose)"
)


def _default_match(match: Object | None) -> None:
    if match is None:
        return
    match.setdefault("matchPolicy", "Equivalent")
    match.setdefault("namespaceSelector", {})
    match.setdefault("objectSelector", {})
    default_rules(match.get("resourceRules"))
    default_rules(match.get("excludeResourceRules"))


class Policies(Strategy):
    has_generation = True
    columns = columns(Column("Validations", "integer"), "ParamKind", AGE)
    steps = "validations"

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("failurePolicy", "Fail")
        _default_match(spec.get("matchConstraints"))

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        causes: list[Cause] = []
        if spec["failurePolicy"] not in _FAILURE:
            causes.append(not_supported("spec.failurePolicy", spec["failurePolicy"], _FAILURE))
        if (kind := spec.get("paramKind")) is not None:
            causes += _param_kind_causes("spec.paramKind", kind)
        causes += _constraint_causes("spec.matchConstraints", spec.get("matchConstraints"))
        causes += condition_causes(
            "spec.matchConditions", spec.get("matchConditions") or [], params=kind is not None
        )
        composition = Composition(spec, patches=self.steps == "mutations")
        causes += _variable_causes("spec.variables", spec.get("variables") or [], composition)
        return causes + self.step_causes(obj, composition)

    def step_causes(self, obj: Object, composition: Composition) -> list[Cause]:
        spec = obj["spec"]
        checks, notes = spec.get("validations") or [], spec.get("auditAnnotations") or []
        if not checks and not notes:
            return [required(f"spec.{name}", _EITHER) for name in ("validations", "auditAnnotations")]
        causes: list[Cause] = []
        for position, each in enumerate(checks):
            causes += _check_causes(f"spec.validations[{position}]", each, composition)
        return causes + _annotation_causes("spec.auditAnnotations", meta.name(obj), notes, composition)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        kind = spec.get("paramKind")
        shown = f"{kind.get('apiVersion')}/{kind.get('kind')}" if kind else "<unset>"
        return [meta.name(obj), len(spec.get(self.steps) or []), shown, object_age(obj, now)]


class MutatingPolicies(Policies):
    columns = columns(Column("Mutations", "integer"), "ParamKind", AGE)
    steps = "mutations"

    def step_causes(self, obj: Object, composition: Composition) -> list[Cause]:
        spec = obj["spec"]
        field, changes, again = "spec.mutations", spec.get("mutations") or [], spec.get("reinvocationPolicy")
        causes = _mutable_causes("spec.matchConstraints", spec.get("matchConstraints"))
        if not changes:
            causes.append(required(field, "mutations must contain at least one item"))
        for position, each in enumerate(changes):
            causes += _mutation_causes(f"{field}[{position}]", each, composition)
        if not again:
            causes.append(required("spec.reinvocationPolicy"))
        elif again not in _AGAIN:
            causes.append(unsupported("spec.reinvocationPolicy", again, _AGAIN))
        return causes


class Bindings(Strategy):
    has_generation = True
    columns = columns("PolicyName", "ParamRef", AGE)

    def default(self, obj: Object) -> None:
        _default_match(obj.setdefault("spec", {}).get("matchResources"))

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        name = spec.get("policyName") or ""
        causes = (
            invalids("spec.policyName", name, subdomain_errors(name))
            if name
            else [required("spec.policyName")]
        )
        if (param := spec.get("paramRef")) is not None:
            causes += _param_ref_causes("spec.paramRef", param)
        if (match := spec.get("matchResources")) is not None:
            causes += _match_causes("spec.matchResources", match)
        return causes

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        return [
            meta.name(obj),
            spec.get("policyName", ""),
            _param_shown(spec.get("paramRef")),
            object_age(obj, now),
        ]


class MutatingBindings(Bindings):
    def validate(self, obj: Object) -> list[Cause]:
        match = obj["spec"].get("matchResources")
        return super().validate(obj) + _mutable_causes("spec.matchResources", match)


class ValidatingBindings(Bindings):
    def validate(self, obj: Object) -> list[Cause]:
        return super().validate(obj) + _action_causes(
            "spec.validationActions", obj["spec"].get("validationActions") or []
        )


def _param_shown(param: Object | None) -> str:
    if param is None:
        return "<unset>"
    if name := param.get("name"):
        return f"{param['namespace']}/{name}" if param.get("namespace") else f"*/{name}"
    return "<unset>" if param.get("selector") is None else "<selector>"


def _param_kind_causes(field: str, kind: Object) -> list[Cause]:
    version, name = kind.get("apiVersion") or "", kind.get("kind") or ""
    causes: list[Cause] = []
    if not version:
        causes.append(required(f"{field}.apiVersion"))
    elif version.count("/") > 1:
        why = f"unexpected GroupVersion string: {version}"
        causes.append(invalid(f"{field}.apiVersion", version, why))
    else:
        group, _, short = version.rpartition("/")
        if group and (errors := subdomain_errors(group)):
            causes.append(invalid(f"{field}.apiVersion", group, ",".join(errors)))
        if not short:
            causes.append(invalid(f"{field}.apiVersion", version, "version must be specified"))
        elif errors := label_1035_errors(short):
            causes.append(invalid(f"{field}.apiVersion", short, ",".join(errors)))
    if not name:
        causes.append(required(f"{field}.kind"))
    elif errors := label_1035_errors(name.lower()):
        why = f"may have mixed case, but should otherwise match: {','.join(errors)}"
        causes.append(invalid(f"{field}.kind", name, why))
    return causes


def _constraint_causes(field: str, match: Object | None) -> list[Cause]:
    if match is None:
        return [required(field)]
    causes = _match_causes(field, match)
    return causes if match.get("resourceRules") else [*causes, required(f"{field}.resourceRules")]


def _mutable_causes(field: str, match: Object | None) -> list[Cause]:
    """Only what is created or updated can be changed on its way."""
    return [
        not_supported(f"{field}.resourceRules.operations", each, _MUTABLE)
        for rule in (match or {}).get("resourceRules") or ()
        for each in rule.get("operations") or ()
        if each not in _MUTABLE
    ]


def _match_causes(field: str, match: Object) -> list[Cause]:
    causes: list[Cause] = []
    if match["matchPolicy"] not in _MATCH:
        causes.append(not_supported(f"{field}.matchPolicy", match["matchPolicy"], _MATCH))
    for name in ("namespaceSelector", "objectSelector"):
        causes += label_selector_causes(f"{field}.{name}", match.get(name))
    for name in ("resourceRules", "excludeResourceRules"):
        for position, rule in enumerate(match.get(name) or ()):
            causes += rule_causes(f"{field}.{name}[{position}]", rule)
    return causes


def _variable_causes(field: str, variables: Iterable[Object], composition: Composition) -> list[Cause]:
    causes: list[Cause] = []
    for position, each in enumerate(variables):
        where, name = f"{field}[{position}]", each.get("name") or ""
        if not name.strip():
            causes.append(required(f"{where}.name", "name is not specified"))
        elif not _IDENTIFIER.fullmatch(name) or name in _WORDS:
            causes.append(invalid(f"{where}.name", name, "name is not a valid CEL identifier"))
        expression = each.get("expression") or ""
        if not expression.strip():
            causes.append(required(f"{where}.expression", "expression is not specified"))
        elif problem := composition.declare(name, expression):
            causes.append(invalid(f"{where}.expression", expression, problem))
    return causes


def _compiled_causes(
    field: str, expression: str, results: Iterable[str], composition: Composition, *, authorizer: bool = True
) -> list[Cause]:
    problem = composition.problem(expression, results, authorizer=authorizer)
    return [invalid(field, expression, problem)] if problem else []


def _check_causes(field: str, each: Object, composition: Composition) -> list[Cause]:
    causes: list[Cause] = []
    message, telling = each.get("message") or "", each.get("messageExpression") or ""
    expression = each.get("expression") or ""
    if not expression.strip():
        causes.append(required(f"{field}.expression", "expression is not specified"))
    else:
        causes += _compiled_causes(f"{field}.expression", expression, BOOL, composition)
    where = f"{field}.messageExpression"
    if telling and not telling.strip():
        causes.append(invalid(where, telling, "must be non-empty if specified"))
    elif telling:
        causes += _compiled_causes(where, telling, TEXT, composition, authorizer=False)
    if message and not message.strip():
        causes.append(invalid(f"{field}.message", message, "message must be non-empty if specified"))
    elif "\n" in message.strip() or "\r" in message.strip():
        causes.append(invalid(f"{field}.message", message, "message must not contain line breaks"))
    reason = each.get("reason")
    if reason is not None and reason not in _REASONS:
        causes.append(not_supported(f"{field}.reason", reason, _REASONS))
    return causes


def _annotation_causes(
    field: str, policy: str, notes: Sequence[Object], composition: Composition
) -> list[Cause]:
    causes: list[Cause] = []
    if len(notes) > _MOST_ANNOTATIONS:
        why = f"must not have more than {_MOST_ANNOTATIONS} auditAnnotations"
        causes.append(invalid(field, notes, why))
    keys: set[str] = set()
    for position, each in enumerate(notes):
        where, key = f"{field}[{position}]", each.get("key") or ""
        causes += invalids(f"{where}.key", f"{policy}/{key}", qualified_name_errors(f"{policy}/{key}"))
        causes += _value_causes(f"{where}.valueExpression", each.get("valueExpression") or "", composition)
        causes += [duplicate(f"{where}.key", key)] if key in keys else []
        keys.add(key)
    return causes


def _value_causes(field: str, expression: str, composition: Composition) -> list[Cause]:
    trimmed = expression.strip()
    if not trimmed:
        return [required(field, "valueExpression is not specified")]
    if len(trimmed.encode()) > _LONGEST_VALUE:
        return [required(field, f"must not exceed {_LONGEST_VALUE} bytes in length")]
    problem = composition.problem(trimmed, TEXT_OR_NULL)
    return [invalid(field, expression, problem)] if problem else []


def _mutation_causes(field: str, each: Object, composition: Composition) -> list[Cause]:
    kind = each.get("patchType") or ""
    if not kind:
        return [required(f"{field}.patchType")]
    if kind not in _PATCHES:
        return [not_supported(f"{field}.patchType", kind, _PATCHES)]
    own, other = ("jsonPatch", "applyConfiguration")
    if kind == "ApplyConfiguration":
        own, other = other, own
    causes: list[Cause] = []
    if each.get(own) is None:
        causes.append(required(f"{field}.{own}", f"must be specified when patchType is {kind}"))
    elif not (expression := (each[own].get("expression") or "").strip()):
        causes.append(required(f"{field}.{own}.expression"))
    else:
        wanted = OBJECT if own == "applyConfiguration" else PATCHES
        causes += _compiled_causes(f"{field}.{own}.expression", expression, wanted, composition)
    if each.get(other) is not None:
        why = f"must not be specified when patchType is {kind}"
        causes.append(invalid(f"{field}.{other}", f"{{{other}}}", why))
    return causes


def _param_ref_causes(field: str, param: Object) -> list[Cause]:
    name, selector = param.get("name") or "", param.get("selector")
    action = param.get("parameterNotFoundAction")
    causes: list[Cause] = []
    if name:
        causes += invalids(f"{field}.name", name, path_segment_errors(name))
        if selector is not None:
            causes.append(forbidden(f"{field}.name", _EXCLUSIVE))
    causes += label_selector_causes(f"{field}.selector", selector)
    if name and selector is not None:
        causes.append(forbidden(f"{field}.selector", _EXCLUSIVE))
    if not name and selector is None:
        causes.append(required(field, "one of name or selector must be specified"))
    if not action:
        causes.append(required(f"{field}.parameterNotFoundAction"))
    elif action not in ("Allow", "Deny"):
        causes.append(unsupported(f"{field}.parameterNotFoundAction", action, ("Deny", "Allow")))
    return causes


def _action_causes(field: str, actions: Sequence[str]) -> list[Cause]:
    causes: list[Cause] = []
    for position, each in enumerate(actions):
        where = f"{field}[{position}]"
        if each not in _ACTIONS:
            causes.append(not_supported(where, each, _ACTIONS))
        if each in actions[:position]:
            causes.append(duplicate(where, each))
    if "Deny" in actions and "Warn" in actions:
        causes.append(invalid(field, actions, _REPEATED))
    return causes or ([] if actions else [required(field, "at least one validation action is required")])
