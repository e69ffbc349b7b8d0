"""The functions that expressions may call: how they are declared and found."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from server.cel.types import Type

Implementation = Callable[..., Any]
F = TypeVar("F", bound=Implementation)


@dataclass(eq=False, slots=True)
class Overload:
    function: str
    id: str
    params: tuple[Type, ...]
    """The target is the first one of a member function."""
    result: Type
    member: bool
    call: Implementation
    cost: str
    """Which of `cost`'s formulas says what a call costs."""


class Library:
    """A set of functions that belong together; `library.*` each make one."""

    def __init__(self) -> None:
        self.overloads: list[Overload] = []

    def function(
        self, name: str, signature: str, *, cost: str = "one", id: str = "", member: bool = False
    ) -> Callable[[F], F]:
        """Declares what it decorates, such as `("size", "string -> int")`."""
        params, _, result = signature.partition("->")
        types = tuple(parsed(each) for each in _split(params))

        def declare(call: F) -> F:
            known = id or f"{name}({params.strip()})"
            self.overloads.append(Overload(name, known, types, parsed(result), member, call, cost))
            return call

        return declare

    def member(self, name: str, signature: str, *, cost: str = "one", id: str = "") -> Callable[[F], F]:
        """The same for a member function; its target is the first parameter."""
        return self.function(name, signature, cost=cost, id=id, member=True)


class Functions:
    """All functions of an environment."""

    def __init__(self, libraries: tuple[Library, ...]) -> None:
        self._found: dict[tuple[str, bool], list[Overload]] = {}
        for library in libraries:
            for each in library.overloads:
                self._found.setdefault((each.function, each.member), []).append(each)

    def overloads(self, name: str, *, member: bool) -> list[Overload]:
        return self._found.get((name, member), [])


def _split(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for place, char in enumerate(text):
        depth += {"<": 1, ">": -1}.get(char, 0)
        if char == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    if text[start:].strip():
        yield text[start:]


@cache
def parsed(text: str) -> Type:
    """A type from its notation: `int`, `list<A>`, `map<A, B>`."""
    found = re.fullmatch(r"\s*([\w.]+)\s*(?:<(.*)>)?\s*", text)
    assert found is not None, text
    params = tuple(parsed(each) for each in _split(found[2])) if found[2] else ()
    return Type({"optional": "optional_type"}.get(found[1], found[1]), params)
