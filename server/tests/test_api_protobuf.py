"""Bodies in protobuf, encoded here by hand as a Go client would."""

from typing import Any

import pytest

from kubeling.objects.errors import BadRequest, UnsupportedMediaType
from server.api.protobuf import MAGIC, decode_object


def number(value: int) -> bytes:
    pieces = bytearray()
    while value > 0x7F:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*pieces, value])


def field(key: int, value: bytes | str | int | bool) -> bytes:
    if isinstance(value, int):
        return number(key << 3) + number(value)
    data = value.encode() if isinstance(value, str) else value
    return number(key << 3 | 2) + number(len(data)) + data


def body(api_version: str, kind: str, *content: bytes) -> bytes:
    return MAGIC + field(1, field(1, api_version) + field(2, kind)) + field(2, b"".join(content))


def pod(*container: bytes) -> Any:
    spec = field(2, field(1, "c") + b"".join(container))
    return decode_object(body("v1", "Pod", field(1, field(1, "p")), field(2, spec)))["spec"]["containers"][0]


def test_an_object_is_what_its_json_would_be() -> None:
    metadata = field(1, "m") + field(11, field(1, "app") + field(2, "x")) + field(8, field(1, 1700000000))
    content = [
        field(1, metadata),
        field(2, field(1, "k") + field(2, "v")),
        field(3, field(1, "b") + field(2, b"\0")),
    ]
    assert decode_object(body("v1", "ConfigMap", *content)) == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "m", "labels": {"app": "x"}, "creationTimestamp": "2023-11-14T22:13:20Z"},
        "data": {"k": "v"},
        "binaryData": {"b": "AA=="},
    }


def test_empty_values_are_left_out_unless_they_mean_something() -> None:
    """hostPort is a plain number, tty a plain flag; runAsUser and privileged are pointers."""
    port = field(6, field(2, 0) + field(3, 80) + field(4, ""))
    security = field(15, field(2, False) + field(4, 0))
    assert pod(port, security, field(18, False)) == {
        "name": "c",
        "ports": [{"containerPort": 80}],
        "securityContext": {"privileged": False, "runAsUser": 0},
    }


def test_quantities_and_numbers_or_texts() -> None:
    limits = field(8, field(1, field(1, "cpu") + field(2, field(1, "100m"))))
    probe = field(10, field(1, field(2, field(2, field(1, 1) + field(3, "http")))))
    assert pod(limits, probe) == {
        "name": "c",
        "resources": {"limits": {"cpu": "100m"}},
        "livenessProbe": {"httpGet": {"port": "http"}},
    }


def test_an_empty_message_that_is_there_stays() -> None:
    volume = field(1, field(1, "v") + field(2, field(2, b"")))
    decoded = decode_object(body("v1", "Pod", field(2, volume)))
    assert decoded["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]


def test_negative_numbers() -> None:
    toleration = field(22, field(5, (1 << 64) - 1))
    decoded = decode_object(body("v1", "Pod", field(2, toleration)))
    assert decoded["spec"]["tolerations"] == [{"tolerationSeconds": -1}]


def test_unknown_fields_are_passed_over() -> None:
    assert decode_object(body("v1", "ConfigMap", field(999, "x"), field(998, 1))) == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
    }


def test_delete_options_belong_to_every_group() -> None:
    assert decode_object(body("apps/v1", "DeleteOptions", field(1, 0)))["gracePeriodSeconds"] == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        MAGIC + b"\x0a\xff",
        MAGIC + b"\x0b",
        body("v1", "Pod", b"\x0a\x7f"),
        body("v1", "Pod", b"\xff" * 20),
    ],
)
def test_malformed_bytes_are_a_bad_request(data: bytes) -> None:
    with pytest.raises((BadRequest, UnsupportedMediaType)):
        decode_object(data)


def test_a_kind_without_a_known_layout_should_come_as_json() -> None:
    with pytest.raises(UnsupportedMediaType, match="application/json"):
        decode_object(body("example.org/v1", "Thing"))
