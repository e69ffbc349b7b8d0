"""Validation of what webhooks and policies have in common: rules, selectors, match conditions."""

from collections.abc import Sequence

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import path_segment_errors, qualified_name_errors
from server.registry.causes import duplicate, invalid, invalids, not_supported, required, too_many
from server.registry.groups.admissionregistration.expressions import match_causes

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_MOST_CONDITIONS = 64


def default_rules(rules: Sequence[Object] | None) -> None:
    for rule in rules or ():
        rule.setdefault("scope", "*")


def rule_causes(field: str, rule: Object) -> list[Cause]:
    """A rule with operations; one with names of objects, too."""
    causes = _name_causes(f"{field}.resourceNames", rule.get("resourceNames") or [])
    operations = rule.get("operations") or []
    causes += _list_causes(f"{field}.operations", operations, "operations")
    causes += [
        not_supported(f"{field}.operations[{position}]", each, _OPERATIONS)
        for position, each in enumerate(operations)
        if each not in _OPERATIONS
    ]
    causes += _list_causes(f"{field}.apiGroups", rule.get("apiGroups") or [], "API groups")
    versions = rule.get("apiVersions") or []
    causes += _list_causes(f"{field}.apiVersions", versions, "API versions")
    causes += [
        required(f"{field}.apiVersions[{position}]") for position, each in enumerate(versions) if not each
    ]
    causes += _resource_causes(f"{field}.resources", rule.get("resources") or [])
    scope = rule.get("scope")
    return causes + ([] if scope in (None, *_SCOPES) else [not_supported(f"{field}.scope", scope, _SCOPES)])


def _list_causes(field: str, values: Sequence[str], noun: str) -> list[Cause]:
    if not values:
        return [required(field)]
    if len(values) > 1 and "*" in values:
        return [invalid(field, values, f"if '*' is present, must not specify other {noun}")]
    return []


def _name_causes(field: str, names: Sequence[str]) -> list[Cause]:
    causes: list[Cause] = []
    for position, name in enumerate(names):
        causes += invalids(f"{field}[{position}]", name, path_segment_errors(name))
        if name in names[:position]:
            causes.append(duplicate(f"{field}[{position}]", name))
    return causes


def _resource_causes(field: str, resources: Sequence[str]) -> list[Cause]:
    causes = [] if resources else [required(field)]
    whole: set[str] = set()
    everywhere: set[str] = set()
    for position, each in enumerate(resources):
        where = f"{field}[{position}]"
        resource, slash, subresource = each.partition("/")
        if not each:
            causes.append(required(where))
        if not slash:
            continue
        if resource in whole:
            causes.append(invalid(where, each, f"if '{resource}/*' is present, must not specify {each}"))
        if subresource in everywhere:
            causes.append(invalid(where, each, f"if '*/{subresource}' is present, must not specify {each}"))
        whole |= {resource} if subresource == "*" else set()
        everywhere |= {subresource} if resource == "*" else set()
    if len(resources) > 1 and "*/*" in resources:
        causes.append(invalid(field, resources, "if '*/*' is present, must not specify other resources"))
    plain = [each for each in resources if each and "/" not in each]
    if "*" in plain and plain[-1] != "*":
        why = "if '*' is present, must not specify other resources without subresources"
        causes.append(invalid(field, resources, why))
    return causes


def condition_causes(field: str, conditions: Sequence[Object], *, params: bool = False) -> list[Cause]:
    """Match conditions; with `params` their expressions may speak of a policy's parameters."""
    causes: list[Cause] = []
    if len(conditions) > _MOST_CONDITIONS:
        causes.append(too_many(field, len(conditions), _MOST_CONDITIONS))
    names: set[str] = set()
    for position, each in enumerate(conditions):
        where, name = f"{field}[{position}]", each.get("name") or ""
        if not (expression := (each.get("expression") or "").strip()):
            causes.append(required(f"{where}.expression"))
        else:
            causes += match_causes(f"{where}.expression", expression, params=params)
        if not name:
            causes.append(required(f"{where}.name"))
            continue
        causes += invalids(f"{where}.name", name, qualified_name_errors(name))
        causes += [duplicate(f"{where}.name", name)] if name in names else []
        names.add(name)
    return causes
