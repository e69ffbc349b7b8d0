"""Expressions as closures over a `Run`, which holds the variables and counts the cost."""

from collections.abc import Callable
from typing import Any

from server.cel import syntax
from server.cel.check import Checked
from server.cel.cost import ACTUAL, LIST, MAP, MESSAGE, PER_CALL
from server.cel.errors import CostExceeded, EvaluationError, no_such_overload
from server.cel.folds import build_fold
from server.cel.functions import Overload
from server.cel.syntax import Bind, Call, Fold, Ident, Literal, Node, Select, Test
from server.cel.types import DYN, fits, is_variable, type_value
from server.cel.values import NONE, Optional

_NOT_OF_ITS_TYPE = (TypeError, AttributeError)
"""What comes of a value that is not of the declared type: a stored object may be invalid."""

Step = Callable[["Run"], Any]


class Run:
    """One evaluation."""

    __slots__ = ("cost", "limit", "slots")

    def __init__(self, slots: list[Any], limit: int) -> None:
        self.slots = slots
        self.cost = 0
        self.limit = limit

    def charge(self, cost: int) -> None:
        self.cost += cost
        if self.cost > self.limit:
            raise CostExceeded


class Program:
    """An expression that can be evaluated."""

    def __init__(self, checked: Checked, variables: tuple[str, ...]) -> None:
        self.checked = checked
        self._variables = variables
        builder = Builder(checked, variables)
        self._step = builder.build(checked.root)
        self._slots = builder.slots

    def evaluate(self, variables: dict[str, Any], limit: int = PER_CALL) -> tuple[Any, int]:
        """The value and what it cost; an EvaluationError is a value here, so that its cost is known, too."""
        slots = [variables.get(name) for name in self._variables]
        run = Run(slots + [None] * (self._slots - len(slots)), limit)
        try:
            return self._step(run), run.cost
        except EvaluationError as error:
            return error, run.cost
        except _NOT_OF_ITS_TYPE:
            return no_such_overload(), run.cost
        except (RecursionError, MemoryError, OverflowError, ValueError) as error:
            return EvaluationError(f"evaluation failed: {error}"), run.cost


class Builder:
    def __init__(self, checked: Checked, variables: tuple[str, ...]) -> None:
        self._checked = checked
        self._scopes: list[dict[str, int]] = [{name: at for at, name in enumerate(variables)}]
        self.slots = len(variables)

    def slot(self, name: str) -> int:
        """Opens a scope with one variable."""
        self._scopes.append({name: self.slots})
        self.slots += 1
        return self.slots - 1

    def close(self) -> None:
        self._scopes.pop()

    def build(self, node: Node) -> Step:
        match node:
            case Literal():
                value = node.value
                return lambda run: value
            case Ident():
                return self._ident(node)
            case Select():
                return self._select(node)
            case Test():
                return self._test(node)
            case Call():
                return self._call(node)
            case syntax.ListOf():
                return self._list(node)
            case syntax.MapOf():
                return self._map(node)
            case syntax.Message():
                return self._message(node)
            case Fold():
                return build_fold(self, node)
            case Bind():
                return self._bind(node)
        raise AssertionError(node)

    def _ident(self, node: Ident) -> Step:
        if node in self._checked.type_names:
            named = type_value(self._checked.type_names[node])
            return lambda run: named
        return self._variable(node.name)

    def _variable(self, name: str) -> Step:
        slot = next(scope[name] for scope in reversed(self._scopes) if name in scope)

        def ident(run: Run) -> Any:
            run.cost += 1
            return run.slots[slot]

        return ident

    def _select(self, node: Select) -> Step:
        if node in self._checked.type_names:
            named = type_value(self._checked.type_names[node])
            return lambda run: named
        if node in self._checked.dotted:
            return self._variable(self._checked.dotted[node])
        operand, field = self.build(node.operand), self._checked.fields.get(node)
        name = field.name if field else node.field
        convert = field.decl.convert if field else None
        optional = node.optional or self._checked.types[node.operand].name == "optional_type"
        if optional or self._checked.types[node.operand].name == "dyn":
            return _open_select(operand, name, convert, optional=optional)

        def select(run: Run) -> Any:
            value = operand(run)
            run.cost += 1
            try:
                found = value[name]
            except KeyError:
                raise EvaluationError(f"no such key: {name}") from None
            except TypeError:
                raise no_such_overload() from None
            return found if convert is None else convert(found)

        return select

    def _test(self, node: Test) -> Step:
        operand, field = self.build(node.operand), self._checked.fields.get(node)
        name = field.name if field else node.field

        def test(run: Run) -> bool:
            value = operand(run)
            if type(value) is Optional:
                value = value.content if value.has_value else {}
            if type(value) is not dict:
                raise no_such_overload()
            return name in value

        return test

    def _list(self, node: syntax.ListOf) -> Step:
        items = [self.build(each) for each in node.items]
        optional = node.optional

        def make(run: Run) -> list[Any]:
            run.charge(LIST)
            if not optional:
                return [item(run) for item in items]
            found = [(at, item(run)) for at, item in enumerate(items)]
            kept = [(at, each) for at, each in found if at not in optional or each.has_value]
            return [each.content if at in optional else each for at, each in kept]

        return make

    def _map(self, node: syntax.MapOf) -> Step:
        entries = [(self.build(key), self.build(value)) for key, value in node.entries]
        optional = node.optional

        def make(run: Run) -> dict[Any, Any]:
            run.charge(MAP)
            found: dict[Any, Any] = {}
            for at, (key, value) in enumerate(entries):
                name, item = key(run), value(run)
                if type(name) in (list, dict):
                    raise EvaluationError("unsupported key type")
                if at in optional:
                    if not item.has_value:
                        continue
                    item = item.content
                if name in found:
                    raise EvaluationError(f"Failed with repeated key: {name}")
                found[name] = item
            return found

        return make

    def _message(self, node: syntax.Message) -> Step:
        """An object, as the JSON that it stands for."""
        fields = [(name, self.build(value)) for name, value in node.fields]
        optional = node.optional

        def make(run: Run) -> dict[str, Any]:
            run.charge(MESSAGE)
            found: dict[str, Any] = {}
            for at, (name, value) in enumerate(fields):
                item = value(run)
                if at in optional:
                    if not item.has_value:
                        continue
                    item = item.content
                found[name] = item
            return found

        return make

    def _bind(self, node: Bind) -> Step:
        value = self.build(node.value)
        slot = self.slot(node.name)
        result = self.build(node.result)
        self.close()
        kind = node.kind

        def bind(run: Run) -> Any:
            found = value(run)
            if kind == "bind":
                run.slots[slot] = found
                return result(run)
            if type(found) is not Optional:
                raise no_such_overload()
            if not found.has_value:
                return NONE
            run.slots[slot] = found.content
            made = result(run)
            return made if kind == "optFlatMap" else Optional(True, made)

        return bind

    def _call(self, node: Call) -> Step:
        args = [self.build(each) for each in node.args]
        match node.function:
            case "_&&_":
                return _and(*args)
            case "_||_":
                return _or(*args)
            case "_?_:_":
                return _conditional(*args)
        if node.target is not None and node not in self._checked.qualified:
            args = [self.build(node.target), *args]
        overloads = self._checked.overloads[node]
        return _invocation(args, overloads, certain=self._is_certain(node, overloads))

    def _is_certain(self, node: Call, overloads: list[Overload]) -> bool:
        """Whether types alone say which overload it is."""
        given = list(node.args)
        if node.target is not None and node not in self._checked.qualified:
            given.insert(0, node.target)
        types = [self._checked.types[each] for each in given]
        loose = any(
            (each.name in ("dyn", "null") or is_variable(each)) and want != DYN and not is_variable(want)
            for each, want in zip(types, overloads[0].params, strict=True)
        )
        return len(overloads) == 1 and not loose


