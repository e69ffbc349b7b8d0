"""SPDY/3.1 name/value blocks: headers, compressed with a dictionary of usual ones (SPDY/3, section 2.6.10).

One compressor and one decompressor live as long as the connection, so blocks must be encoded and decoded
in the order in which they travel.
"""

import struct
import zlib
from collections.abc import Mapping

from kubeling.streams.errors import ProtocolError

_MAX_BLOCK = 1024 * 1024  # bytes, decompressed: no peer of ours has more to say

# Each of these stands in the dictionary with its length before it.
_PREFIXED = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language "
    "accept-ranges age allow authorization cache-control connection content-base content-encoding "
    "content-language content-length content-location content-md5 content-range content-type date etag "
    "expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since "
    "last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer "
    "retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate "
    "method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin"
)
_PLAIN = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _prefixed(word: str) -> bytes:
    raw = word.replace("_", " ").encode()
    return struct.pack(">I", len(raw)) + raw


DICTIONARY = b"".join(map(_prefixed, _PREFIXED.split())) + _PLAIN.encode()


class HeaderCompressor:
    def __init__(self) -> None:
        self._zlib = zlib.compressobj(zdict=DICTIONARY)

    def encode(self, headers: Mapping[str, str]) -> bytes:
        parts = [struct.pack(">I", len(headers))]
        for name, value in headers.items():
            for raw in (name.lower().encode(), value.encode()):
                parts += [struct.pack(">I", len(raw)), raw]
        return self._zlib.compress(b"".join(parts)) + self._zlib.flush(zlib.Z_SYNC_FLUSH)


class HeaderDecompressor:
    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zdict=DICTIONARY)

    def decode(self, block: bytes) -> dict[str, str]:
        """Raises ProtocolError for a block that is damaged or too large."""
        try:
            raw = self._zlib.decompress(block, _MAX_BLOCK)
        except zlib.error as error:
            raise ProtocolError(f"damaged header block: {error}") from error
        if self._zlib.unconsumed_tail:
            raise ProtocolError("header block too large")
        return _parsed(raw)


def _parsed(raw: bytes) -> dict[str, str]:
    try:
        (count,) = struct.unpack_from(">I", raw)
        headers, at = {}, 4
        for _ in range(count):
            name, at = _string(raw, at)
            headers[name], at = _string(raw, at)
    except struct.error as error:
        raise ProtocolError("header block cut off") from error
    return headers


def _string(raw: bytes, at: int) -> tuple[str, int]:
    (size,) = struct.unpack_from(">I", raw, at)
    if at + 4 + size > len(raw):
        raise ProtocolError("header block cut off")
    return raw[at + 4 : at + 4 + size].decode("latin-1"), at + 4 + size
