"""The tables as objects: every default Role, ClusterRole and binding, as it is stored when missing."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kubeling.objects.meta import Object
from server.auth.policy import namespace_roles
from server.auth.policy.cluster_roles import AGGREGATE_TO, AGGREGATED, BINDINGS, CLUSTER_ROLES
from server.auth.policy.controller_roles import CONTROLLERS, PREFIX
from server.auth.policy.rule_text import rules

GROUP = "rbac.authorization.k8s.io"
AUTO_UPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"


class Default(NamedTuple):
    """One object with where it belongs."""

    plural: str
    namespace: str
    obj: Object

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"])


def defaults() -> Iterator[Default]:
    """All of them, roles before the bindings that name them."""
    for name, lines in CLUSTER_ROLES.items():
        yield Default("clusterroles", "", _cluster_role(name, lines))
    for name in AGGREGATED:
        yield Default("clusterroles", "", _aggregated(name))
    for name, lines in CONTROLLERS.items():
        yield Default("clusterroles", "", _cluster_role(PREFIX + name, lines))
    for (namespace, name), lines in namespace_roles.ROLES.items():
        role = _object("Role", name, namespace) | {"rules": rules(lines)}
        yield Default("roles", namespace, role)
    yield from _bindings()


def _bindings() -> Iterator[Default]:
    for name, subjects in BINDINGS.items():
        yield Default("clusterrolebindings", "", _binding("ClusterRole", name, name, subjects))
    for name in CONTROLLERS:
        subject = f"ServiceAccount kube-system/{name}"
        role = PREFIX + name
        yield Default("clusterrolebindings", "", _binding("ClusterRole", role, role, [subject]))
    for (namespace, name), subjects in namespace_roles.BINDINGS.items():
        role = namespace_roles.ROLE_OF.get(name, name)
        yield Default("rolebindings", namespace, _binding("Role", name, role, subjects, namespace))


def _object(kind: str, name: str, namespace: str = "") -> Object:
    metadata: Object = {
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {AUTO_UPDATE: "true"},
    }
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata}


def _cluster_role(name: str, lines: Iterable[str]) -> Object:
    role = _object("ClusterRole", name) | {"rules": rules(lines)}
    _label(role, name)
    return role


def _aggregated(name: str) -> Object:
    role = _object("ClusterRole", name)
    _label(role, name)
    role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {_AGGREGATE + name: "true"}}]}
    return role


def _label(role: Object, name: str) -> None:
    if name in AGGREGATE_TO:
        role["metadata"]["labels"][_AGGREGATE + AGGREGATE_TO[name]] = "true"


def _binding(kind: str, name: str, role: str, subjects: Iterable[str], namespace: str = "") -> Object:
    binding = _object("RoleBinding" if namespace else "ClusterRoleBinding", name, namespace)
    binding["roleRef"] = {"apiGroup": GROUP, "kind": kind, "name": role}
    listed = [_subject(each) for each in subjects]
    return binding | ({"subjects": listed} if listed else {})


def _subject(text: str) -> Object:
    kind, _, name = text.partition(" ")
    if kind == "ServiceAccount":
        namespace, _, account = name.partition("/")
        return {"kind": kind, "name": account, "namespace": namespace}
    return {"apiGroup": GROUP, "kind": kind, "name": name}
