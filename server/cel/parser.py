"""From tokens to an expression, with the macros taken as what they are."""

from collections.abc import Callable

from server.cel import syntax
from server.cel.errors import CompileError
from server.cel.syntax import Bind, Call, Fold, Ident, Literal, Node, Select, Test
from server.cel.tokens import RESERVED, Token, tokens
from server.cel.values import Uint

_DEPTH = 64
"""How deep expressions may stand within each other (each level takes several of Python's frames)."""
_CHAIN = 200
"""How many operators or selections may follow each other."""
LONGEST = 100_000
_MAX_INT, _MAX_UINT = (1 << 63) - 1, (1 << 64) - 1
_BINARY: tuple[frozenset[str], ...] = (
    frozenset({"||"}),
    frozenset({"&&"}),
    frozenset({"<", "<=", ">=", ">", "==", "!=", "in"}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
)
_LOGICAL = 2
"""How many of these are logical."""
_FOLDS = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter"})
_TWO_VARIABLE = frozenset({"all", "exists", "exists_one", "existsOne"})
_TRANSFORMS = frozenset({"transformList", "transformMap", "transformMapEntry"})


def parse(source: str) -> Node:
    """The expression.

    Raises:
        CompileError: it is none, or it is too long or nested too deep.
    """
    if len(source) > LONGEST:
        raise CompileError(source[:80], [(0, f"expression code point size exceeds limit: {LONGEST}")])
    return Parser(source).whole()


class Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokens(source)
        self._place = 0
        self._depth = 0

    def whole(self) -> Node:
        found = self._expression()
        if self._next.kind != "end":
            raise self._unexpected("<EOF>")
        return found

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        token = self._tokens[self._place]
        self._place += 1
        return token

    def _takes(self, text: str) -> Token | None:
        token = self._next
        return self._take() if token.kind in ("op", "ident") and token.text == text else None

    def _expect(self, text: str) -> Token:
        if self._next.kind == "op" and self._next.text == text:
            return self._take()
        raise self._unexpected(f"'{text}'")

    def _unexpected(self, wanted: str) -> CompileError:
        token = self._next
        return self._error(token.at, f"Syntax error: mismatched input '{token.text}' expecting {wanted}")

    def _error(self, at: int, message: str) -> CompileError:
        return CompileError(self._source, [(at, message)])

    def _nested(self, parse: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > _DEPTH:
            raise self._error(self._next.at, f"expression recursion limit exceeded: {_DEPTH}")
        found = parse()
        self._depth -= 1
        return found

    def _expression(self) -> Node:
        return self._nested(self._conditional)

    def _conditional(self) -> Node:
        condition = self._binary(0)
        mark = self._takes("?")
        if mark is None:
            return condition
        first = self._binary(0)
        self._expect(":")
        return Call(mark.at, "_?_:_", None, [condition, first, self._expression()])

    def _logical(self, level: int) -> Node:
        """A chain of one of the logical operators, as a balanced tree: it may be long."""
        text, operands, marks = ("||", "&&")[level], [self._binary(level + 1)], []
        while mark := self._takes(text):
            marks.append(mark.at)
            operands.append(self._binary(level + 1))
        return _balanced(f"_{text}_", operands, marks)

    def _binary(self, level: int) -> Node:
        if level == len(_BINARY):
            return self._unary()
        if level < _LOGICAL:
            return self._logical(level)
        left, chain = self._binary(level + 1), 0
        while self._next.kind in ("op", "ident") and self._next.text in _BINARY[level]:
            mark = self._take()
            right = self._binary(level + 1)
            chain += 1
            if chain > _CHAIN:
                raise self._error(mark.at, "expression recursion limit exceeded")
            function = "@in" if mark.text == "in" else f"_{mark.text}_"
            left = Call(mark.at, function, None, [left, right])
        return left

    def _unary(self) -> Node:
        mark = self._next
        if mark.kind != "op" or mark.text not in ("!", "-"):
            return self._member()
        marks = 0
        while self._takes(mark.text):
            marks += 1
        number = self._next
        if mark.text == "-" and type(number.value) in (int, float) and number.kind == "literal":
            if marks % 2:
                self._tokens[self._place] = number._replace(value=-number.value)
            return self._member()
        operand = self._nested(self._unary)
        return Call(mark.at, "!_" if mark.text == "!" else "-_", None, [operand]) if marks % 2 else operand

    def _member(self) -> Node:
        found, steps = self._primary(), 0
        while self._next.kind == "op" and self._next.text in (".", ".?", "[", "[?", "{"):
            mark, steps = self._take(), steps + 1
            if steps > _CHAIN:
                raise self._error(mark.at, "expression recursion limit exceeded")
            if mark.text == "{":
                found = self._message(found, mark)
                continue
            if mark.text in ("[", "[?"):
                index = self._expression()
                self._expect("]")
                found = Call(mark.at, "_[_]" if mark.text == "[" else "_[?_]", None, [found, index])
                continue
            name = self._take()
            if name.kind not in ("ident", "escaped"):
                self._place -= 1
                raise self._unexpected("IDENTIFIER")
            found = self._after_dot(found, mark, name)
        return found

    def _after_dot(self, target: Node, mark: Token, name: Token) -> Node:
        opened = self._takes("(") if name.kind == "ident" and mark.text == "." else None
        if opened is None:
            return Select(mark.at, target, name.text, optional=mark.text == ".?")
        args = self._arguments(")")
        return self._macro(target, name, opened, args) or Call(opened.at, name.text, target, args)

    def _arguments(self, end: str) -> list[Node]:
        args: list[Node] = []
        while not self._takes(end):
            if args:
                self._expect(",")
            args.append(self._expression())
        return args

    def _primary(self) -> Node:
        token = self._next
        if token.kind == "literal":
            return self._literal(self._take())
        if self._takes("("):
            found = self._expression()
            self._expect(")")
            return found
        if self._takes("[") or self._takes("[?"):
            return self._list(token)
        if self._takes("{"):
            return self._map(token)
        self._takes(".")
        name = self._take()
        if name.kind != "ident" or name.text == "in":
            self._place -= 1
            raise self._unexpected("an expression")
        return self._named(name)

    def _literal(self, token: Token) -> Node:
        value = token.value
        if type(value) is int and not -_MAX_INT - 1 <= value <= _MAX_INT:
            raise self._error(token.at, "Syntax error: invalid int literal")
        if type(value) is Uint and value > _MAX_UINT:
            raise self._error(token.at, "Syntax error: invalid uint literal")
        return Literal(token.at, value)

    def _named(self, name: Token) -> Node:
        if name.text in RESERVED:
            raise self._error(name.at, f"Syntax error: reserved identifier: {name.text}")
        opened = self._takes("(")
        if opened is None:
            return Ident(name.at, name.text)
        args = self._arguments(")")
        if name.text != "has":
            return Call(opened.at, name.text, None, args)
        if len(args) != 1 or not isinstance(args[0], Select):
            raise self._error(args[0].at if args else opened.at, "invalid argument to has() macro")
        return Test(opened.at, args[0].operand, args[0].field)

    def _list(self, opened: Token) -> Node:
        items: list[Node] = []
        optional = {0} if opened.text == "[?" else set[int]()
        while not self._takes("]"):
            if items:
                self._expect(",")
                if self._takes("]"):
                    break
            if self._takes("?"):
                optional.add(len(items))
            items.append(self._expression())
        return syntax.ListOf(opened.at, items, frozenset(optional))

    def _message(self, named: Node, opened: Token) -> Node:
        name = syntax.qualified(named)
        if not name:
            self._place -= 1
            raise self._unexpected("<EOF>")
        fields: list[tuple[str, Node]] = []
        optional: set[int] = set()
        while not self._takes("}"):
            if fields:
                self._expect(",")
                if self._takes("}"):
                    break
            if self._takes("?"):
                optional.add(len(fields))
            field = self._take()
            if field.kind not in ("ident", "escaped"):
                self._place -= 1
                raise self._unexpected("IDENTIFIER")
            self._expect(":")
            fields.append((field.text, self._expression()))
        return syntax.Message(opened.at, name, fields, frozenset(optional))

    def _map(self, opened: Token) -> Node:
        entries: list[tuple[Node, Node]] = []
        optional: set[int] = set()
        while not self._takes("}"):
            if entries:
                self._expect(",")
                if self._takes("}"):
                    break
            if self._takes("?"):
                optional.add(len(entries))
            key = self._expression()
            self._expect(":")
            entries.append((key, self._expression()))
        return syntax.MapOf(opened.at, entries, frozenset(optional))

    def _macro(self, target: Node, name: Token, opened: Token, args: list[Node]) -> Node | None:
        kind, count = name.text, len(args)
        if kind == "bind" and isinstance(target, Ident) and target.name == "cel" and count == 3:
            return Bind(opened.at, self._variable(args[0]), args[1], args[2])
        if kind in ("optMap", "optFlatMap") and count == 2:
            return Bind(opened.at, self._variable(args[0]), target, args[1], kind)
        kind = "exists_one" if kind == "existsOne" else kind
        if kind in _FOLDS and count == 2:
            return Fold(opened.at, kind, target, (self._variable(args[0]),), args[1])
        if kind == "map" and count == 3:
            return Fold(opened.at, kind, target, (self._variable(args[0]),), args[2], args[1])
        if (kind in _TWO_VARIABLE and count == 3) or (kind in _TRANSFORMS and count in (3, 4)):
            names = (self._variable(args[0]), self._variable(args[1]))
            if names[0] == names[1]:
                raise self._error(args[1].at, f"duplicate variable name: {names[0]}")
            return Fold(opened.at, kind, target, names, args[-1], args[2] if count == 4 else None)
        return None

    def _variable(self, node: Node) -> str:
        if not isinstance(node, Ident):
            raise self._error(node.at, "argument must be a simple name")
        return node.name


def _balanced(function: str, operands: list[Node], marks: list[int]) -> Node:
    if len(operands) == 1:
        return operands[0]
    middle = (len(operands) + 1) // 2
    left = _balanced(function, operands[:middle], marks[: middle - 1])
    right = _balanced(function, operands[middle:], marks[middle:])
    return Call(marks[middle - 1], function, None, [left, right])
