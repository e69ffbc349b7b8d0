"""The macros over lists and maps as closures."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from server.cel.errors import CostExceeded, EvaluationError, no_such_overload
from server.cel.syntax import Fold

if TYPE_CHECKING:
    from server.cel.program import Builder, Run, Step

_ALL, _EXISTS, _PLAIN = 3, 4, 1
"""What a round costs besides its own parts: the loop's condition and the accumulator."""
_APPEND = 12
_LIST, _MAP = 10, 30

Rounds = Callable[["Run"], Iterator[None]]


def build_fold(builder: "Builder", node: Fold) -> "Step":
    over = builder.build(node.over)
    slots = [builder.slot(name) for name in node.names]
    when = builder.build(node.when) if node.when is not None else None
    result = builder.build(node.result)
    for _ in slots:
        builder.close()
    rounds = _one(over, slots[0]) if len(slots) == 1 else _two(over, slots[0], slots[1])
    match node.kind:
        case "all":
            return _quantifier(rounds, result, decides=False, cost=_ALL)
        case "exists":
            return _quantifier(rounds, result, decides=True, cost=_EXISTS)
        case "exists_one":
            return _exists_one(rounds, result)
        case "filter":
            return _filter(rounds, result, slots[-1])
        case "transformMap":
            return _transform_map(rounds, when, result, slots[0])
        case "transformMapEntry":
            return _transform_entries(rounds, when, result)
    return _map(rounds, when, result)


def _one(over: "Step", slot: int) -> Rounds:
    """Goes through items or keys."""

    def rounds(run: "Run") -> Iterator[None]:
        values = over(run)
        if not isinstance(values, list | dict):
            raise no_such_overload()
        for each in values:
            run.slots[slot] = each
            if run.cost > run.limit:
                raise CostExceeded
            yield

    return rounds


def _two(over: "Step", key: int, slot: int) -> Rounds:
    """Goes through items with their indexes, or values with their keys."""

    def rounds(run: "Run") -> Iterator[None]:
        values = over(run)
        if not isinstance(values, list | dict):
            raise no_such_overload()
        for name, each in values.items() if isinstance(values, dict) else enumerate(values):
            run.slots[key], run.slots[slot] = name, each
            if run.cost > run.limit:
                raise CostExceeded
            yield

    return rounds


def _quantifier(rounds: Rounds, result: "Step", *, decides: bool, cost: int) -> "Step":
    """all (one false decides) and exists (one true does); errors count only when nothing decides."""

    def quantify(run: "Run") -> bool:
        failed: EvaluationError | None = None
        for _ in rounds(run):
            run.cost += cost
            try:
                found = result(run)
            except CostExceeded:
                raise
            except EvaluationError as error:
                failed = failed or error
                continue
            if found is decides:
                run.cost += 1
                return bool(found)
            if found is not (not decides):
                failed = failed or no_such_overload()
        run.cost += 1
        if failed is not None:
            raise failed
        return not decides

    return quantify


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise no_such_overload()
    return bool(value)


def _exists_one(rounds: Rounds, result: "Step") -> "Step":
    def exists_one(run: "Run") -> bool:
        count = 0
        for _ in rounds(run):
            if _truth(result(run)):
                count += 1
                run.cost += 1
            run.cost += _PLAIN
        run.cost += 2
        return count == 1

    return exists_one


def _filter(rounds: Rounds, result: "Step", slot: int) -> "Step":
    def keep(run: "Run") -> list[Any]:
        run.cost += _LIST + 1
        kept = []
        for _ in rounds(run):
            each = run.slots[slot]
            run.cost += _PLAIN
            if _truth(result(run)):
                run.cost += _APPEND
                kept.append(each)
        return kept

    return keep


def _map(rounds: Rounds, when: "Step | None", result: "Step") -> "Step":
    def make(run: "Run") -> list[Any]:
        run.cost += _LIST + 1
        made = []
        for _ in rounds(run):
            if when is None or _truth(when(run)):
                run.cost += _APPEND
                made.append(result(run))
            else:
                run.cost += _PLAIN
        return made

    return make


def _transform_map(rounds: Rounds, when: "Step | None", result: "Step", key: int) -> "Step":
    def make(run: "Run") -> dict[Any, Any]:
        run.cost += _MAP + 1
        made = {}
        for _ in rounds(run):
            name = run.slots[key]
            run.cost += _PLAIN
            if when is None or _truth(when(run)):
                run.cost += 2
                made[name] = result(run)
        return made

    return make


def _transform_entries(rounds: Rounds, when: "Step | None", result: "Step") -> "Step":
    def make(run: "Run") -> dict[Any, Any]:
        run.cost += _MAP + 1
        made: dict[Any, Any] = {}
        for _ in rounds(run):
            run.cost += _PLAIN
            if when is None or _truth(when(run)):
                run.cost += 2
                entries = result(run)
                if type(entries) is not dict:
                    raise no_such_overload()
                for name in entries:
                    if name in made:
                        raise EvaluationError(f"insert failed: key '{name}' already exists")
                made |= entries
        return made

    return make
