import pytest

from kubeling.objects.fields import FieldSelectorError, parse_field_selector
from kubeling.objects.labels import SelectorError, from_label_selector, parse_selector


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("", {}, True),
        ("a=1", {"a": "1"}, True),
        ("a==1,b!=2", {"a": "1"}, True),
        ("a==1,b!=2", {"a": "1", "b": "2"}, False),
        ("a in (1, 2)", {"a": "2"}, True),
        ("a notin (1,2)", {}, True),
        ("a notin (1,2)", {"a": "1"}, False),
        ("example.com/a", {"example.com/a": ""}, True),
        ("!a", {"a": ""}, False),
        ("! a", {}, True),
        ("a=", {"a": ""}, True),
        ("a=", {}, False),
        ("a in (,x)", {"a": ""}, True),
        ("n > 3", {"n": "4"}, True),
        ("n<3", {"n": "x"}, False),
    ],
)
def test_a_label_selector_matches_as_upstream(text: str, labels: dict[str, str], matches: bool) -> None:
    assert parse_selector(text).matches(labels) is matches


@pytest.mark.parametrize(
    "text", ["a=b=c", "=b", "a in b", "a in (b", "a,", ",a", "a b", "a=-", "x/y/z=1", "n>q"]
)
def test_a_malformed_label_selector_is_refused(text: str) -> None:
    with pytest.raises(SelectorError):
        parse_selector(text)


def test_a_null_label_selector_matches_nothing_and_an_empty_one_everything() -> None:
    assert not from_label_selector(None).matches({"a": "b"})
    assert from_label_selector({}).matches({"a": "b"})


def test_a_label_selector_object_needs_both_of_its_halves() -> None:
    selector = from_label_selector(
        {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["2"]}]}
    )
    assert selector.matches({"a": "1"})
    assert not selector.matches({"a": "1", "b": "2"})
    with pytest.raises(SelectorError, match="not a valid label selector operator"):
        from_label_selector({"matchExpressions": [{"key": "b", "operator": "Near", "values": ["2"]}]})


def test_field_selectors_split_escape_and_negate() -> None:
    selector = parse_field_selector(r"metadata.name=a\,b,spec.nodeName!=n,status.phase==Running")
    assert selector.requirements == (
        ("metadata.name", "=", "a,b"),
        ("spec.nodeName", "!=", "n"),
        ("status.phase", "=", "Running"),
    )
    assert selector.exact("status.phase") == "Running"
    assert selector.exact("spec.nodeName") is None
    fields = {"metadata.name": "a,b", "status.phase": "Running"}
    assert selector.matches(lambda path: fields.get(path, ""))
    assert not selector.matches(lambda path: "n")


@pytest.mark.parametrize("text", ["metadata.name", r"a=\x", "a=b=c", "a=b\\"])
def test_a_malformed_field_selector_is_refused(text: str) -> None:
    with pytest.raises(FieldSelectorError):
        parse_field_selector(text)


_NAME = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
    " alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (=", "unable to parse requirement: found '=', expected: ',', ')' or identifier"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=!", "unable to parse requirement: found '!', expected: identifier"),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("-a", f'unable to parse requirement: <nil>: Invalid value: "-a": {_NAME}'),
        (
            "a>b",
            "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the"
            " value must be an integer",
        ),
        (
            f"a={'x' * 64}",
            f'unable to parse requirement: values[0][a]: Invalid value: "{"x" * 64}": must be no more than 63'
            " bytes",
        ),
    ],
)
def test_what_is_wrong_with_a_label_selector_is_said_as_upstream_does(text: str, message: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_selector(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", "invalid selector: 'foo'; can't understand 'foo'"),
        ("a=b,foo", "invalid selector: 'a=b,foo'; can't understand 'foo'"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
    ],
)
def test_what_is_wrong_with_a_field_selector_is_said_as_upstream_does(text: str, message: str) -> None:
    with pytest.raises(FieldSelectorError) as caught:
        parse_field_selector(text)
    assert str(caught.value) == message


def test_numbers_in_selectors_are_of_digits_only() -> None:
    assert not parse_selector("n>5").matches({"n": "1_0"})
    assert not parse_selector("n>5").matches({"n": "9" * 20})
