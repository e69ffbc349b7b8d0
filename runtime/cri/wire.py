"""The few protobuf messages that we exchange with containerd's own services, without their generated code.

Knows the wire format only as far as those need: varints and length-delimited fields.
"""

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}


def fields(data: bytes) -> dict[int, bytes]:
    """Length-delimited fields of a message by number (the last one of each); others are skipped.

    Raises ValueError when the message is cut off or malformed.
    """
    return {number: value for number, value in _parts(data) if isinstance(value, bytes)}


def numbers(data: bytes) -> dict[int, int]:
    """Varint fields of a message by number, as `fields`."""
    return {number: value for number, value in _parts(data) if isinstance(value, int)}


def _parts(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        size, at = _varint(data, at) if kind == _BYTES else (_SIZES.get(kind, -1), at)
        if size < 0 or at + size > len(data):
            raise ValueError(f"malformed protobuf message: field {number} of wire type {kind}")
        if kind == _BYTES:
            yield number, data[at : at + size]
        at += size


def repeated(data: bytes, number: int) -> list[bytes]:
    """Every value of one length-delimited field. Raises ValueError as `fields` does."""
    return [value for each, value in _parts(data) if each == number and isinstance(value, bytes)]


def field(number: int, value: bytes | str) -> bytes:
    """One length-delimited field, encoded."""
    raw = value.encode() if isinstance(value, str) else value
    return _encoded(number << 3 | _BYTES) + _encoded(len(raw)) + raw


def flag(number: int) -> bytes:
    """One boolean field that is true, encoded."""
    return _encoded(number << 3 | _VARINT) + b"\x01"


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("malformed protobuf message: cut off in a varint")


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
