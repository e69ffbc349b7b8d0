"""RBAC: a request is allowed when a rule of a role that the user has allows it.

For each user, with these groups and in that namespace, the rules are gathered once; per verb and resource the
rules that apply are found once more. All of it is forgotten when any role or binding changes.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from kubeling.objects.meta import Object
from server.auth.attributes import Attributes, Decision
from server.auth.rbac_bindings import CLUSTER_ROLES, ROLES, Bindings, Bound, Objects
from server.auth.rules import Rule, compiled
from server.registry.context import UserInfo

MOST_REMEMBERED = 65_536
"""Users in their namespaces and their questions, all together: strangers must not fill the memory."""
LONGEST_REMEMBERED = 512
"""Characters of a question, or of a user's name and namespace: nobody has longer ones often."""

_RULES = "rbac-rules"

Names = frozenset[str]
_Question = tuple[str, str, str, str]
_Key = tuple[str, tuple[str, ...], str]


class _Grant(NamedTuple):
    decision: Decision
    """What to answer when one of the rules allows the request."""
    rules: tuple[Rule, ...]


class _Memory:
    """How much is remembered."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def takes(self, texts: Iterable[str]) -> bool:
        """Whether something of these texts may be remembered; it then counts."""
        if sum(map(len, texts)) > LONGEST_REMEMBERED:
            return False
        self.count += 1
        return True


class _Rights:
    """What one user may do in one namespace, or ("") in the cluster."""

    __slots__ = ("_answers", "_grants", "_memory", "_paths", "_refusal")

    def __init__(self, grants: Sequence[_Grant], errors: Sequence[str], memory: _Memory) -> None:
        self._grants = grants
        self._memory = memory
        self._refusal = Decision(False, f"RBAC: {aggregated(errors)}" if errors else "")
        self._answers: dict[_Question, tuple[tuple[Names, Decision], ...]] = {}
        self._paths: dict[tuple[str, str], Decision] = {}

    def decide(self, request: Attributes) -> Decision:
        if not request.is_resource:
            return self._decide_path(request.verb, request.path)
        question = (request.verb, request.group, request.resource, request.subresource)
        answers = self._answers.get(question)
        if answers is None:
            answers = tuple(self._applying(*question))
            if self._memory.takes(question):
                self._answers[question] = answers
        for names, decision in answers:
            if not names or request.name in names:
                return decision
        return self._refusal

    def _applying(
        self, verb: str, group: str, resource: str, subresource: str
    ) -> Iterator[tuple[Names, Decision]]:
        """The names that are allowed (empty: all) with the decision, up to the first rule for all names."""
        for grant in self._grants:
            for rule in grant.rules:
                if rule.allows_verb(verb) and rule.allows_resource(group, resource, subresource):
                    yield rule.names, grant.decision
                    if not rule.names:
                        return

    def _decide_path(self, verb: str, path: str) -> Decision:
        known = self._paths.get((verb, path))
        if known is None:
            known = self._found_path(verb, path)
            if self._memory.takes((verb, path)):
                self._paths[verb, path] = known
        return known

    def _found_path(self, verb: str, path: str) -> Decision:
        for grant in self._grants:
            if any(rule.allows_verb(verb) and rule.allows_path(path) for rule in grant.rules):
                return grant.decision
        return self._refusal


class Rbac:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._bindings = Bindings(objects)
        self._rights: dict[_Key, _Rights] = {}
        self._memory = _Memory()

    def decide(self, request: Attributes) -> Decision:
        self._refresh()
        user = request.user
        key = (user.name, user.groups, request.namespace if request.is_resource else "")
        rights = self._rights.get(key)
        if rights is None:
            rights = self._gathered(user, key[2])
            if self._memory.takes((user.name, key[2])):
                self._rights[key] = rights
        return rights.decide(request)

    @property
    def remembered(self) -> int:
        """How many answers and users are remembered."""
        return self._memory.count

    def _refresh(self) -> None:
        """Forget all when a role or binding has changed, or when it has become too much."""
        if self._bindings.refresh() or self._memory.count >= MOST_REMEMBERED:
            self._rights.clear()
            self._memory = _Memory()

    def rules_for(self, user: UserInfo, namespace: str) -> tuple[list[Object], list[str]]:
        """The PolicyRules that the user has in the namespace ("": in the cluster), and which are missing."""
        self._refresh()
        rules: list[Object] = []
        errors: list[str] = []
        for bound in self._bindings.of(user, namespace):
            role = self.role(bound.role_kind, bound.role, bound.namespace)
            if role is None:
                errors.append(_not_found(bound))
            else:
                rules += role.get("rules") or ()
        return rules, errors

    def role(self, kind: str, name: str, namespace: str) -> Object | None:
        """The Role or ClusterRole that a roleRef in the namespace means."""
        if kind == "ClusterRole":
            record = self._objects.get(CLUSTER_ROLES, "", name)
        else:
            record = self._objects.get(ROLES, namespace, name) if kind == "Role" else None
        return record.obj if record is not None else None

    def _gathered(self, user: UserInfo, namespace: str) -> _Rights:
        grants: list[_Grant] = []
        errors: list[str] = []
        for bound in self._bindings.of(user, namespace):
            rules = self._rules(bound)
            if rules is None:
                errors.append(_not_found(bound))
            else:
                grants.append(_Grant(Decision(True, f"RBAC: allowed by {bound.described()}"), rules))
        return _Rights(grants, errors, self._memory)

    def _rules(self, bound: Bound) -> tuple[Rule, ...] | None:
        resource, namespace = (
            (CLUSTER_ROLES, "") if bound.role_kind == "ClusterRole" else (ROLES, bound.namespace)
        )
        record = self._objects.get(resource, namespace, bound.role)
        if record is None:
            return None
        rules: tuple[Rule, ...] | None = record.cache.get(_RULES)
        if rules is None:
            rules = record.cache[_RULES] = compiled(record.copy().get("rules"))
        return rules


def _not_found(bound: Bound) -> str:
    return f'{bound.role_kind.lower()}.rbac.authorization.k8s.io "{bound.role}" not found'


def aggregated(errors: Sequence[str]) -> str:
    """Several errors as upstream joins them, each once."""
    unique = list(dict.fromkeys(errors))
    return unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"
