"""Static types: which overloads a call can mean, and what is undeclared or does not fit."""

from collections.abc import Callable, Mapping

from server.cel import syntax
from server.cel.errors import CompileError
from server.cel.functions import Functions, Overload
from server.cel.syntax import Bind, Call, Fold, Ident, Literal, Node, Select, Test
from server.cel.types import (
    BOOL,
    DYN,
    INT,
    Bindings,
    Decl,
    FieldDecl,
    Message,
    ObjectType,
    Type,
    assignable,
    is_variable,
    joined,
    list_of,
    map_of,
    optional_of,
    resolved,
)

from server.cel.types import BYTES, DOUBLE, NULL, STRING, UINT  # isort: skip
from server.cel.values import Uint

_LITERALS: dict[type, Type] = {
    bool: BOOL, int: INT, Uint: UINT, float: DOUBLE, str: STRING, bytes: BYTES, type(None): NULL,
}  # fmt: skip
_TYPES = ("bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type", "dyn")
_WELL_KNOWN = {"google.protobuf.Timestamp": "timestamp", "google.protobuf.Duration": "duration"}


class Checked:
    """An expression with what is known of its parts."""

    def __init__(self, root: Node, source: str) -> None:
        self.root = root
        self.source = source
        self.types: dict[Node, Type] = {}
        self.overloads: dict[Node, list[Overload]] = {}
        self.fields: dict[Node, FieldDecl] = {}
        """Of selections from objects with known fields."""
        self.type_names: dict[Node, Type] = {}
        """Identifiers that name a type."""
        self.dotted: dict[Node, str] = {}
        """Selections that are a variable whose name has a dot."""
        self.qualified: set[Node] = set()
        """Calls whose target is only part of the function's name."""
        self.used: set[str] = set()
        """Variables of the environment."""

    @property
    def type(self) -> Type:
        return self.types[self.root]


def check(
    root: Node,
    source: str,
    variables: Mapping[str, Decl],
    functions: Functions,
    messages: Callable[[str], Message | None] = lambda name: None,
) -> Checked:
    """The expression's types; `messages` knows the types that objects can be made of.

    Raises:
        CompileError: with all that does not fit.
    """
    checker = _Checker(root, source, variables, functions)
    checker.messages = messages
    checker.visit(root)
    if checker.errors:
        raise CompileError(source, checker.errors)
    return checker.checked


