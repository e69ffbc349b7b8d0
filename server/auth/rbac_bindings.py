"""The RoleBindings and ClusterRoleBindings by subject, kept up with the store.

Nothing is told of writes: each question first compares the store's lists with those seen last, which are the
same objects as long as nothing was written to them. So an answer is never older than the store.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from server.registry.context import UserInfo
from server.storage.record import Record

GROUP = "rbac.authorization.k8s.io"
ROLES, CLUSTER_ROLES = f"roles.{GROUP}", f"clusterroles.{GROUP}"
BINDINGS, CLUSTER_BINDINGS = f"rolebindings.{GROUP}", f"clusterrolebindings.{GROUP}"
_WATCHED = (CLUSTER_BINDINGS, BINDINGS, CLUSTER_ROLES, ROLES)

Subject = tuple[str, str]
"""`User` or `Group`, and the name; a ServiceAccount is a User."""


class Objects(Protocol):
    """The store, or a fake of it."""

    @property
    def revision(self) -> int: ...

    def get(self, resource: str, namespace: str, name: str) -> Record | None: ...

    def list(self, resource: str, namespace: str | None = None) -> Sequence[Record]: ...


class Bound(NamedTuple):
    """A role that a subject has."""

    binding: str
    position: int
    """The subject's place in the binding: of several that fit a user the first counts."""
    namespace: str
    """The binding's; "" for a ClusterRoleBinding."""
    role_kind: str
    role: str
    subject: str
    """As it stands in reasons: `User "bob"`."""

    def described(self) -> str:
        binding = (
            f'RoleBinding "{self.binding}/{self.namespace}"'
            if self.namespace
            else f'ClusterRoleBinding "{self.binding}"'
        )
        return f'{binding} of {self.role_kind} "{self.role}" to {self.subject}'


class Bindings:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._revision = -1
        self._seen: list[Sequence[Record]] = [()] * len(_WATCHED)
        self._indexed: dict[str, dict[tuple[str, str], Record]] = {CLUSTER_BINDINGS: {}, BINDINGS: {}}
        self._bound: dict[tuple[str, Subject], list[Bound]] = defaultdict(list)

    def refresh(self) -> bool:
        """Catch up with the store; whether any role or binding has changed since the last call."""
        revision = self._objects.revision
        if revision == self._revision:
            return False
        self._revision = revision
        found = [self._objects.list(resource) for resource in _WATCHED]
        if all(new is old for new, old in zip(found, self._seen, strict=True)):
            return False
        for resource, new, old in zip(_WATCHED, found, self._seen, strict=True):
            if new is not old and resource in self._indexed:
                self._reindex(self._indexed[resource], new)
        self._seen = found
        return True

    def of(self, user: UserInfo, namespace: str) -> list[Bound]:
        """The user's roles: those of the cluster, then those of the namespace unless that is "".

        In the order of the bindings' names.
        """
        subjects: list[Subject] = [("User", user.name), *(("Group", group) for group in user.groups)]
        found = self._of(subjects, "")
        return found + self._of(subjects, namespace) if namespace else found

    def _of(self, subjects: Sequence[Subject], namespace: str) -> list[Bound]:
        found = sorted(bound for subject in subjects for bound in self._bound.get((namespace, subject), ()))
        return list({bound.binding: bound for bound in reversed(found)}.values())[::-1]

    def _reindex(self, known: dict[tuple[str, str], Record], records: Sequence[Record]) -> None:
        current = {(record.namespace, record.name): record for record in records}
        for key, record in list(known.items()):
            if current.get(key) is not record:
                self._remove(known.pop(key))
        for key, record in current.items():
            if key not in known:
                known[key] = record
                for subject, bound in _bounds(record):
                    self._bound[record.namespace, subject].append(bound)

    def _remove(self, record: Record) -> None:
        for subject, _ in _bounds(record):
            key = (record.namespace, subject)
            left = [each for each in self._bound[key] if each.binding != record.name]
            if left:
                self._bound[key] = left
            else:
                del self._bound[key]


def _bounds(record: Record) -> Iterator[tuple[Subject, Bound]]:
    """Whom a binding binds; each subject once."""
    binding, done = record.copy(), set()
    role = binding.get("roleRef") or {}
    kind, name = role.get("kind", ""), role.get("name", "")
    for position, subject in enumerate(binding.get("subjects") or ()):
        key = _key(subject, record.namespace)
        if key is not None and key not in done:
            done.add(key)
            shown = _shown(subject, record.namespace)
            yield key, Bound(record.name, position, record.namespace, kind, name, shown)


def _key(subject: Mapping[str, Any], namespace: str) -> Subject | None:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    if kind in ("User", "Group"):
        return kind, name
    namespace = subject.get("namespace") or namespace
    if kind == "ServiceAccount" and namespace:
        return "User", f"system:serviceaccount:{namespace}:{name}"
    return None


def _shown(subject: Mapping[str, Any], namespace: str) -> str:
    name = subject.get("name", "")
    if subject.get("kind") == "ServiceAccount":
        name = f"{name}/{subject.get('namespace') or namespace}"
    return f'{subject.get("kind")} "{name}"'
