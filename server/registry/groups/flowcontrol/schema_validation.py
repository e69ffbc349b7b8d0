"""Validation of FlowSchemas."""

from collections.abc import Sequence

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, subdomain_errors
from server.registry.causes import forbidden, invalid, invalids, not_supported, required
from server.registry.groups.flowcontrol.bootstrap import MANDATORY

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_METHODS = ("ByNamespace", "ByUser")
_SUBJECTS = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}
_LEAST_URGENT = 10000
_NAMESPACE = "each member of this list must be '*' or a DNS-1123 label; "


def schema_causes(obj: Object) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = _precedence_causes(meta.name(obj), spec.get("matchingPrecedence", 0))
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in _METHODS:
        causes.append(not_supported("spec.distinguisherMethod.type", method, _METHODS))
    field, level = "spec.priorityLevelConfiguration.name", level_of(obj)
    if level:
        causes += invalids(field, level, subdomain_errors(level))
    else:
        causes.append(required(field, "must reference a priority level"))
    for position, rule in enumerate(spec.get("rules") or ()):
        causes += _rule_causes(f"spec.rules[{position}]", rule)
    fixed = MANDATORY["FlowSchema"].get(meta.name(obj))
    if fixed is not None and spec != fixed:
        why = f"spec of '{meta.name(obj)}' must equal the fixed value"
        causes.append(invalid("spec", spec, why))
    return causes


def level_of(obj: Object) -> str:
    """The name of the priority level that the schema leads to."""
    return str(((obj.get("spec") or {}).get("priorityLevelConfiguration") or {}).get("name", ""))


def _precedence_causes(name: str, value: int) -> list[Cause]:
    field = "spec.matchingPrecedence"
    if value <= 0:
        return [invalid(field, value, "must be a positive value")]
    if value > _LEAST_URGENT:
        return [invalid(field, value, f"must not be greater than {_LEAST_URGENT}")]
    if value == 1 and name != "exempt":
        return [invalid(field, value, "only the schema named 'exempt' may have matchingPrecedence 1")]
    return []


def _rule_causes(field: str, rule: Object) -> list[Cause]:
    subjects, causes = rule.get("subjects") or [], []
    if not subjects:
        causes.append(required(f"{field}.subjects", "subjects must contain at least one value"))
    for position, subject in enumerate(subjects):
        causes += _subject_causes(f"{field}.subjects[{position}]", subject)
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        why = "at least one of resourceRules and nonResourceRules has to be non-empty"
        causes.append(required(field, why))
    for position, each in enumerate(rule.get("resourceRules") or ()):
        causes += _resource_causes(f"{field}.resourceRules[{position}]", each)
    for position, each in enumerate(rule.get("nonResourceRules") or ()):
        causes += _url_rule_causes(f"{field}.nonResourceRules[{position}]", each)
    return causes


def _subject_causes(field: str, subject: Object) -> list[Cause]:
    kind = subject.get("kind", "")
    if kind not in _SUBJECTS:
        return [not_supported(f"{field}.kind", kind, _SUBJECTS)]
    own = _SUBJECTS[kind]
    given = subject.get(own)
    if given is None:
        causes = [required(f"{field}.{own}", f"{own} is required when subject kind is '{kind}'")]
    elif kind == "ServiceAccount":
        causes = _account_causes(f"{field}.{own}", given)
    else:
        causes = [] if given.get("name") else [required(f"{field}.{own}.name")]
    return causes + [
        forbidden(f"{field}.{name}", f"{name} is forbidden when subject kind is not '{other}'")
        for other, name in _SUBJECTS.items()
        if other != kind and subject.get(name) is not None
    ]


def _account_causes(field: str, account: Object) -> list[Cause]:
    name, namespace = account.get("name", ""), account.get("namespace", "")
    causes: list[Cause] = []
    if not name:
        causes.append(required(f"{field}.name"))
    elif name != "*":
        causes += invalids(f"{field}.name", name, subdomain_errors(name))
    if not namespace:
        causes.append(required(f"{field}.namespace", "must specify namespace for service account"))
    else:
        causes += invalids(f"{field}.namespace", namespace, label_errors(namespace))
    return causes


def _verb_causes(field: str, verbs: Sequence[str]) -> list[Cause]:
    if not verbs:
        return [required(field, "verbs must contain at least one value")]
    if "*" in verbs:
        return _alone(field, verbs, "verbs")
    return [] if set(verbs) <= set(_VERBS) else [not_supported(field, verbs, _VERBS)]


def _alone(field: str, values: Sequence[str], noun: str) -> list[Cause]:
    """A `*` stands for all and so stands alone."""
    if len(values) < 2 or "*" not in values:
        return []
    return [invalid(field, values, f"if '*' is present, must not specify other {noun}")]


def _resource_causes(field: str, rule: Object) -> list[Cause]:
    causes = _verb_causes(f"{field}.verbs", rule.get("verbs") or [])
    for name, noun in (("apiGroups", "api group"), ("resources", "resource")):
        values = rule.get(name) or []
        if values:
            causes += _alone(f"{field}.{name}", values, f"{noun}s")
        else:
            why = f"resource rules must supply at least one {noun}"
            causes.append(required(f"{field}.{name}", why))
    return causes + _namespace_causes(f"{field}.namespaces", rule)


def _namespace_causes(field: str, rule: Object) -> list[Cause]:
    namespaces = rule.get("namespaces") or []
    if not namespaces and not rule.get("clusterScope"):
        why = "resource rules that are not cluster scoped must supply at least one namespace"
        return [required(field, why)]
    if "*" in namespaces:
        return _alone(field, namespaces, "namespaces")
    return [
        invalid(f"{field}[{position}]", name, _NAMESPACE + why)
        for position, name in enumerate(namespaces)
        for why in label_errors(name)
    ]


def _url_rule_causes(field: str, rule: Object) -> list[Cause]:
    causes = _verb_causes(f"{field}.verbs", rule.get("verbs") or [])
    where, urls = f"{field}.nonResourceURLs", rule.get("nonResourceURLs") or []
    if not urls:
        causes.append(required(where, "nonResourceURLs must contain at least one value"))
    elif "*" in urls:
        causes += _alone(where, urls, "non-resource URLs")
    else:
        for position, url in enumerate(urls):
            causes += _url_causes(f"{where}[{position}]", url)
    return causes


def _url_causes(field: str, url: str) -> list[Cause]:
    if not url:
        return [invalid(field, url, "must not be empty")]
    if url == "/":
        return []
    if not url.startswith("/"):
        return [invalid(field, url, "must start with slash")]
    if " " in url:
        return [invalid(field, url, "must not contain white-space")]
    if "//" in url:
        return [invalid(field, url, "must not contain double slash")]
    if "*" not in url or (url.index("*") == len(url) - 1 and url[-2] == "/"):
        return []
    return [invalid(field, url, "wildcard can only do suffix matching")]
