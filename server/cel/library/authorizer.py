"""Kubernetes' authorizer: what a user may do, asked step by step. Only some uses have it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from server.cel.functions import Library

LIBRARY = Library()
_member = LIBRARY.member
_PACKAGE = "kubernetes.authorization"
AUTHORIZER, RESOURCE_CHECK = f"{_PACKAGE}.Authorizer", f"{_PACKAGE}.ResourceCheck"
_PATH, _GROUP, _DECISION = f"{_PACKAGE}.PathCheck", f"{_PACKAGE}.GroupCheck", f"{_PACKAGE}.Decision"


@dataclass(frozen=True, slots=True)
class Decision:
    type_name: ClassVar[str] = _DECISION
    allowed: bool
    reason: str = ""
    error: str = ""


Decide = Callable[["Check", str], Decision]
"""Answers a check for a verb."""


@dataclass(frozen=True, slots=True)
class Authorizer:
    type_name: ClassVar[str] = AUTHORIZER
    decide: Decide
    account: tuple[str, str] | None = None
    """Namespace and name of a service account that is asked for instead of the request's user."""


@dataclass(frozen=True, slots=True)
class Check:
    """What is asked for: a path, or a resource by its parts."""

    authorizer: Authorizer
    type_name: str
    parts: Mapping[str, str] = field(default_factory=dict)

    def having(self, **parts: str) -> "Check":
        return replace(self, parts={**self.parts, **parts})


def resource_check(authorizer: Authorizer, **parts: str) -> Check:
    """What the variable `authorizer.requestResource` is."""
    return Check(authorizer, RESOURCE_CHECK, parts)


_member("path", f"{AUTHORIZER}, string -> {_PATH}")(lambda who, path: Check(who, _PATH, {"path": path}))
_member("group", f"{AUTHORIZER}, string -> {_GROUP}")(lambda who, group: Check(who, _GROUP, {"group": group}))
_member("serviceAccount", f"{AUTHORIZER}, string, string -> {AUTHORIZER}")(
    lambda who, namespace, name: replace(who, account=(namespace, name))
)
_member("resource", f"{_GROUP}, string -> {RESOURCE_CHECK}")(
    lambda check, name: replace(check.having(resource=name), type_name=RESOURCE_CHECK)
)


def _refinement(name: str) -> Callable[[Check, str], Check]:
    return lambda check, text: check.having(**{name: text})


for _name in ("subresource", "namespace", "name", "fieldSelector", "labelSelector"):
    _member(_name, f"{RESOURCE_CHECK}, string -> {RESOURCE_CHECK}")(_refinement(_name))


def _decided(check: Check, verb: str) -> Any:
    return check.authorizer.decide(check, verb)


for _name in (_PATH, RESOURCE_CHECK):
    _member("check", f"{_name}, string -> {_DECISION}", cost="check")(_decided)

_member("allowed", f"{_DECISION} -> bool")(lambda decision: decision.allowed)
_member("reason", f"{_DECISION} -> string")(lambda decision: decision.reason)
_member("errored", f"{_DECISION} -> bool")(lambda decision: bool(decision.error))
_member("error", f"{_DECISION} -> string")(lambda decision: decision.error)
