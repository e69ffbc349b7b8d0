"""Decompresses what comes in pieces, in pieces of bounded size: gzip, bzip2, xz, zstd.

Zstd is the system's libzstd, which every Debian has.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

_PIECE = 1024 * 1024
"""The most that is handed out at once: what is well packed must not fill the memory."""


class DecompressionError(Exception):
    """What came is damaged, or cannot be unpacked here; the text says so."""


class Decompressor(Protocol):
    finished: bool
    """Whether what has come so far is whole."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` gives. Raises DecompressionError."""


def decompressor(start: bytes) -> Decompressor | None:
    """For something that begins like this; None if it is not compressed."""
    return next((made() for magic, made in _KINDS.items() if start.startswith(magic)), None)


class _Bounded:
    """Around the standard library's decompressors, which all take a limit; several streams may follow
    each other.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._current = make()
        self.finished = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data or not self._current.needs_input:
            if self._current.eof:
                if not data.strip(b"\0"):
                    return  # padding
                self._current = self._make()
            try:
                piece = self._current.decompress(data, _PIECE)
            except (OSError, EOFError, lzma.LZMAError, ValueError) as error:
                raise DecompressionError("it cannot be unpacked") from error
            data = self._current.unused_data if self._current.eof else b""
            self.finished = self._current.eof
            if piece:
                yield piece
            if self._current.eof and not data:
                return


class _Gzip:
    def __init__(self) -> None:
        self._current = zlib.decompressobj(wbits=31)
        self.finished = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._current.eof:
                if not data.strip(b"\0"):
                    return
                self._current = zlib.decompressobj(wbits=31)
            try:
                piece = self._current.decompress(data, _PIECE)
            except zlib.error as error:
                raise DecompressionError("it cannot be unpacked") from error
            data = self._current.unused_data if self._current.eof else self._current.unconsumed_tail
            self.finished = self._current.eof
            if piece:
                yield piece


def _zstd() -> Decompressor:
    from runtime.images import zstd

    return zstd.Zstd()


_KINDS: dict[bytes, Callable[[], Decompressor]] = {
    b"\x1f\x8b": _Gzip,
    b"BZh": lambda: _Bounded(bz2.BZ2Decompressor),
    b"\xfd7zXZ\x00": lambda: _Bounded(lzma.LZMADecompressor),
    b"\x28\xb5\x2f\xfd": _zstd,
}
