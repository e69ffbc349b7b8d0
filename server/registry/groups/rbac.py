"""The kinds of rbac.authorization.k8s.io."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import forbidden, invalid, not_supported, required
from server.registry.columns import AGE, columns, object_age, wide
from server.registry.groups.plain import PathNamed
from server.registry.kind import Kind

_GROUP = "rbac.authorization.k8s.io"
_SUBJECTS = ("Group", "ServiceAccount", "User")


class Roles(PathNamed):
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
            return causes + self._url_causes(field, rule)
        if not rule.get("apiGroups"):
            why = "resource rules must supply at least one api group"
            causes.append(required(f"{field}.apiGroups", why))
        if not rule.get("resources"):
            why = "resource rules must supply at least one resource"
            causes.append(required(f"{field}.resources", why))
        return causes

    def _url_causes(self, field: str, rule: Object) -> list[Cause]:
        why = "namespaced rules cannot apply to non-resource URLs"
        return [forbidden(f"{field}.nonResourceURLs", why)]


class ClusterRoles(Roles):
    def _url_causes(self, field: str, rule: Object) -> list[Cause]:
        if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
            why = "rules cannot apply to both regular resources and non-resource URLs"
            return [forbidden(f"{field}.nonResourceURLs", why)]
        return []


class Bindings(PathNamed):
    columns = columns("Role", AGE, wide("Users"), wide("Groups"), wide("ServiceAccounts"))

    def default(self, obj: Object) -> None:
        reference = obj.get("roleRef")
        if reference is not None and not reference.get("apiGroup"):
            reference["apiGroup"] = _GROUP
        for subject in obj.get("subjects") or ():
            if subject.get("kind") in ("User", "Group"):
                subject.setdefault("apiGroup", _GROUP)

    def validate(self, obj: Object) -> list[Cause]:
        reference = obj.get("roleRef") or {}
        supported = self._role_kinds()
        causes = [] if reference.get("name") else [required("roleRef.name")]
        if reference.get("apiGroup") != _GROUP:
            causes.append(not_supported("roleRef.apiGroup", reference.get("apiGroup", ""), (_GROUP,)))
        if reference.get("kind") not in supported:
            causes.append(not_supported("roleRef.kind", reference.get("kind", ""), supported))
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
    causes = [] if subject.get("name") else [required(f"{field}.name")]
    if subject.get("kind") not in _SUBJECTS:
        causes.append(not_supported(f"{field}.kind", subject.get("kind", ""), _SUBJECTS))
    if subject.get("kind") == "ServiceAccount" and not namespaced and not subject.get("namespace"):
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
