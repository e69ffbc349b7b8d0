from typing import Any

import pytest

from kubeling.objects.errors import BadRequest
from server.api.bodies import MAX_DEPTH, decode, decode_object, misread_json
from server.api.negotiation import JSON, YAML


def test_yaml_means_what_the_same_json_means() -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\ndata:\n  day: 2026-01-02\n  answer: 'no'\n"
    assert decode(body, YAML) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "data": {"day": "2026-01-02", "answer": "no"},
    }


@pytest.mark.parametrize(
    ("body", "media"), [(b"{", JSON), (b"", JSON), (b"\xff", JSON), (b"a: [", YAML), (b"a: *b", YAML)]
)
def test_a_malformed_body_is_a_bad_request(body: Any, media: Any) -> None:
    with pytest.raises(BadRequest, match=r"end of JSON|invalid character|str is not|not valid YAML"):
        decode(body, media)


def test_aliases_cannot_make_a_small_body_large() -> None:
    with pytest.raises(BadRequest, match="aliases are not accepted"):
        decode(b"a: &x [1]\nb: *x\n", YAML)


def test_depth_is_bounded() -> None:
    assert decode(b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1), JSON)
    with pytest.raises(BadRequest, match="nested deeper"):
        decode(b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2), JSON)


def test_a_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(BadRequest, match="cannot unmarshal array into Go value of type struct"):
        decode_object(b"[1]", JSON)


@pytest.mark.parametrize(
    ("body", "duplicates"),
    [
        (b'{"a": 1, "b": {"a": 2}}', ()),
        (b'{"a": "x:y:z"}', ()),
        (b'{"a": 1, "a": 2}', ('duplicate field "a"',)),
    ],
)
def test_fields_that_come_twice_are_found(body: Any, duplicates: Any) -> None:
    misread = misread_json(body, decode(body, JSON))
    assert (misread.told if misread else ()) == duplicates
