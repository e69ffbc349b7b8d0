"""Bodies in protobuf, encoded here by hand as a Go client would."""

import struct
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


def schema(*content: bytes) -> Any:
    """The schema of a CustomResourceDefinition's only version, as it is decoded."""
    version = field(1, "v1") + field(2, True) + field(3, True) + field(4, field(1, b"".join(content)))
    spec = field(1, "example.com") + field(4, "Namespaced") + field(7, version)
    sent = body("apiextensions.k8s.io/v1", "CustomResourceDefinition", field(2, spec))
    return decode_object(sent)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def text_schema() -> bytes:
    return field(5, "string")


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (field(24, field(1, text_schema())), {"items": {"type": "string"}}),
        (field(24, field(2, text_schema())), {"items": [{"type": "string"}]}),
        (field(30, field(1, True)), {"additionalProperties": True}),
        (field(30, field(1, False)), {"additionalProperties": False}),
        (field(30, field(1, True) + field(2, text_schema())), {"additionalProperties": {"type": "string"}}),
        (field(8, field(1, b'{"a":[1]}')), {"default": {"a": [1]}}),
        (field(20, field(1, b'"x"')) + field(20, field(1, b"null")), {"enum": ["x", None]}),
        (field(29, field(1, "a") + field(2, text_schema())), {"properties": {"a": {"type": "string"}}}),
        (number(9 << 3 | 1) + struct.pack("<d", 10), {"maximum": 10}),
        (number(11 << 3 | 1) + struct.pack("<d", 0.5), {"minimum": 0.5}),
        (field(38, True) + field(40, False), {"x-kubernetes-preserve-unknown-fields": True}),
        (field(44, field(1, "self > 1")), {"x-kubernetes-validations": [{"rule": "self > 1"}]}),
    ],
)
def test_schemas_of_custom_resources(sent: bytes, read: Any) -> None:
    found = schema(sent)
    assert found == read
    assert [type(each) for each in found.values()] == [type(each) for each in read.values()]


def test_every_kind_that_the_numbers_are_known_of_is_read() -> None:
    spec = field(7, 100) + field(8, 15) + field(1, field(1, "ns") + field(2, "s") + field(3, 443))
    sent = body("apiregistration.k8s.io/v1", "APIService", field(1, field(1, "v1.a.b")), field(2, spec))
    assert decode_object(sent)["spec"] == {
        "groupPriorityMinimum": 100,
        "versionPriority": 15,
        "service": {"namespace": "ns", "name": "s", "port": 443},
    }
    request = field(1, "r") + field(2, field(1, "c") + field(3, "ExactCount") + field(4, 1))
    claim = field(2, field(1, field(1, request)))
    decoded = decode_object(body("resource.k8s.io/v1", "ResourceClaim", claim))
    assert decoded["spec"]["devices"]["requests"] == [
        {"name": "r", "exactly": {"deviceClassName": "c", "allocationMode": "ExactCount", "count": 1}}
    ]
