"""Checks of values against a schema, compiled to closures that say nothing (None) of a value that is right.

A check takes the value and the old value at the same place (`ABSENT` where there is none, or none that can be
told to be the same): errors of a value that did not change are left out, which is Kubernetes' ratcheting.
"""

from collections.abc import Callable
from typing import Any

from server.schema.custom.items import by_keys, key_of
from server.schema.custom.problems import Problem, Problems, inside
from server.schema.custom.scalars import (
    Check as ScalarCheck,
)
from server.schema.custom.scalars import (
    enum_check,
    number_checks,
    text_check,
    text_format_check,
    type_check,
)

Schema = dict[str, Any]
Check = Callable[[Any, Any], Problems]

ABSENT: Any = object()


def value_check(schema: Schema) -> Check:
    """The check of a schema, with the ratcheting of the value as a whole."""
    check = _check(schema)
    return _ratcheting(check) if check is not None else _right


def same(value: Any, old: Any) -> bool:
    return type(value) is type(old) and value == old


def _right(value: Any, old: Any) -> Problems:
    return None


def _ratcheting(check: Check) -> Check:
    def ratchet(value: Any, old: Any) -> Problems:
        problems = check(value, old)
        return None if problems and old is not ABSENT and same(value, old) else problems

    return ratchet


def _check(schema: Schema) -> Check | None:
    """The check of a value of any type; None when every value is right."""
    alike = tuple(each for each in (type_check(schema), enum_check(schema)) if each is not None)
    whole = _combinations(schema)
    by_type: dict[type, tuple[Check, ...]] = {
        str: _of_scalars(text_check(schema), text_format_check(schema)),
        list: _present(_list_check(schema)),
        dict: _present(_object_check(schema)),
    }
    by_type[int] = by_type[float] = _of_scalars(*number_checks(schema))
    if len(alike) == 1 and not whole and not any(by_type.values()):
        return _of_scalars(alike[0])[0]
    if not alike and not whole and not any(by_type.values()):
        return None
    return _assembled(alike, whole, by_type)


def _assembled(
    alike: tuple[ScalarCheck, ...], whole: tuple[Check, ...], by_type: dict[type, tuple[Check, ...]]
) -> Check:
    checks = {of: whole + found for of, found in by_type.items()}
    rest = whole

    def check(value: Any, old: Any) -> Problems:
        problems: Problems = None
        for each in alike:
            found = each(value)
            if found is not None:
                problems = [found] if problems is None else [*problems, found]
        if value is None:
            return problems
        for more in checks.get(type(value), rest):
            found_more = more(value, old)
            if found_more:
                problems = found_more if problems is None else problems + found_more
        return problems

    return check


def _of_scalars(*checks: ScalarCheck | None) -> tuple[Check, ...]:
    def lifted(check: ScalarCheck) -> Check:
        def lift(value: Any, old: Any) -> Problems:
            found = check(value)
            return None if found is None else [found]

        return lift

    return tuple(lifted(each) for each in checks if each is not None)


def _present(check: Check | None) -> tuple[Check, ...]:
    return () if check is None else (check,)


def _list_check(schema: Schema) -> Check | None:
    longest, shortest = schema.get("maxItems"), schema.get("minItems")
    unique = bool(schema.get("uniqueItems"))
    items = _check(schema["items"]) if isinstance(schema.get("items"), dict) else None
    if items is None and longest is None and shortest is None and not unique:
        return None
    of_items = _items_check(items, _keys(schema)) if items is not None else _right

    def check(value: list[Any], old: Any) -> Problems:
        problems = of_items(value, old) or []
        if shortest is not None and len(value) < shortest:
            problems.append(Problem("invalid", len(value), f"should have at least {shortest} items"))
        if longest is not None and len(value) > longest:
            problems.append(Problem("many", len(value), longest))
        if unique and any(item in value[:position] for position, item in enumerate(value)):
            problems.append(Problem("invalid", "", "shouldn't contain duplicates"))
        return problems or None

    return check


def _keys(schema: Schema) -> tuple[str, ...]:
    is_map = schema.get("x-kubernetes-list-type") == "map"
    return tuple(schema.get("x-kubernetes-list-map-keys") or ()) if is_map else ()


def _items_check(items: Check, keys: tuple[str, ...]) -> Check:
    ratchet = _ratcheting(items)

    def check(value: list[Any], old: Any) -> Problems:
        problems: Problems = None
        before = by_keys(old, keys) if keys and type(old) is list else {}
        for position, item in enumerate(value):
            was = before.get(key_of(item, keys), ABSENT) if before else ABSENT
            found = ratchet(item, was)
            if found:
                problems = (problems or []) + inside(found, f"[{position}]")
        return problems

    return check


