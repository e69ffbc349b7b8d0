"""Protobuf's wire format, as far as containerd's own services need it."""

import pytest
from cri_api.v1 import api_pb2 as cri

from runtime.cri import wire


def test_fields_of_a_real_message_are_found() -> None:
    message = cri.VersionResponse(version="0.1.0", runtime_name="containerd", runtime_version="x" * 300)
    assert wire.fields(message.SerializeToString()) == {1: b"0.1.0", 2: b"containerd", 3: b"x" * 300}


def test_numbers_are_skipped() -> None:
    message = cri.ContainerStatus(id="abc", created_at=2**60, exit_code=-1, reason="Error")
    found = wire.fields(message.SerializeToString())
    assert (found[1], found[10]) == (b"abc", b"Error")


def test_an_encoded_field_is_what_protobuf_writes() -> None:
    text = "é" * 200
    assert wire.field(1, text) == cri.VersionRequest(version=text).SerializeToString()


@pytest.mark.parametrize("raw", [b"\x0a\x05ab", b"\x0a", b"\xff\xff", b"\x0b"])
def test_what_is_cut_off_or_malformed_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="malformed"):
        wire.fields(raw)


def test_numbers_and_flags() -> None:
    message = wire.flag(2) + wire.field(1, "a") + b"\x18\xac\x02"
    assert wire.numbers(message) == {2: 1, 3: 300}
    assert wire.fields(message) == {1: b"a"}
