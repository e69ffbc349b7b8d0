"""The environment that expressions are compiled in: Kubernetes' libraries, and the variables of a use."""

from collections.abc import Mapping
from functools import cache

from server.cel.check import Checked, check
from server.cel.errors import CompileError
from server.cel.functions import Functions
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
from server.cel.types import Decl

_LIBRARIES = (operators, conversions, strings, lists, texts, quantities, networks, optionals, times)


class Environment:
    """Variables by name; those that an expression does not use need no value."""

    def __init__(self, variables: Mapping[str, Decl]) -> None:
        self._variables = variables
        self._names = tuple(variables)

    def check(self, source: str) -> Checked:
        """The expression with its types.

        Raises:
            CompileError: with upstream's report.
        """
        try:
            checked = check(parse(source), source, self._variables, functions())
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
def functions() -> Functions:
    return Functions(tuple(each.LIBRARY for each in _LIBRARIES))
