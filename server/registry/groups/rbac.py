"""The kinds of rbac.authorization.k8s.io."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import path_segment_errors, subdomain_errors
from server.registry.causes import invalid, invalids, required, unsupported
from server.registry.columns import AGE, columns, object_age, wide
from server.registry.groups.core.label_selector_validation import label_selector_causes
from server.registry.groups.plain import PathNamed
from server.registry.kind import Kind

_GROUP = "rbac.authorization.k8s.io"
_SUBJECTS = ("ServiceAccount", "User", "Group")


class Roles(PathNamed):
    def default(self, obj: Object) -> None:
        obj.setdefault("rules", None)

    def validate(self, obj: Object) -> list[Cause]:
        causes: list[Cause] = []
        for position, rule in enumerate(obj.get("rules") or ()):
            causes += self._rule_causes(f"rules[{position}]", rule)
        return causes

    def _rule_causes(self, field: str, rule: Object) -> list[Cause]:
        causes = (
            [] if rule.get("verbs") else [required(f"{field}.verbs", "verbs must contain at least one value")]
        )
        if rule.get("nonResourceURLs"):
            return causes + self._url_causes(f"{field}.nonResourceURLs", rule)
        if not rule.get("apiGroups"):
            why = "resource rules must supply at least one api group"
            causes.append(required(f"{field}.apiGroups", why))
        if not rule.get("resources"):
            why = "resource rules must supply at least one resource"
            causes.append(required(f"{field}.resources", why))
        return causes

    def _url_causes(self, field: str, rule: Object) -> list[Cause]:
        why = "namespaced rules cannot apply to non-resource URLs"
        return [invalid(field, rule["nonResourceURLs"], why), *_mixture_causes(field, rule)]


class ClusterRoles(Roles):
    def validate(self, obj: Object) -> list[Cause]:
        causes = super().validate(obj)
        if obj.get("aggregationRule") is None:
            return causes
        field = "aggregationRule.clusterRoleSelectors"
        selectors = obj["aggregationRule"].get("clusterRoleSelectors") or ()
        if not selectors:
            why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
            causes.append(required(field, why))
        for position, selector in enumerate(selectors):
            causes += label_selector_causes(f"{field}[{position}]", selector)
        return causes

    def _url_causes(self, field: str, rule: Object) -> list[Cause]:
        return _mixture_causes(field, rule)


def _mixture_causes(field: str, rule: Object) -> list[Cause]:
    if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
        why = "rules cannot apply to both regular resources and non-resource URLs"
        return [invalid(field, rule["nonResourceURLs"], why)]
    return []


class Bindings(PathNamed):
    columns = columns("Role", AGE, wide("Users"), wide("Groups"), wide("ServiceAccounts"))

    def default(self, obj: Object) -> None:
        reference = obj.get("roleRef")
        if reference is not None and not reference.get("apiGroup"):
            reference["apiGroup"] = _GROUP
        for subject in obj.get("subjects") or ():
            if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
                subject["apiGroup"] = _GROUP

    def validate(self, obj: Object) -> list[Cause]:
        reference = obj.get("roleRef") or {}
        group, kind, name = (reference.get(key) or "" for key in ("apiGroup", "kind", "name"))
        supported = self._role_kinds()
        causes = [] if group == _GROUP else [unsupported("roleRef.apiGroup", group, (_GROUP,))]
        if kind not in supported:
            causes.append(unsupported("roleRef.kind", kind, supported))
        if name:
            causes += invalids("roleRef.name", name, path_segment_errors(name))
        else:
            causes.append(required("roleRef.name"))
        for position, subject in enumerate(obj.get("subjects") or ()):
            causes += _subject_causes(f"subjects[{position}]", subject, namespaced=len(supported) > 1)
        return causes

    def _role_kinds(self) -> tuple[str, ...]:
        return ("Role", "ClusterRole")

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        if obj.get("roleRef") == old.get("roleRef"):
            return []
        return [invalid("roleRef", obj.get("roleRef"), "cannot change roleRef")]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        reference = obj.get("roleRef") or {}
        return [
            meta.name(obj),
            f"{reference.get('kind')}/{reference.get('name')}",
            object_age(obj, now),
            _subjects(obj, "User"),
            _subjects(obj, "Group"),
            _subjects(obj, "ServiceAccount"),
        ]


class ClusterBindings(Bindings):
    def _role_kinds(self) -> tuple[str, ...]:
        return ("ClusterRole",)


def _subject_causes(field: str, subject: Object, *, namespaced: bool) -> list[Cause]:
    kind, group, name = (subject.get(key) or "" for key in ("kind", "apiGroup", "name"))
    causes = [] if name else [required(f"{field}.name")]
    if kind not in _SUBJECTS:
        return [*causes, unsupported(f"{field}.kind", kind, _SUBJECTS)]
    expected = "" if kind == "ServiceAccount" else _GROUP
    if kind == "ServiceAccount" and name:
        causes += invalids(f"{field}.name", name, subdomain_errors(name))
    if group != expected:
        causes.append(unsupported(f"{field}.apiGroup", group, (expected,)))
    if kind == "ServiceAccount" and not namespaced and not subject.get("namespace"):
        causes.append(required(f"{field}.namespace"))
    return causes


def _subjects(obj: Object, kind: str) -> str:
    found = [each for each in obj.get("subjects") or () if each.get("kind") == kind]
    if kind == "ServiceAccount":
        return ", ".join(f"{each.get('namespace', '')}/{each.get('name', '')}" for each in found)
    return ", ".join(each.get("name", "") for each in found)


KINDS = (
    Kind(_GROUP, "ClusterRoleBinding", "clusterrolebindings", ClusterBindings(), namespaced=False),
    Kind(_GROUP, "ClusterRole", "clusterroles", ClusterRoles(), namespaced=False),
    Kind(_GROUP, "RoleBinding", "rolebindings", Bindings()),
    Kind(_GROUP, "Role", "roles", Roles()),
)
