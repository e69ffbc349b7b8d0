"""What an expression may cost at most, from the types and the sizes that the schema allows."""

from server.cel import syntax
from server.cel.check import Checked
from server.cel.cost import LIST, MAP, MOST, ONE, REGEX, STRING, UNKNOWN, ZERO, Range, scaled
from server.cel.syntax import Bind, Call, Fold, Ident, Literal, Node, Select, Test
from server.cel.types import Decl

_SCALARS = frozenset({"bool", "int", "uint", "double", "null", "timestamp", "duration"})
_TEXTS = frozenset({"string", "bytes"})
_FORMAT_REGEX = 128 * REGEX
_APPEND = Range(12, 12)
_LOOPS = {"all": 3, "exists": 4, "exists_one": 1}
_NETWORK = Range(4, 16)


def estimate(checked: Checked, variables: dict[str, Decl]) -> Range:
    """The range of the costs."""
    return _Estimator(checked, variables).cost(checked.root)


class _Estimator:
    def __init__(self, checked: Checked, variables: dict[str, Decl]) -> None:
        self._checked = checked
        self._variables = variables
        self._scopes: list[dict[str, tuple[Decl | None, Range | None]]] = []
        self._decls: dict[Node, Decl | None] = {}
        self._sizes: dict[Node, Range] = {}

    def cost(self, node: Node) -> Range:
        match node:
            case Literal():
                return ZERO
            case Ident():
                return self._ident(node)
            case Select():
                return self._select(node)
            case Test():
                return self.cost(node.operand)
            case Call():
                return self._call(node)
            case syntax.ListOf():
                return sum((self.cost(each) for each in node.items), Range(LIST, LIST))
            case syntax.MapOf():
                costs = [self.cost(each) for entry in node.entries for each in entry]
                return sum(costs, Range(MAP, MAP))
            case Fold():
                return self._fold(node)
            case Bind():
                return self._bind(node)
        raise AssertionError(node)

    def _ident(self, node: Ident) -> Range:
        if node in self._checked.type_names:
            return ZERO
        for scope in reversed(self._scopes):
            if node.name in scope:
                self._decls[node], size = scope[node.name]
                if size is not None:
                    self._sizes[node] = size
                return ONE
        self._decls[node] = self._variables.get(node.name)
        return ONE

    def _select(self, node: Select) -> Range:
        if node in self._checked.type_names:
            return ZERO
        found = self.cost(node.operand)
        field = self._checked.fields.get(node)
        operand = self._decls.get(node.operand)
        if field is not None and operand is not None:
            self._decls[node] = field.decl
        elif operand is not None and operand.type.name == "map":
            self._decls[node] = operand.element
        return found + ONE

    def _size(self, node: Node) -> Range:
        if node in self._sizes:
            return self._sizes[node]
        match node:
            case Literal(value=str() as text):
                return Range(len(text.encode()), len(text.encode()))
            case Literal(value=bytes() as raw):
                return Range(len(raw), len(raw))
            case Literal():
                return ONE
            case syntax.ListOf():
                return Range(len(node.items), len(node.items))
            case syntax.MapOf():
                return Range(len(node.entries), len(node.entries))
        decl = self._decls.get(node)
        if decl is not None:
            return Range(0, decl.max_elements)
        return ONE if self._checked.types[node].name in _SCALARS else UNKNOWN

    def _fold(self, node: Fold) -> Range:
        over = self.cost(node.over)
        count = self._size(node.over)
        decl = self._decls.get(node.over)
        self._scopes.append(self._loop_scope(node, decl))
        result = self.cost(node.result)
        when = self.cost(node.when) if node.when is not None else None
        self._scopes.pop()
        if node.kind in _LOOPS:
            step = result + Range(_LOOPS[node.kind], _LOOPS[node.kind])
            if node.kind == "exists_one":
                step = result + Range(1, 2)
            return over + count * step + (Range(3, 3) if node.kind == "exists_one" else ONE)
        self._sizes[node] = Range(0, count.most)
        made = result + _APPEND if node.kind != "filter" else result + Range(1, 13)
        step = made if when is None else when + (ONE | made)
        start = MAP if node.kind.startswith("transformMap") else LIST
        return over + Range(start + 1, start + 1) + count * step

    def _loop_scope(self, node: Fold, decl: Decl | None) -> dict[str, tuple[Decl | None, Range | None]]:
        if decl is None:
            return dict.fromkeys(node.names, (None, None))
        if len(node.names) == 1:
            first = decl.key if decl.type.name == "map" else decl.element
            return {node.names[0]: (first, None)}
        return {node.names[0]: (decl.key, None), node.names[1]: (decl.element, None)}

    def _bind(self, node: Bind) -> Range:
        value = self.cost(node.value)
        self._scopes.append({node.name: (self._decls.get(node.value), self._sizes.get(node.value))})
        result = self.cost(node.result)
        self._scopes.pop()
        if node.result in self._sizes:
            self._sizes[node] = self._sizes[node.result]
        return value + result + (Range(1, 10) if node.kind == "bind" else ONE)

    def _call(self, node: Call) -> Range:
        args = list(node.args)
        if node.target is not None and node not in self._checked.qualified:
            args.insert(0, node.target)
        costs = [self.cost(each) for each in args]
        if node.function in ("_&&_", "_||_"):
            return Range(costs[0].least, (costs[0] + costs[1]).most)
        if node.function == "_?_:_":
            self._sizes[node] = self._size(args[1]) | self._size(args[2])
            return costs[0] + (costs[1] | costs[2])
        found: Range | None = None
        for overload in self._checked.overloads[node]:
            own = self._own(node, overload.cost, overload.id, args)
            found = own if found is None else found | own
        self._index(node, args)
        return sum(costs, found or ONE)

    def _index(self, node: Call, args: list[Node]) -> None:
        decl = self._decls.get(args[0]) if args else None
        if node.function in ("_[_]", "_[?_]") and decl is not None:
            self._decls[node] = decl.element

    def _own(self, node: Call, formula: str, overload: str, args: list[Node]) -> Range:
        """The cost of a call itself, with a note of how large its result can be."""
        match formula:
            case "scan" | "convert":
                self._note_scan(node, overload, args[0])
                return self._size(args[0]).scaled(STRING)
            case "scan_twice":
                self._note_text(node, args)
                return self._size(args[0]).scaled(2 * STRING)
            case "result_twice":
                return self._join(node, args)
            case "prefix":
                return self._size(args[1]).scaled(STRING)
            case "in_list":
                return self._size(args[1])
            case "compare":
                return self._compare(args)
            case "concat":
                self._sizes[node] = self._size(args[0]) + self._size(args[1])
                return self._sizes[node].scaled(STRING)
            case "regex":
                self._sizes[node] = Range(0, self._size(args[0]).most)
                return (self._size(args[0]) + ONE).scaled(STRING) * self._size(args[1]).scaled(REGEX)
            case "substring_search":
                return self._size(args[0]).scaled(STRING) * self._size(args[1]).scaled(STRING)
            case "traverse":
                return self._traverse(args[0])
        return self._rare(node, formula, overload, args)

    def _rare(self, node: Call, formula: str, overload: str, args: list[Node]) -> Range:
        match formula:
            case "product":
                return self._size(args[0]) * self._size(args[1])
            case "format":
                return self._size(args[1]).scaled(STRING).scaled(_FORMAT_REGEX)
            case "network":
                return self._network(node, args)
            case "format_text":
                return self._size(args[0]).scaled(STRING)
            case "check":
                return Range(350_000, 350_000)
        if overload == "add_list":
            self._sizes[node] = self._size(args[0]) + self._size(args[1])
        return ONE

    def _note_scan(self, node: Call, overload: str, arg: Node) -> None:
        size = self._size(arg)
        if overload == "string_to_bytes":
            size = Range(size.least, min(size.most * 4, MOST))
        self._sizes[node] = size

    def _note_text(self, node: Call, args: list[Node]) -> None:
        size = self._size(args[0])
        if node.function != "replace":
            self._sizes[node] = Range(0, size.most)
            return
        old, new = self._size(args[1]), self._size(args[2])
        if old.least == 0:
            self._sizes[node] = Range(0, min(size.most + (size.most + 1) * new.most, MOST))
        elif new.most <= old.least:
            self._sizes[node] = Range(0, size.most)
        else:
            self._sizes[node] = Range(0, min(scaled(size.most, 1 / old.least) * new.most, MOST))

    def _join(self, node: Call, args: list[Node]) -> Range:
        items, element = self._size(args[0]), self._element_size(args[0])
        size = items * element
        if len(args) > 1:
            gaps = Range(max(items.least - 1, 0), max(items.most - 1, 0))
            size = size + self._size(args[1]) * gaps
        self._sizes[node] = size
        return size.scaled(STRING)

    def _element_size(self, node: Node) -> Range:
        decl = self._decls.get(node)
        if decl is not None and decl.element is not None:
            return Range(0, decl.element.max_elements)
        if isinstance(node, syntax.ListOf) and node.items:
            sizes = [self._size(each) for each in node.items]
            return Range(min(each.least for each in sizes), max(each.most for each in sizes))
        return UNKNOWN

    def _traverse(self, node: Node) -> Range:
        kind = self._checked.types[node]
        if kind.name != "list":
            return self._size(node).scaled(STRING)
        each = ONE
        if kind.params and kind.params[0].name in _TEXTS:
            each = ONE + self._element_size(node).scaled(STRING)
        return self._size(node) * each

    def _compare(self, args: list[Node]) -> Range:
        kind = self._checked.types[args[0]]
        if kind.name in ("net.IP", "net.CIDR") or kind.name.startswith("kubernetes."):
            return ONE
        most = min(self._size(args[0]).most, self._size(args[1]).most)
        return Range(1 if most else 0, most).scaled(STRING)

    def _network(self, node: Call, args: list[Node]) -> Range:
        found = (_NETWORK + _NETWORK).scaled(STRING)
        if node.function == "containsCIDR":
            found = found + _NETWORK.scaled(STRING) + ONE
        parsed = self._checked.types[args[1]].name == "string"
        return found + self._size(args[1]).scaled(STRING) if parsed else found