def _open_select(operand: Step, name: str, convert: Any, *, optional: bool) -> Step:
    """Selection from an optional, or from something of unknown type."""

    def select(run: Run) -> Any:
        value = operand(run)
        run.cost += 1
        if optional and type(value) is Optional:
            if not value.has_value:
                return NONE
            value = value.content
        if type(value) is not dict:
            raise no_such_overload()
        if name not in value:
            if optional:
                return NONE
            raise EvaluationError(f"no such key: {name}")
        found = value[name] if convert is None else convert(value[name])
        return Optional(True, found) if optional else found

    return select


def _invocation(args: list[Step], overloads: list[Overload], *, certain: bool) -> Step:
    if not certain:
        return _dispatch(args, overloads)
    call, cost = overloads[0].call, ACTUAL.get(overloads[0].cost)
    if len(args) == 2 and cost is None:
        return _binary(args[0], args[1], call)

    def invoke(run: Run) -> Any:
        values = [arg(run) for arg in args]
        try:
            found = call(*values)
        except _NOT_OF_ITS_TYPE:
            raise no_such_overload() from None
        run.charge(1 if cost is None else cost(values, found))
        return found

    return invoke


def _binary(left: Step, right: Step, call: Callable[[Any, Any], Any]) -> Step:
    """A call with two arguments that costs 1: most operators."""

    def invoke(run: Run) -> Any:
        one, other = left(run), right(run)
        run.cost += 1
        if run.cost > run.limit:
            raise CostExceeded
        try:
            return call(one, other)
        except _NOT_OF_ITS_TYPE:
            raise no_such_overload() from None

    return invoke


def _dispatch(args: list[Step], overloads: list[Overload]) -> Step:
    choices = [(each.params, each.call, ACTUAL.get(each.cost)) for each in overloads]

    def invoke(run: Run) -> Any:
        values = [arg(run) for arg in args]
        for params, call, cost in choices:
            if all(map(fits, values, params)):
                found = call(*values)
                run.charge(1 if cost is None else cost(values, found))
                return found
        raise no_such_overload()

    return invoke


def _and(left: Step, right: Step) -> Step:
    return _logical(left, right, decides=False)


def _or(left: Step, right: Step) -> Step:
    return _logical(left, right, decides=True)


def _logical(left: Step, right: Step, *, decides: bool) -> Step:
    """One side that decides is enough, even when the other one fails."""

    def logical(run: Run) -> bool:
        failed: EvaluationError | None = None
        try:
            found = left(run)
            if found is decides:
                return bool(found)
            if found is not (not decides):
                failed = no_such_overload()
        except CostExceeded:
            raise
        except EvaluationError as error:
            failed = error
        found = right(run)
        if found is decides:
            return bool(found)
        if failed is not None:
            raise failed
        if found is not (not decides):
            raise no_such_overload()
        return not decides

    return logical


def _conditional(condition: Step, first: Step, second: Step) -> Step:
    def conditional(run: Run) -> Any:
        found = condition(run)
        if found is True:
            return first(run)
        if found is False:
            return second(run)
        raise no_such_overload()

    return conditional
