"""The expressions of webhooks and policies, compiled: what is wrong with them, in upstream's words."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.cel.check import Checked
from server.cel.environment import Environment
from server.cel.errors import CompileError
from server.cel.types import DYN, Decl, FieldDecl, ObjectType, Type
from server.registry.causes import invalid
from server.registry.groups.admissionregistration import variables

_REMEMBERED = 1024
BOOL, TEXT, TEXT_OR_NULL = ("bool",), ("string",), ("string", "null_type")
OBJECT, PATCHES = ("Object",), ("list(JSONPatch)",)


class Composition:
    """The expressions of one policy: each sees the variables that were declared before it.

    With `object_type` they are checked against a type of objects rather than against any.
    """

    def __init__(self, spec: Object, *, patches: bool = False, object_type: Type = DYN) -> None:
        self._params = spec.get("paramKind") is not None
        self._patches = patches
        self._object = object_type
        self._variables = ObjectType("kubernetes.variables", (), {}) if spec.get("variables") else None
        self._environments: dict[bool, Environment] = {}

    def environment(self, *, authorizer: bool = True) -> Environment:
        if authorizer not in self._environments:
            declared = variables.declared(
                params=self._params, authorizer=authorizer, object_type=self._object
            )
            if self._variables is not None:
                declared["variables"] = Decl(self._variables)
            self._environments[authorizer] = Environment(
                declared,
                libraries=variables.PATCH_LIBRARIES if self._patches else variables.LIBRARIES,
                messages=variables.patch_message if self._patches else _nothing,
            )
        return self._environments[authorizer]

    def declare(self, name: str, expression: str) -> str:
        """Adds a variable; says what is wrong with it. One that is wrong has an unknown type."""
        found: Type = DYN
        try:
            found = self.environment().check(expression).type
            return ""
        except CompileError as error:
            return _failed(error)
        finally:
            if self._variables is not None:
                self._variables.fields[name] = FieldDecl(name, Decl(found))

    def problem(self, expression: str, results: Iterable[str], *, authorizer: bool = True) -> str:
        """What is wrong with an expression that must give one of these types; empty when nothing is."""
        try:
            checked = self.environment(authorizer=authorizer).check(expression)
        except CompileError as error:
            return _failed(error)
        return _unfit(checked, tuple(results))


def _nothing(name: str) -> None:
    return None


def _failed(error: CompileError) -> str:
    return f"compilation failed: {error}"


def _unfit(checked: Checked, results: tuple[str, ...]) -> str:
    found = shown(checked.type)
    if found in results:
        return ""
    wanted = results[0] if len(results) == 1 else f"one of [{' '.join(results)}]"
    return f"must evaluate to {wanted} but got {found}"


def shown(type_: Type) -> str:
    """A type as cel-go prints it."""
    if type_.name == "null":
        return "null_type"
    return f"{type_.name}({', '.join(map(shown, type_.params))})" if type_.params else type_.name


def match_causes(field: str, expression: str, *, params: bool) -> list[Cause]:
    """What is wrong with the expression of a match condition."""
    problem = _condition_problem(expression.strip(), params)
    return [invalid(field, expression.strip(), problem)] if problem else []


@lru_cache(maxsize=_REMEMBERED)
def _condition_problem(expression: str, params: bool) -> str:
    declared = variables.declared(params=params, authorizer=True)
    environment = _stateless(tuple(declared))
    try:
        return _unfit(environment.check(expression), BOOL)
    except CompileError as error:
        return _failed(error)


@lru_cache(maxsize=4)
def _stateless(names: tuple[str, ...]) -> Environment:
    known: Mapping[str, Decl] = variables.declared(params="params" in names, authorizer=True)
    return Environment(known, libraries=variables.LIBRARIES)
