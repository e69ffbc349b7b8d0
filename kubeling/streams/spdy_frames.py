"""SPDY/3.1 frames to bytes and back (SPDY/3 draft, section 2). No I/O; the only state is compression."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kubeling.streams.errors import ProtocolError
from kubeling.streams.spdy_header_block import HeaderCompressor, HeaderDecompressor

FIN = 0x01
UNIDIRECTIONAL = 0x02
INITIAL_WINDOW_SIZE = 7  # id of a setting
PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL = 1, 2, 3, 5  # RST_STREAM status codes

_VERSION = 3
_CONTROL = 0x8000
_ID_MASK = 0x7FFFFFFF
_HEADER = 8  # bytes before every frame's content


@dataclass(frozen=True, slots=True)
class Data:
    stream: int
    data: bytes
    fin: bool = False


@dataclass(frozen=True, slots=True)
class SynStream:
    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fin: bool = False
    unidirectional: bool = False
    associated: int = 0
    priority: int = 0


@dataclass(frozen=True, slots=True)
class SynReply:
    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Headers:
    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fin: bool = False


@dataclass(frozen=True, slots=True)
class RstStream:
    stream: int
    status: int = CANCEL


@dataclass(frozen=True, slots=True)
class Settings:
    values: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Ping:
    id: int


@dataclass(frozen=True, slots=True)
class GoAway:
    last_stream: int
    status: int = 0


@dataclass(frozen=True, slots=True)
class WindowUpdate:
    """stream 0 is the window of the whole session."""

    stream: int
    delta: int


Frame = Data | SynStream | SynReply | Headers | RstStream | Settings | Ping | GoAway | WindowUpdate


class FrameEncoder:
    """Encodes one direction of a connection: the frames' order must be that in which they are sent."""

    def __init__(self) -> None:
        self._compressor = HeaderCompressor()

    def encode(self, frame: Frame) -> bytes:
        match frame:
            case Data():
                flags = FIN if frame.fin else 0
                return struct.pack(">II", frame.stream, flags << 24 | len(frame.data)) + frame.data
            case SynStream():
                flags = (FIN if frame.fin else 0) | (UNIDIRECTIONAL if frame.unidirectional else 0)
                head = struct.pack(">IIBx", frame.stream, frame.associated, frame.priority << 5)
                return _control(1, head + self._compressor.encode(frame.headers), flags=flags)
            case SynReply() | Headers():
                kind = 2 if isinstance(frame, SynReply) else 8
                block = struct.pack(">I", frame.stream) + self._compressor.encode(frame.headers)
                return _control(kind, block, flags=FIN if frame.fin else 0)
            case RstStream():
                return _control(3, struct.pack(">II", frame.stream, frame.status))
            case Settings():
                entries = [struct.pack(">II", key, value) for key, value in frame.values.items()]
                return _control(4, struct.pack(">I", len(entries)) + b"".join(entries))
            case Ping():
                return _control(6, struct.pack(">I", frame.id))
            case GoAway():
                return _control(7, struct.pack(">II", frame.last_stream, frame.status))
            case WindowUpdate():
                return _control(9, struct.pack(">II", frame.stream, frame.delta))


def _control(kind: int, content: bytes, *, flags: int = 0) -> bytes:
    return struct.pack(">HHI", _CONTROL | _VERSION, kind, flags << 24 | len(content)) + content


class FrameDecoder:
    """Takes bytes as they come and gives the frames that are complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._decompressor = HeaderDecompressor()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Raises ProtocolError; the decoder must not be used any more then."""
        self._buffer += data
        at = 0
        try:
            while len(self._buffer) - at >= _HEADER:
                first, second = struct.unpack_from(">II", self._buffer, at)
                end = at + _HEADER + (second & 0xFFFFFF)
                if len(self._buffer) < end:
                    break
                content = bytes(memoryview(self._buffer)[at + _HEADER : end])
                at = end
                frame = self._decode(first, second >> 24, content)
                if frame is not None:
                    yield frame
        finally:
            del self._buffer[:at]

    def _decode(self, first: int, flags: int, content: bytes) -> Frame | None:
        if not first >> 31:
            return Data(first, content, bool(flags & FIN))
        if (first >> 16) & 0x7FFF != _VERSION:
            raise ProtocolError(f"SPDY version {(first >> 16) & 0x7FFF}, not {_VERSION}")
        try:
            return self._decode_control(first & 0xFFFF, flags, content)
        except struct.error as error:
            raise ProtocolError(f"SPDY control frame {first & 0xFFFF} is too short") from error

    def _decode_control(self, kind: int, flags: int, content: bytes) -> Frame | None:
        fin = bool(flags & FIN)
        match kind:
            case 1:
                stream, associated, priority = struct.unpack_from(">IIB", content)
                return SynStream(
                    stream=stream & _ID_MASK,
                    headers=self._decompressor.decode(content[10:]),
                    fin=fin,
                    unidirectional=bool(flags & UNIDIRECTIONAL),
                    associated=associated & _ID_MASK,
                    priority=priority >> 5,
                )
            case 2 | 8:
                (stream,) = struct.unpack_from(">I", content)
                make = SynReply if kind == 2 else Headers
                return make(stream & _ID_MASK, self._decompressor.decode(content[4:]), fin)
            case 3:
                stream, status = struct.unpack_from(">II", content)
                return RstStream(stream & _ID_MASK, status)
            case 4:
                return _settings(content)
            case 6:
                return Ping(*struct.unpack_from(">I", content))
            case 7:
                last, status = struct.unpack_from(">II", content)
                return GoAway(last & _ID_MASK, status)
            case 9:
                stream, delta = struct.unpack_from(">II", content)
                return WindowUpdate(stream & _ID_MASK, delta & _ID_MASK)
        return None  # unknown control frames are to be ignored


def _settings(content: bytes) -> Settings:
    (count,) = struct.unpack_from(">I", content)
    pairs = [struct.unpack_from(">II", content, 4 + 8 * index) for index in range(count)]
    return Settings({key & 0xFFFFFF: value for key, value in pairs})
