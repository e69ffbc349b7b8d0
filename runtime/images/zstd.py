"""Zstandard through the system's libzstd: Python has it only since 3.14."""

import ctypes
from collections.abc import Iterator
from functools import cache

from runtime.images.decompression import DecompressionError

_LIBRARY = "libzstd.so.1"
_PIECE = 1024 * 1024


class _Buffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer have the same form."""

    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t))


class Zstd:
    def __init__(self) -> None:
        """Raises: DecompressionError: there is no libzstd."""
        self._library = _library()
        self._stream = ctypes.c_void_p(self._library.ZSTD_createDStream())
        self._output = ctypes.create_string_buffer(_PIECE)
        self.finished = False

    def __del__(self) -> None:
        if getattr(self, "_stream", None):
            self._library.ZSTD_freeDStream(self._stream)

    def feed(self, data: bytes) -> Iterator[bytes]:
        held = ctypes.create_string_buffer(data, len(data))
        source = _Buffer(ctypes.cast(held, ctypes.c_void_p), len(data), 0)
        full = False
        while source.position < source.size or full:
            target = _Buffer(ctypes.cast(self._output, ctypes.c_void_p), _PIECE, 0)
            left = self._library.ZSTD_decompressStream(
                self._stream, ctypes.byref(target), ctypes.byref(source)
            )
            if self._library.ZSTD_isError(left):
                raise DecompressionError("it cannot be unpacked")
            self.finished = left == 0
            full = target.position == _PIECE and not self.finished
            if target.position:
                yield self._output.raw[: target.position]


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise DecompressionError(f"it is compressed with zstd, and {_LIBRARY} is not installed") from error
    library.ZSTD_createDStream.restype = ctypes.c_void_p
    library.ZSTD_freeDStream.argtypes = [ctypes.c_void_p]
    library.ZSTD_decompressStream.restype = ctypes.c_size_t
    library.ZSTD_decompressStream.argtypes = [ctypes.c_void_p] * 3
    library.ZSTD_isError.argtypes = [ctypes.c_size_t]
    return library
