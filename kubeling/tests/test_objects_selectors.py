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
