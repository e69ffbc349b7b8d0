"""One rule of a schema, compiled: what it says of a value, and what its evaluation costs."""

from dataclasses import dataclass
from typing import Any

from kubeling.objects.errors import Cause
from server.cel.cost import PER_CALL, ZERO, Range
from server.cel.environment import Environment
from server.cel.errors import CompileError, CostExceeded, EvaluationError
from server.cel.estimate import estimate
from server.cel.program import Program
from server.cel.types import Decl, optional_of
from server.cel.values import NONE, Optional
from server.schema import causes
from server.schema.custom.field_paths import FieldPathError, field_path
from server.schema.patience import Laborious, patience

Schema = dict[str, Any]

_LONGEST_MESSAGE = 5120
_EXHAUSTED = "validation failed due to running out of cost budget, no further validation rules will be run"
_MISMATCH = "call arguments did not match a supported operator, function or macro signature for rule"


class BudgetExceeded(Exception):
    """No further rule of the object is looked at."""

    def __init__(self, found: list[Cause]) -> None:
        super().__init__()
        self.found = found


@dataclass(slots=True)
class Rule:
    """`error` and `message_error` say why an expression could not be compiled."""

    text: str
    told: str
    """The rule's message, or the rule itself."""
    message: str
    reason: str
    field: str
    """Where its errors point to, below the value."""
    program: Program | None
    messages: Program | None
    uses_old: bool
    optional_old: bool
    error: str = ""
    message_error: str = ""
    cost: Range = ZERO
    message_cost: Range = ZERO


def compiled_rule(found: Schema, schema: Schema, decl: Decl) -> Rule:
    """A rule of a schema whose values are declared so."""
    text, message = (found.get("rule") or "").strip(), (found.get("message") or "").strip()
    optional = bool(found.get("optionalOldSelf"))
    old = Decl(optional_of(decl.type)) if optional else decl
    variables = {"self": decl, "oldSelf": old}
    environment = Environment(variables)
    rule = Rule(text, message or text, message, found.get("reason") or "", "", None, None, False, optional)
    if found.get("fieldPath"):
        try:
            rule.field = field_path(found["fieldPath"], schema)
        except FieldPathError:
            rule.field = ""
    try:
        checked = environment.check(found.get("rule") or "")
        rule.uses_old = "oldSelf" in checked.used
        rule.cost = estimate(checked, variables)
        if checked.type.name not in ("bool",):
            rule.error = "cel expression must evaluate to a bool"
        else:
            rule.program = environment.program(checked)
    except CompileError as error:
        rule.error = f"compilation failed: {error}"
    if rule.program is not None and (found.get("messageExpression") or "").strip():
        _add_messages(rule, found["messageExpression"], environment, variables)
    return rule


def _add_messages(rule: Rule, text: str, environment: Environment, variables: dict[str, Decl]) -> None:
    try:
        checked = environment.check(text)
    except CompileError as error:
        rule.message_error = f"messageExpression compilation failed: {error}"
        return
    if checked.type.name != "string":
        rule.message_error = "messageExpression must evaluate to a string"
        return
    rule.message_cost = estimate(checked, variables)
    rule.messages = environment.program(checked)


class Evaluation:
    """The rules of one object, with the budget that they share."""

    __slots__ = ("budget", "found", "left")

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.left = patience()
        self.found: list[Cause] = []

    def evaluate(self, program: Program, variables: dict[str, Any]) -> tuple[Any, int]:
        """The value and its cost. Raises Laborious."""
        result, cost = program.evaluate(variables, min(PER_CALL, self.left))
        self.left -= cost
        if self.left < 0:
            raise Laborious
        return result, cost

    def stop(self, cause: Cause) -> None:
        self.found.append(cause)
        raise BudgetExceeded(self.found)

    def check(
        self, rule: Rule, variables: tuple[Any, Any], value: Any, *, path: str, kind: str, absent: Any
    ) -> Cause | None:
        """What the rule says of a value, unless it holds; errors of evaluation are added at once.

        `variables` are the value and the old value as rules see them.

        Raises:
            BudgetExceeded: with all that was found.
            Laborious: it takes longer than there is patience for.
        """
        if rule.program is None:
            self.found.append(_invalid(path, kind, f"rule compile error: {rule.error}"))
            return None
        current, old = variables
        if rule.uses_old and old is absent and not rule.optional_old:
            return None
        if rule.optional_old:
            old = NONE if old is absent else Optional(True, old)
        named = {"self": current, "oldSelf": old}
        result, cost = self.evaluate(rule.program, named)
        if cost > self.budget:
            self.stop(_invalid(path, kind, _EXHAUSTED))
        self.budget -= cost
        if result is True:
            return None
        if isinstance(result, EvaluationError):
            self._failed(rule, result, path=path, kind=kind)
            return None
        return self._refusal(rule, named, value, path=path, kind=kind)

    def _failed(self, rule: Rule, error: EvaluationError, *, path: str, kind: str) -> None:
        if isinstance(error, CostExceeded):
            detail = (
                f"'{error}': no further validation rules will be run due to call cost exceeds limit for rule:"
                f" {rule.told}"
            )
            self.stop(_invalid(path, kind, detail))
        if str(error).startswith("no such overload"):
            self.found.append(_invalid(path, kind, f"'{error}': {_MISMATCH}: {rule.told}"))
        else:
            self.found.append(_invalid(path, kind, f"{error} evaluating rule: {rule.told}"))

    def _refusal(self, rule: Rule, variables: dict[str, Any], value: Any, *, path: str, kind: str) -> Cause:
        detail = self._message(rule, variables, path=path, kind=kind)
        where = f"{path}{rule.field}".removeprefix(".") or causes.NOWHERE
        shown = kind not in ("object", "array")
        match rule.reason:
            case "FieldValueForbidden":
                return causes.forbidden(where, detail)
            case "FieldValueRequired":
                return causes.required(where, detail)
            case "FieldValueDuplicate":
                return causes.duplicate(where, value) if shown else causes.duplicate_here(where)
        return causes.invalid(where, value, detail) if shown else causes.invalid_here(where, detail)

    def _message(self, rule: Rule, variables: dict[str, Any], *, path: str, kind: str) -> str:
        default = rule.message or f"failed rule: {rule.text}"
        if rule.messages is None:
            return default
        result, cost = self.evaluate(rule.messages, variables)
        if cost > self.budget or isinstance(result, CostExceeded):
            over = "messageExpression evaluation failed due to running out of cost budget, no further"
            self.stop(_invalid(path, kind, f"{over} validation rules will be run"))
        self.budget -= cost
        text = result.strip() if isinstance(result, str) else ""
        return text if text and "\n" not in text and len(text.encode()) <= _LONGEST_MESSAGE else default


def _invalid(path: str, kind: str, detail: str) -> Cause:
    return causes.invalid(path.removeprefix(".") or causes.NOWHERE, kind, detail)
