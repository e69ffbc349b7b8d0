"""SPDY/3.1 frames: encoding, decoding, and what is refused."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeling.streams.errors import ProtocolError
from kubeling.streams.spdy_frames import (
    Data,
    Frame,
    FrameDecoder,
    FrameEncoder,
    GoAway,
    Headers,
    Ping,
    RstStream,
    Settings,
    SynReply,
    SynStream,
    WindowUpdate,
)
from kubeling.streams.spdy_header_block import DICTIONARY

FRAMES: list[Frame] = [
    SynStream(1, {"streamtype": "stdin", "port": "8080"}, priority=3),
    SynStream(3, {}, fin=True, unidirectional=True, associated=1),
    SynReply(1, {"x": "y"}, fin=True),
    Headers(1, {"a": ""}),
    Data(1, b"\x00\xff" * 1000),
    Data(3, b"", True),
    RstStream(3, 5),
    Settings({7: 1024, 4: 100}),
    Ping(7),
    GoAway(3, 0),
    WindowUpdate(1, 65536),
]


def test_the_dictionary_is_that_of_the_specification() -> None:
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


@given(st.integers(min_value=1, max_value=64))
def test_frames_survive_any_cutting_of_the_bytes(size: int) -> None:
    encoder, decoder = FrameEncoder(), FrameDecoder()
    raw = b"".join(encoder.encode(frame) for frame in FRAMES)
    decoded = [frame for at in range(0, len(raw), size) for frame in decoder.feed(raw[at : at + size])]
    assert decoded == FRAMES


def test_data_frame_layout() -> None:
    assert FrameEncoder().encode(Data(5, b"ab", True)) == b"\x00\x00\x00\x05\x01\x00\x00\x02ab"


def test_ping_frame_layout() -> None:
    assert FrameEncoder().encode(Ping(2)) == b"\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x02"


def test_header_names_are_sent_in_lower_case() -> None:
    raw = FrameEncoder().encode(SynStream(1, {"StreamType": "Error"}))
    (frame,) = FrameDecoder().feed(raw)
    assert isinstance(frame, SynStream)
    assert frame.headers == {"streamtype": "Error"}


def test_headers_are_compressed_over_the_whole_connection() -> None:
    encoder = FrameEncoder()
    first, second = (encoder.encode(SynStream(n, {"streamtype": "stdout"})) for n in (1, 3))
    assert len(second) < len(first)


def test_unknown_control_frames_are_ignored() -> None:
    unknown = b"\x80\x03\x00\x0b\x00\x00\x00\x01x"
    assert list(FrameDecoder().feed(unknown + FrameEncoder().encode(Ping(1)))) == [Ping(1)]


@pytest.mark.parametrize(
    "raw",
    [
        b"\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x02",  # version 2
        b"\x80\x03\x00\x01\x00\x00\x00\x02ab",  # too short for its kind
        b"\x80\x03\x00\x02\x00\x00\x00\x08\x00\x00\x00\x01junk",  # not compressed
    ],
)
def test_malformed_frames_are_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(FrameDecoder().feed(raw))


def test_a_header_bomb_is_refused() -> None:
    compressor = zlib.compressobj(zdict=DICTIONARY)
    block = compressor.compress(bytes(8 * 1024 * 1024)) + compressor.flush(zlib.Z_SYNC_FLUSH)
    content = b"\x00\x00\x00\x01" + block
    raw = b"\x80\x03\x00\x02" + len(content).to_bytes(4, "big") + content
    with pytest.raises(ProtocolError, match="too large"):
        list(FrameDecoder().feed(raw))


@given(st.binary(max_size=200))
def test_garbage_never_does_worse_than_a_protocol_error(raw: bytes) -> None:
    try:
        list(FrameDecoder().feed(raw))
    except ProtocolError:
        return