class _Checker:
    messages: Callable[[str], Message | None]

    def __init__(self, root: Node, source: str, variables: Mapping[str, Decl], functions: Functions) -> None:
        self.checked = Checked(root, source)
        self.errors: list[tuple[int, str]] = []
        self._variables = variables
        self._functions = functions
        self._scopes: list[dict[str, Type]] = []

    def visit(self, node: Node) -> Type:
        found = self._type(node)
        self.checked.types[node] = found
        return found

    def _type(self, node: Node) -> Type:
        match node:
            case Literal():
                return _LITERALS[type(node.value)]
            case Ident():
                return self._ident(node)
            case Select():
                return self._select(node)
            case Test():
                self._test(node)
                return BOOL
            case Call():
                return self._call(node)
            case syntax.ListOf():
                return list_of(self._joined([self._element(node, at) for at in range(len(node.items))]))
            case syntax.MapOf():
                return self._map(node)
            case syntax.Message():
                return self._message(node)
            case Fold():
                return self._fold(node)
            case Bind():
                return self._bind(node)
        raise AssertionError(node)

    def _error(self, node: Node, message: str) -> Type:
        self.errors.append((node.at, message))
        return DYN

    def _local(self, name: str) -> Type | None:
        return next((scope[name] for scope in reversed(self._scopes) if name in scope), None)

    def _declared(self, name: str) -> Type | None:
        found = self._local(name)
        if found is None and name in self._variables:
            self.checked.used.add(name)
            return self._variables[name].type
        return found

    def _ident(self, node: Ident) -> Type:
        found = self._declared(node.name)
        if found is not None:
            return found
        if (named := _type_named(node.name)) is not None:
            self.checked.type_names[node] = named
            return Type("type", (named,))
        return self._error(node, f"undeclared reference to '{node.name}' (in container '')")

    def _select(self, node: Select) -> Type:
        name = syntax.qualified(node)
        if name in _WELL_KNOWN and self._local("google") is None:
            self.checked.type_names[node] = Type(_WELL_KNOWN[name])
            return Type("type", (Type(_WELL_KNOWN[name]),))
        if name in self._variables and self._local(name.partition(".")[0]) is None:
            self.checked.used.add(name)
            self.checked.dotted[node] = name
            return self._variables[name].type
        operand = self.visit(node.operand)
        inner = operand.params[0] if operand.name == "optional_type" else operand
        found = self._field(node, inner, node.field)
        if node.optional or operand.name == "optional_type":
            return found if found.name == "optional_type" else optional_of(found)
        return found

    def _test(self, node: Test) -> None:
        operand = self.visit(node.operand)
        inner = operand.params[0] if operand.name == "optional_type" else operand
        self._field(node, inner, node.field)

    def _field(self, node: Node, operand: Type, name: str) -> Type:
        if isinstance(operand, ObjectType) and operand.open:
            return DYN
        if isinstance(operand, ObjectType):
            field = operand.fields.get(name)
            if field is None:
                return self._error(node, f"undefined field '{name}'")
            self.checked.fields[node] = field
            return field.decl.type
        if operand.name == "map":
            return operand.params[1]
        if operand.name == "dyn" or is_variable(operand):
            return DYN
        return self._error(node, f"type '{operand}' does not support field selection")

    def _call(self, node: Call) -> Type:
        overloads, target = self._candidates(node)
        args = [self.visit(each) for each in node.args]
        if target is not None:
            args = [self.visit(target), *args]
        if not overloads:
            return self._error(node, f"undeclared reference to '{node.function}' (in container '')")
        return self._resolve(node, overloads, args, member=target is not None)

    def _candidates(self, node: Call) -> tuple[list[Overload], Node | None]:
        if node.target is None:
            return self._functions.overloads(node.function, member=False), None
        name = syntax.qualified(node.target)
        if name and self._local(name.partition(".")[0]) is None and name not in self._variables:
            found = self._functions.overloads(f"{name}.{node.function}", member=False)
            if found:
                self.checked.qualified.add(node)
                return found, None
        return self._functions.overloads(node.function, member=True), node.target

    def _resolve(self, node: Call, overloads: list[Overload], args: list[Type], *, member: bool) -> Type:
        matched: list[Overload] = []
        result: Type | None = None
        for each in overloads:
            bound: Bindings = {}
            if len(each.params) == len(args) and all(
                assignable(want, have, bound) for want, have in zip(each.params, args, strict=True)
            ):
                matched.append(each)
                found = resolved(each.result, bound)
                result = found if result is None or result == found else DYN
        if result is None:
            return self._error(node, _mismatch(node.function, args, member=member))
        self.checked.overloads[node] = matched
        return result

    def _element(self, node: syntax.ListOf, at: int) -> Type:
        found = self.visit(node.items[at])
        return found.params[0] if at in node.optional and found.name == "optional_type" else found

    def _joined(self, types: list[Type]) -> Type:
        if not types:
            return DYN
        found = types[0]
        for each in types[1:]:
            found = joined(found, each)
        return found

    def _map(self, node: syntax.MapOf) -> Type:
        keys = [self.visit(key) for key, _ in node.entries]
        values = [self.visit(value) for _, value in node.entries]
        for at in node.optional:
            if values[at].name == "optional_type":
                values[at] = values[at].params[0]
        return map_of(self._joined(keys), self._joined(values))

    def _message(self, node: syntax.Message) -> Type:
        given = [self.visit(value) for _, value in node.fields]
        message = self.messages(node.name)
        if message is None:
            return self._error(node, f"undeclared reference to '{node.name}' (in container '')")
        for at, (name, value) in enumerate(node.fields):
            found = given[at]
            if at in node.optional and found.name == "optional_type":
                found = found.params[0]
            wanted = DYN if message.fields is None else message.fields.get(name)
            if wanted is None:
                self._error(value, f"undefined field '{name}'")
            elif not assignable(wanted, found, {}):
                self._error(
                    value, f"expected type of field '{name}' is '{wanted}' but provided type is '{found}'"
                )
        return message.type

    def _fold(self, node: Fold) -> Type:
        over = self.visit(node.over)
        self._scopes.append(self._loop_variables(node, over))
        if node.when is not None:
            self._expect_bool(node.when)
        result = self.visit(node.result)
        self._scopes.pop()
        match node.kind:
            case "all" | "exists" | "exists_one" | "filter":
                if result.name not in ("bool", "dyn"):
                    self._error(node.result, f"expected type 'bool' but found '{result}'")
                return over if node.kind == "filter" and over.name == "list" else self._filtered(node, over)
            case "transformMap":
                return map_of(self._index_type(over), result)
            case "transformMapEntry":
                return result if result.name == "map" else map_of(DYN, DYN)
        return list_of(result)

    def _filtered(self, node: Fold, over: Type) -> Type:
        if node.kind != "filter":
            return BOOL
        return list_of(over.params[0] if over.name == "map" else DYN)

    def _index_type(self, over: Type) -> Type:
        return {"list": INT, "map": over.params[0] if over.params else DYN}.get(over.name, DYN)

    def _loop_variables(self, node: Fold, over: Type) -> dict[str, Type]:
        if over.name not in ("list", "map", "dyn") and not is_variable(over):
            self._error(
                node.over,
                f"expression of type '{over}' cannot be range of a comprehension"
                " (must be list, map, or dynamic)",
            )
            return dict.fromkeys(node.names, DYN)
        if len(node.names) == 1:
            return {node.names[0]: over.params[0] if over.params else DYN}
        values = {"list": over.params[:1], "map": over.params[1:]}.get(over.name) or (DYN,)
        return dict(zip(node.names, (self._index_type(over), values[0]), strict=True))

    def _expect_bool(self, node: Node) -> None:
        found = self.visit(node)
        if found.name not in ("bool", "dyn"):
            self._error(node, f"expected type 'bool' but found '{found}'")

    def _bind(self, node: Bind) -> Type:
        value = self.visit(node.value)
        if node.kind != "bind":
            value = value.params[0] if value.name == "optional_type" else DYN
        self._scopes.append({node.name: value})
        result = self.visit(node.result)
        self._scopes.pop()
        return optional_of(result) if node.kind == "optMap" else result


def _type_named(name: str) -> Type | None:
    if name not in _TYPES:
        return None
    if name == "null_type":
        return NULL
    return Type(name, {"list": (DYN,), "map": (DYN, DYN)}.get(name, ()))


def _mismatch(function: str, args: list[Type], *, member: bool) -> str:
    given = ", ".join(map(str, args[1:] if member else args))
    applied = f"{args[0]}.({given})" if member else f"({given})"
    return f"found no matching overload for '{function}' applied to '{applied}'"
