"""The environment that expressions are compiled in: Kubernetes' libraries, and the variables of a use."""

from collections.abc import Callable, Mapping
from functools import cache

from server.cel.check import Checked, check
from server.cel.errors import CompileError
from server.cel.functions import Functions, Library
from server.cel.library import (
    conversions,
    lists,
    networks,
    operators,
    optionals,
    quantities,
    strings,
    texts,
    times,
)
from server.cel.literals import literal_errors
from server.cel.parser import parse
from server.cel.program import Program
from server.cel.types import Decl, Message

_LIBRARIES = (operators, conversions, strings, lists, texts, quantities, networks, optionals, times)


def _no_message(name: str) -> Message | None:
    return None


class Environment:
    """Variables by name; those that an expression does not use need no value.

    `libraries` come on top of those that all expressions have; `messages` knows the types by name that
    expressions can make objects of.
    """

    def __init__(
        self,
        variables: Mapping[str, Decl],
        *,
        libraries: tuple[Library, ...] = (),
        messages: Callable[[str], Message | None] = _no_message,
    ) -> None:
        self._variables = variables
        self._functions = functions(libraries)
        self._messages = messages
        self._names = tuple(variables)

    def check(self, source: str) -> Checked:
        """The expression with its types.

        Raises:
            CompileError: with upstream's report.
        """
        try:
            checked = check(parse(source), source, self._variables, self._functions, self._messages)
            errors = literal_errors(checked)
        except RecursionError as error:
            raise CompileError(source, [(0, "expression recursion limit exceeded")]) from error
        if errors:
            raise CompileError(source, errors)
        return checked

    def program(self, checked: Checked) -> Program:
        return Program(checked, self._names)

    def compile(self, source: str) -> Program:
        """An expression that can be evaluated.

        Raises:
            CompileError: with upstream's report.
        """
        return self.program(self.check(source))


@cache
def functions(libraries: tuple[Library, ...] = ()) -> Functions:
    return Functions((*(each.LIBRARY for each in _LIBRARIES), *libraries))
