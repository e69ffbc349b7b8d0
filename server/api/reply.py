"""Answers on the wire: a whole `Reply` or a chunked `Stream`, written as bytes straight to the connection.

aiohttp calls `prepare` and `write_eof` on what a handler returns. Its own Response builds and
serializes a header map per answer, which costs more than everything else that a GET does here; these two do
only what an API server's answers need.
"""

import time
from collections.abc import Iterator, Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import ClassVar, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from kubeling.streams.takeover import Takeover

Headers = tuple[tuple[str, str], ...]

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_NO_BODY = frozenset({204, 304})
UNCACHED = "no-cache, private"
BACKLOG = 64 * 1024
"""Bytes that may wait in a connection for a stream to be written to without awaiting."""
PIECE = 1 << 16
"""Bytes of a large body that go to the transport before waiting for the client to keep up."""

_date = (0, "")


def _date_header() -> str:
    global _date
    now = int(time.time())
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True))
    return _date[1]


def head(status: int, content_type: str, headers: Headers, *, framing: str, caching: str = UNCACHED) -> bytes:
    """The status line and the headers, ended by an empty line."""
    line = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} Unknown\r\n"
    extra = "".join([f"{name}: {_one_line(value)}\r\n" for name, value in headers])
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    text = f"{line}{extra}Cache-Control: {caching}\r\n{kind}Date: {_date_header()}\r\n{framing}\r\n"
    return text.encode("utf-8", "surrogateescape")


def _one_line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ") if "\n" in value or "\r" in value else value


class Reply:
    """A complete answer."""

    __slots__ = ("body", "content_type", "headers", "keep_alive", "status")
    caching: ClassVar[str] = UNCACHED

    def __init__(
        self,
        body: bytes = b"",
        *,
        status: int = 200,
        content_type: str = "application/json",
        headers: Headers = (),
        close: bool = False,
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers
        self.keep_alive: bool | None = False if close else None

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write head and body; a large body in pieces, so that a slow client holds nothing else up."""
        if self.keep_alive is None:
            self.keep_alive = request.keep_alive
        framing = self._framing()
        start = head(self.status, self.content_type, self.headers, framing=framing, caching=self.caching)
        writer = request.writer
        if request.method == "HEAD" or self.status in _NO_BODY:
            await writer.write(start)
        elif self.length <= PIECE:
            await writer.write(start + self.body)
        else:
            await writer.write(start)
            for piece in self._pieces():
                await writer.write(piece)

    @property
    def length(self) -> int:
        return len(self.body)

    def _pieces(self) -> Iterator[bytes]:
        view = memoryview(self.body)
        for offset in range(0, len(view), PIECE):
            yield cast(bytes, view[offset : offset + PIECE])

    def _framing(self) -> str:
        length = "" if self.status in _NO_BODY else f"Content-Length: {self.length}\r\n"
        return length if self.keep_alive else f"{length}Connection: close\r\n"

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: `prepare` has written all."""


class Public(Reply):
    """An answer that anybody may keep for an hour."""

    __slots__ = ()
    caching = "public, max-age=3600"


class Joined(Reply):
    """A large answer of many parts, joined piece by piece while it is written: a client that is slow to read
    holds on to the parts, which others share, and not to a copy of them all."""

    __slots__ = ("_length", "_parts")

    def __init__(self, parts: Sequence[bytes], *, content_type: str) -> None:
        super().__init__(content_type=content_type)
        self._parts = parts
        self._length = sum(map(len, parts))

    @property
    def length(self) -> int:
        return self._length

    def _pieces(self) -> Iterator[bytes]:
        gathered, size = [], 0
        for part in self._parts:
            gathered.append(part)
            size += len(part)
            if size >= PIECE:
                yield b"".join(gathered)
                gathered, size = [], 0
        yield b"".join(gathered)


class Stream:
    """An answer whose length is not known: chunks, written as they come.

    A handler calls `begin`, then `send` as often as it likes, then `end`, and returns the stream. Ended or
    not, nothing more is written after it returns.
    """

    __slots__ = ("_chunked", "_writer", "keep_alive", "status")

    def __init__(self, request: web.BaseRequest, *, status: int = 200) -> None:
        self.status = status
        self._writer: AbstractStreamWriter = request.writer
        self._chunked = request.version >= (1, 1)
        self.keep_alive = False

    async def begin(self, request: web.BaseRequest, *, content_type: str, headers: Headers = ()) -> None:
        framing = "Transfer-Encoding: chunked\r\n" if self._chunked else "Connection: close\r\n"
        await self._writer.write(head(self.status, content_type, headers, framing=framing))

    async def send(self, data: bytes) -> None:
        """Write one chunk at once and wait while the client is too slow to take it.

        Raises:
            ConnectionError: the client has gone.
        """
        if data:
            await self._writer.write(chunk(data) if self._chunked else data)

    def send_now(self, data: bytes) -> bool:
        """Write one chunk without waiting; False, and nothing is written, while the client is too slow."""
        transport = self._writer.transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size() > BACKLOG:
            return False
        transport.write(chunk(data) if self._chunked else data)
        return True

    async def end(self, request: web.BaseRequest) -> None:
        """End the stream as a complete one; without this the client sees it break off."""
        if self._chunked:
            await self._writer.write(b"0\r\n\r\n")
            self.keep_alive = bool(request.keep_alive)

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing: `begin` has written the head."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: `end` has ended the stream, or it breaks off."""


def chunk(data: bytes) -> bytes:
    """`data` as one chunk of the chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


Answer = Reply | Stream | Takeover
