"""Taking a connection away from aiohttp, to speak something other than HTTP on it from then on.

aiohttp knows upgrades to WebSocket only. SPDY, which kubectl up to 1.30 speaks, and a WebSocket whose
frames are to be passed on untouched, need the bare connection.
"""

import asyncio

from aiohttp import web

from kubeling.streams.splice import close, keep_alive

BUFFER = 256 * 1024
"""Bytes read ahead of the consumer before the peer is held back."""


class Takeover:
    """A connection that was an HTTP request's. Return it from the request's handler when it has ended.

    The takeover happens at construction, so that not a byte after the request's head goes to the HTTP parser:
    make it before the peer is told to go on (101).
    """

    keep_alive = False

    def __init__(self, request: web.BaseRequest) -> None:
        """Raises: ConnectionError when the peer has gone already."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        loop = asyncio.get_running_loop()
        self.status = 101
        self._http = request.protocol
        self.reader = asyncio.StreamReader(limit=BUFFER, loop=loop)
        protocol = asyncio.StreamReaderProtocol(self.reader, loop=loop)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        self.writer = asyncio.StreamWriter(transport, protocol, self.reader, loop)
        keep_alive(self.writer)
        early = getattr(self._http, "_message_tail", b"")
        if early:
            self.reader.feed_data(early)

    async def close(self) -> None:
        """Send what is buffered, close the connection, and have aiohttp forget it."""
        try:
            await close(self.writer)
        finally:
            self._http.connection_lost(None)

    async def prepare(self, request: web.BaseRequest) -> None:
        """aiohttp's hook for sending the head: there is none to send."""

    async def write_eof(self, data: bytes = b"") -> None:
        """aiohttp's hook for ending the body: there is none."""
