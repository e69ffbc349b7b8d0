"""JSON paths as kubectl and printer columns have them: `.spec.replicas`, `.status.list[?(@.type=="Ready")]`.

A path gives every value that it finds; one that leads nowhere gives none. A path that cannot be read raises.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

Step = Callable[[Iterable[Any]], Iterator[Any]]
Path = tuple[Step, ...]

_FIELD = re.compile(r"(?:[^\\\s\[\]{}()|,.\"'$@?*<>=!]|\\.)+")
_SLICE = re.compile(r"(-?\d*)(?::(-?\d*)(?::(-?\d+))?)?")
_FILTER = re.compile(r"\?\((.*)\)", re.DOTALL)
_OPERATOR = re.compile(r"(==|!=|<=|>=|<|>)")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "<": lambda left, right: bool(left < right),
    ">": lambda left, right: bool(left > right),
    "<=": lambda left, right: bool(left <= right),
    ">=": lambda left, right: bool(left >= right),
}


class JSONPathError(ValueError):
    """The path is malformed."""


def find(path: Path, value: Any) -> Iterator[Any]:
    """The values that the path leads to."""
    found: Iterable[Any] = (value,)
    for step in path:
        found = step(found)
    yield from found


@lru_cache(maxsize=4096)
def parse(text: str) -> Path:
    """
    Raises:
        JSONPathError: it cannot be read.
    """
    steps: list[Step] = []
    rest = text.strip()
    if rest[:1] in ("$", "@"):
        rest = rest[1:]
    while rest:
        step, rest = _step(rest)
        if step is not None:
            steps.append(step)
    return tuple(steps)


def _step(rest: str) -> tuple[Step | None, str]:
    if rest.startswith("["):
        inside, rest = _bracket(rest)
        return _selection(inside), rest
    if rest.startswith(".."):
        return _descendants, rest[1:] if not rest[2:].startswith("[") else rest[2:]
    if not rest.startswith("."):
        raise JSONPathError(f"unrecognized character in action: {rest[0]!r}")
    rest = rest[1:]
    if rest.startswith("*"):
        return _children, rest[1:]
    match = _FIELD.match(rest)
    if match is None:
        return None, _bare(rest)
    return _fields((re.sub(r"\\(.)", r"\1", match[0]),)), rest[match.end() :]


def _bare(rest: str) -> str:
    """A dot alone is the value itself; one before a bracket adds nothing."""
    if rest and not rest.startswith("["):
        raise JSONPathError(f"unrecognized character in action: {rest[0]!r}")
    return rest


def _bracket(rest: str) -> tuple[str, str]:
    """What stands between a bracket and its partner, and what follows."""
    depth, quote, position = 0, "", 0
    while position < len(rest):
        char = rest[position]
        if quote:
            position += char == "\\"
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "[(":
            depth += 1
        elif char in "])":
            depth -= 1
            if not depth:
                return rest[1:position].strip(), rest[position + 1 :]
        position += 1
    raise JSONPathError("unterminated array")


def _selection(inside: str) -> Step:
    if match := _FILTER.fullmatch(inside):
        return _filter(match[1])
    if inside == "*":
        return _children
    if inside[:1] in ("'", '"'):
        return _fields(tuple(_unquoted(each.strip()) for each in inside.split(",")))
    parts = [_SLICE.fullmatch(each.strip()) for each in inside.split(",")]
    if not inside or any(each is None for each in parts):
        raise JSONPathError(f"invalid array index {inside}")
    steps = [_slice(each) for each in parts if each is not None]

    def union(found: Iterable[Any]) -> Iterator[Any]:
        for value in found:
            for step in steps:
                yield from step((value,))

    return steps[0] if len(steps) == 1 else union


def _slice(match: re.Match[str]) -> Step:
    start, end, stride = match[1], match[2], match[3]
    single = end is None
    if single and not start:
        raise JSONPathError("invalid array index ")
    first = int(start) if start else None
    chosen = slice(first, int(end) if end else None, int(stride) if stride else None)
    if chosen.step is not None and chosen.step <= 0:
        raise JSONPathError("step must be > 0")

    def select(found: Iterable[Any]) -> Iterator[Any]:
        for value in found:
            if not isinstance(value, list):
                continue
            if not single:
                yield from value[chosen]
            elif first is not None and -len(value) <= first < len(value):
                yield value[first]

    return select


def _fields(names: tuple[str, ...]) -> Step:
    def select(found: Iterable[Any]) -> Iterator[Any]:
        for value in found:
            if isinstance(value, dict):
                yield from (value[name] for name in names if name in value)

    return select


def _children(found: Iterable[Any]) -> Iterator[Any]:
    for value in found:
        yield from _below(value)


def _below(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _descendants(found: Iterable[Any]) -> Iterator[Any]:
    for value in found:
        yield value
        yield from _descendants(_below(value))


def _filter(expression: str) -> Step:
    left, operator, right = _comparison(expression)
    if not operator:
        path = parse(left)
        return lambda found: (item for value in found for item in _below(value) if any(_each(path, item)))
    first, second, compare = _operand(left), _operand(right), _COMPARE[operator]

    def select(found: Iterable[Any]) -> Iterator[Any]:
        for value in found:
            for item in _below(value):
                pair = (next(first(item), None), next(second(item), None))
                if None not in pair and _comparable(*pair) and compare(*pair):
                    yield item

    return select


def _each(path: Path, item: Any) -> Iterator[bool]:
    return (True for _ in find(path, item))


def _comparison(expression: str) -> tuple[str, str, str]:
    """The two sides and the operator, which may not be within quotes."""
    quoted = re.sub(r"'(?:\\.|[^'])*'|\"(?:\\.|[^\"])*\"", lambda match: "_" * len(match[0]), expression)
    match = _OPERATOR.search(quoted)
    if match is None:
        return expression.strip(), "", ""
    return expression[: match.start()].strip(), match[0], expression[match.end() :].strip()


def _operand(text: str) -> Callable[[Any], Iterator[Any]]:
    if text[:1] in ("@", "$", "."):
        path = parse(text)
        return lambda item: find(path, item)
    constant = _constant(text)
    return lambda item: iter((constant,))


def _constant(text: str) -> Any:
    if text[:1] in ("'", '"'):
        return _unquoted(text)
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
    except ValueError as error:
        raise JSONPathError(f"unrecognized character in action: {text!r}") from error


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "\"'":
        raise JSONPathError("unterminated quoted string")
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _comparable(left: Any, right: Any) -> bool:
    numbers = (int, float)
    both_numbers = isinstance(left, numbers) and isinstance(right, numbers)
    return type(left) is type(right) or (both_numbers and not isinstance(left, bool))