def _object_check(schema: Schema) -> Check | None:
    fields = tuple(
        (name, _ratcheting(found), f".{name}")
        for name, each in (schema.get("properties") or {}).items()
        if (found := _check(each)) is not None
    )
    known = frozenset(schema.get("properties") or ())
    required = tuple(schema.get("required") or ())
    others = schema.get("additionalProperties")
    beyond = _check(others) if isinstance(others, dict) else None
    counts = _count_check(schema)
    if not fields and not required and beyond is None and counts is None:
        return None
    rest = _ratcheting(beyond) if beyond is not None else None

    def check(value: dict[str, Any], old: Any) -> Problems:
        if counts is not None and (counted := counts(value)):
            return [counted]
        was: dict[str, Any] = old if type(old) is dict else {}
        problems: Problems = None
        if rest is not None:
            problems = _others(value, was, known, rest)
        for name, each, part in fields:
            if name in value:
                found = each(value[name], was.get(name, ABSENT))
                if found:
                    problems = (problems or []) + inside(found, part)
        for name in required:
            if name not in value:
                problems = (problems or []) + inside([Problem("required")], f".{name}")
        return problems

    return check


def _others(value: dict[str, Any], was: dict[str, Any], known: frozenset[str], check: Check) -> Problems:
    problems: Problems = None
    for name, item in value.items():
        if name not in known:
            found = check(item, was.get(name, ABSENT))
            if found:
                problems = (problems or []) + inside(found, f".{name}")
    return problems


def _count_check(schema: Schema) -> ScalarCheck | None:
    fewest, most = schema.get("minProperties"), schema.get("maxProperties")
    if fewest is None and most is None:
        return None

    def check(value: dict[str, Any]) -> Problem | None:
        if fewest is not None and len(value) < fewest:
            return Problem("invalid", fewest, f"should have at least {fewest} properties")
        if most is not None and len(value) > most:
            return Problem("invalid", most, f"should have at most {most} properties")
        return None

    return check


def _combinations(schema: Schema) -> tuple[Check, ...]:
    """anyOf, oneOf, allOf and not, in the order in which they are looked at."""
    made: list[Check] = []
    if schema.get("anyOf"):
        made.append(_any_of(schema["anyOf"]))
    if schema.get("oneOf"):
        made.append(_one_of(schema["oneOf"]))
    if schema.get("allOf"):
        made.append(_all_of(schema["allOf"]))
    if schema.get("not") is not None:
        made.append(_not(schema["not"]))
    return tuple(made)


def _alternatives(schemas: list[Schema]) -> list[tuple[Schema, Check]]:
    return [(each, _check(each) or _right) for each in schemas]


def _any_of(schemas: list[Schema]) -> Check:
    alternatives = _alternatives(schemas)

    def check(value: Any, old: Any) -> Problems:
        found = [each(value, old) for _, each in alternatives]
        if not all(found):
            return None
        told = Problem("whole", detail="must validate at least one schema (anyOf)")
        return [told, *_best(alternatives, found, value)]

    return check


def _one_of(schemas: list[Schema]) -> Check:
    alternatives = _alternatives(schemas)

    def check(value: Any, old: Any) -> Problems:
        found = [each(value, old) for _, each in alternatives]
        valid = sum(not each for each in found)
        if valid == 1:
            return None
        counted = f"Found {valid} valid alternatives" if valid else "Found none valid"
        told = Problem("whole", detail=f"must validate one and only one schema (oneOf). {counted}")
        return [told] if valid else [told, *_best(alternatives, found, value)]

    return check


def _best(alternatives: list[tuple[Schema, Check]], found: list[Problems], value: Any) -> list[Problem]:
    """The problems of the alternative of which most was looked at; of the first one of these."""
    scores = [_looked_at(schema, value) for schema, _ in alternatives]
    return found[scores.index(max(scores))] or []


def _looked_at(schema: Schema, value: Any) -> int:
    if type(value) is not dict:
        wrong = type_check(schema)
        return 0 if wrong is not None and wrong(value) else 1
    properties: dict[str, Schema] = schema.get("properties") or {}
    return 1 + sum(2 + _looked_at(each, value[name]) for name, each in properties.items() if name in value)


def _all_of(schemas: list[Schema]) -> Check:
    alternatives = _alternatives(schemas)

    def check(value: Any, old: Any) -> Problems:
        found = [each(value, old) for _, each in alternatives]
        if not any(found):
            return None
        none = "" if not all(found) else ". None validated"
        problems = [problem for each in found for problem in each or ()]
        return [*problems, Problem("whole", detail=f"must validate all the schemas (allOf){none}")]

    return check


def _not(schema: Schema) -> Check:
    check = _check(schema) or _right

    def check_not(value: Any, old: Any) -> Problems:
        if check(value, ABSENT):
            return None
        return [Problem("whole", detail="must not validate the schema (not)")]

    return check_not
