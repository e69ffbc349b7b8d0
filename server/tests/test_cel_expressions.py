# ruff: noqa: E501
"""Expressions: what they evaluate to, how they fail, what does not compile, what they cost."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.cel.cost import PER_CALL, Range
from server.cel.environment import Environment
from server.cel.errors import CelError, CompileError, CostExceeded, EvaluationError
from server.cel.estimate import estimate
from server.cel.types import DYN, Decl

SELF: dict[str, Any] = {
    "min": 1,
    "name": "web-1",
    "list": [{"name": f"a{number}", "v": number} for number in range(4)],
    "map": {"a": 1, "b": 2},
    "nothing": None,
}
VARIABLES = {"self": Decl(DYN)}


def value(expression: str, limit: int = PER_CALL) -> Any:
    return Environment(VARIABLES).compile(expression).evaluate({"self": SELF}, limit)[0]


TRUE = [
    "self.min == 1 && self.name.startsWith('web')",
    "has(self.min) && !has(self.max)",
    "self.list.all(x, x.v < 4) && self.list.exists(x, x.v == 3) && self.list.exists_one(x, x.name == 'a1')",
    "self.list.filter(x, x.v > 1).map(x, x.name) == ['a2', 'a3']",
    "self.map.all(k, self.map[k] > 0)",
    "self.map.transformMap(k, v, v + 1) == {'a': 2, 'b': 3}",
    "self.map.exists(k, v, k == 'b' && v == 2)",
    "[3, 1].transformList(i, v, i + v) == [3, 2]",
    "[1, 2, 3].map(x, x > 1, x * 2) == [4, 6]",
    "{'a': 1}.transformMapEntry(k, v, {v: k}) == {1: 'a'}",
    "self.?max.orValue(5) == 5 && self.?min.hasValue() && self[?'nope'].orValue(1) == 1",
    "optional.of(1).optMap(x, x + 1).value() == 2 && !optional.none().hasValue()",
    "[dyn(1), ?self.?nope, ?self.?min] == [1, 1]",
    "cel.bind(x, self.min, x + x) == 2",
    "false && 1 / 0 == 1 || true",
    "1 / 0 == 1 || true",
    "[0, 1].exists(x, 1 / x == 1)",
    "1 < 1.5 && 1u < 2 && dyn(1) == 1.0 && 1 != dyn('1') && dyn(true) != dyn(1)",
    "-7 / 2 == -3 && -7 % 2 == -1",
    "'a' + 'b' == \"ab\" && b'a' + b'b' == b'ab' && r'\\d' == '\\\\d' && '\\u00e9' == 'é'",
    "size('é') == 1 && 'abc'.size() == 3 && size([1]) == 1 && {'a': 1}.size() == 1",
    "1 in [1, 2] && 'a' in self.map && !('c' in self.map)",
    "int('42') == 42 && string(1.5) == '1.5' && double('1e3') == 1000.0 && uint(3) == 3u && bool('true')",
    "type(1) == int && type('a') == string && type([]) == list && type(timestamp(0)) == google.protobuf.Timestamp",
    "timestamp('2024-02-29T12:00:00Z') + duration('1h') == timestamp('2024-02-29T13:00:00Z')",
    "timestamp('2024-02-29T12:30:00Z').getHours('+02:00') == 14 && duration('90m').getHours() == 1",
    "string(duration('1h30m')) == '5400s' && string(timestamp(0)) == '1970-01-01T00:00:00Z'",
    "'abcabc'.indexOf('c') == 2 && 'abcabc'.lastIndexOf('c') == 5 && 'hello'.substring(1, 3) == 'el'",
    "'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c'] && ['a', 'b'].join('-') == 'a-b'",
    "' x '.trim() == 'x' && 'aXa'.lowerAscii() == 'axa' && 'aa'.replace('a', 'b', 1) == 'ba' && 'ab'.charAt(1) == 'b'",
    "'%s is %d years, %.1f%%, %x, %s'.format(['Al', 30, 12.34, 255, [1, 'a']]) == 'Al is 30 years, 12.3%, ff, [1, a]'",
    "'abc123'.matches('[0-9]+$') && 'abc 123'.find('[0-9]+') == '123' && 'a1b2'.findAll('[0-9]') == ['1', '2']",
    "[1, 2, 2].isSorted() && [1, 2].sum() == 3 && [1.5].sum() == 1.5 && ['b', 'a'].min() == 'a' && [3, 9].max() == 9",
    "[1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2",
    "sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && sets.intersects([1], [1, 2])",
    "quantity('1.5Gi').isGreaterThan(quantity('1Gi')) && quantity('1k').asInteger() == 1000 && isQuantity('1Mi')",
    "quantity('1').add(quantity('1')).compareTo(quantity('2')) == 0 && quantity('1').sub(2).sign() == -1",
    "ip('10.0.0.1').family() == 4 && ip('::1').isLoopback() && isIP('1.2.3.4') && !isIP('1.2.3')",
    "cidr('10.0.0.0/8').containsIP('10.1.1.1') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')",
    "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.0.0.0/8').prefixLength() == 8",
    "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-rc.1').compareTo(semver('1.0.0')) == -1",
    "semver('1.0.0-9').isLessThan(semver('1.0.0-10')) && semver('1.0.0-10').isLessThan(semver('1.0.0-a'))",
    "semver('v1.0', true).major() == 1 && !isSemver('v1.0') && isSemver('1.0.0+build')",
    "url('https://a.example.com:80/b?c=d').getHostname() == 'a.example.com' && !isURL('nope')",
    "url('https://h/p?k=v1&k=v2').getQuery() == {'k': ['v1', 'v2']}",
    "!format.dns1123Label().validate('ok').hasValue() && format.named('uuid').value().validate('x').hasValue()",
    "self.list[1].name == 'a1' && self['min'] == 1",
    "self.nothing == null",
]  # fmt: skip


@pytest.mark.parametrize("expression", TRUE)
def test_expressions_have_the_value_that_they_have_in_kubernetes(expression: str) -> None:
    assert value(expression) is True


FAILED = [
    ("1 / 0 == 1", "division by zero"),
    ("1 % 0 == 1", "modulus by zero"),
    ("9223372036854775807 + 1 > 0", "integer overflow"),
    ("self.nope", "no such key: nope"),
    ("self.list[9] == 1", "index out of bounds: 9"),
    ("self.name + 1 == 1", "no such overload"),
    ("optional.none().value()", "optional.none() dereference"),
    ("'a'.matches('[' + '')", "error parsing regexp: missing closing ]: `[`"),
    ("int('x') == 1", 'strconv.ParseInt: parsing "x": invalid syntax'),
    ("'abc'.substring(5) == ''", "index out of range: 5"),
    ("[0, 1].all(x, 1 / x == 1)", "division by zero"),
]


@pytest.mark.parametrize(("expression", "message"), FAILED)
def test_evaluation_fails_in_upstreams_words(expression: str, message: str) -> None:
    found = value(expression)
    assert isinstance(found, EvaluationError)
    assert str(found) == message


REFUSED = [
    ("nope", "ERROR: <input>:1:1: undeclared reference to 'nope' (in container '')\n | nope\n | ^"),
    ("'a'.nope()", "undeclared reference to 'nope'"),
    ("1 + 'a'", "1:3: found no matching overload for '_+_' applied to '(int, string)'\n | 1 + 'a'\n | ..^"),
    ("'a'.startsWith(1)", "found no matching overload for 'startsWith' applied to 'string.(int)'"),
    ("size(1)", "found no matching overload for 'size' applied to '(int)'"),
    ("'a'.b", "type 'string' does not support field selection"),
    ("1.all(x, true)", "expression of type 'int' cannot be range of a comprehension"),
    ("[1].all(x, x)", "expected type 'bool' but found 'int'"),
    ("[1].all(x.y, true)", "argument must be a simple name"),
    ("has(self)", "invalid argument to has() macro"),
    ("1 +", "Syntax error"),
    ("'abc", "Syntax error"),
    ("for", "reserved identifier: for"),
    ("9223372036854775808", "invalid int literal"),
    ("[1, 'a'].size() == 2", "expected type 'int' but found 'string'"),
    ("{'a': 1, 'b': 'c'}.size() == 2", "expected type 'int' but found 'string'"),
    ("duration('soon') > duration('1s')", "invalid duration argument"),
    ("timestamp('soon') > timestamp(0)", "invalid timestamp argument"),
    ("'a'.matches('[')", "invalid matches argument"),
    ("(" * 100 + "1" + ")" * 100, "recursion limit exceeded"),
]


@pytest.mark.parametrize(("expression", "message"), REFUSED)
def test_what_does_not_fit_does_not_compile(expression: str, message: str) -> None:
    with pytest.raises(CompileError) as caught:
        Environment(VARIABLES).compile(expression)
    assert message in str(caught.value)


def test_logical_chains_may_be_long() -> None:
    assert value(" || ".join(["false"] * 500 + ["true"])) is True


COSTS = [
    ("self.min == 1", 3),
    ("has(self.min)", 1),
    ("'abcdefghijk' + 'x' == ''", 2),
    ("[1, 2]", 10),
    ("[1, 2].all(x, x > 0)", 21),
    ("[1, 2].map(x, x)", 47),
    ("'aaaaaaaaaaaaaaaaaaaa'.matches('a{20}')", 6),
]


@pytest.mark.parametrize(("expression", "cost"), COSTS)
def test_evaluation_counts_upstreams_units(expression: str, cost: int) -> None:
    assert Environment(VARIABLES).compile(expression).evaluate({"self": SELF})[1] == cost


@pytest.mark.parametrize(
    ("expression", "cost"),
    [
        ("true", Range(0, 0)),
        ("self == self", Range(2, 2)),
        ("[1, 2].all(x, x > 0)", Range(21, 21)),
        ("'abcdefghijk' == 'abcdefghijk'", Range(1, 2)),
        ("[1, 2].exists(x, x > 0)", Range(23, 23)),
    ],
)
def test_costs_are_estimated(expression: str, cost: Range) -> None:
    assert estimate(Environment(VARIABLES).check(expression), VARIABLES) == cost


GREEDY = [
    "[1,2,3,4,5,6,7,8,9,0].all(a, [1,2,3,4,5,6,7,8,9,0].all(b, [1,2,3,4,5,6,7,8,9,0].all(c,"
    " [1,2,3,4,5,6,7,8,9,0].all(d, [1,2,3,4,5,6,7,8,9,0].all(e, [1,2,3,4,5,6,7,8,9,0].all(f, a + f >= 0))))))",
    "cel.bind(a, [1,2,3,4,5,6,7,8,9,0], " * 30 + "a" + " + a)" * 30 + ".size() > 0",
    "'a'" + ".replace('a', 'aaaaaaaaaaaaaaaaaaaa')" * 20 + " == ''",
    "cel.bind(a, self.list + self.list, " + "cel.bind(a, a + a, " * 40 + "a.size() > 0" + ")" * 41,
]


@pytest.mark.parametrize("expression", GREEDY)
def test_no_expression_takes_more_than_it_may(expression: str) -> None:
    begun = time.process_time()
    found = value(expression)
    assert isinstance(found, CostExceeded | bool)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "expression",
    [
        "semver('1.0.0-' + self.digits).major() == 1",
        "int(self.digits) == 1",
        "quantity(self.digits).sign() == 1",
        "url('https://h/?' + self.fields).getQuery().size() == 1",
        "duration(self.digits + 's') > duration('1s')",
        "double(self.digits) > 1.0",
        "'%' + self.digits + 'f' == ''",
        "timestamp(0).getHours(self.digits) == 1",
    ],
)
def test_enormous_texts_are_errors_at_most(expression: str) -> None:
    program = Environment(VARIABLES).compile(expression)
    found, _ = program.evaluate({"self": {"digits": "9" * 9000, "fields": "a=1&" * 2000}})
    assert isinstance(found, bool | EvaluationError)


_PIECES = st.sampled_from(
    [
        "self",
        ".",
        "a",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ":",
        "?",
        ".?",
        "[?",
        "1",
        "1.5",
        "2u",
        "'x'",
        "b'y'",
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        "&&",
        "||",
        "!",
        "in",
        "has",
        "all",
        "map",
        "exists",
        "x",
        "size",
        "format",
        "string",
        "int",
        "true",
        "null",
        "matches",
        "replace",
        "optional",
        "of",
        "cel",
        "bind",
        "timestamp",
        "duration",
        "sum",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_PIECES, max_size=12) | st.text(max_size=20))
def test_arbitrary_text_compiles_or_is_refused(pieces: list[str] | str) -> None:
    source = pieces if isinstance(pieces, str) else " ".join(pieces)
    try:
        program = Environment(VARIABLES).compile(source)
    except CelError:
        return
    estimate(program.checked, VARIABLES)
    program.evaluate({"self": SELF})


@pytest.mark.parametrize(
    "expression",
    [
        "[?optional.of(1), 2] == [1, 2]",
        "[? optional.none()].size() == 0",
        "[optional.of(1)].unwrapOpt() == [1]",
        "[1, 2].first().value() == 1 && [1, 2].last().value() == 2 && !dyn([]).first().hasValue()",
    ],
)
def test_optional_elements(expression: str) -> None:
    environment = Environment({})
    assert environment.program(environment.check(expression)).evaluate({})[0] is True
