"""Passing bytes between two connections, both ways, untouched.

Responsible for backpressure, half-close, and for noticing peers that have vanished. Not responsible for
what the bytes mean.
"""

import asyncio
import contextlib
import socket
from typing import NamedTuple, cast

_KEEP_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}  # seconds, seconds, probes


class Ends(NamedTuple):
    """A connection: what comes from it and what goes to it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def splice(one: Ends, other: Ends) -> None:
    """Copy until both directions have ended, or one of them cannot go on. The caller closes both connections.

    What a side sent before it ended is delivered. A side that ends only its own half (plain TCP) still
    gets what the other has to say; over TLS, which knows no half-close, the end of one direction is the end.
    """
    await _join(_Relay(one), _Relay(other))


async def pour(source: Ends, sink: Ends) -> None:
    """Copy one way until the source has ended, or the sink has gone; what the sink's peer says is dropped."""
    await _join(_Relay(source), _Drain(sink))


async def _join(first: "_Relay", second: "_Relay") -> None:
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    first.peer, second.peer = second, first
    first.over = second.over = over
    await first.begin()
    await second.begin()
    await over


class _Relay(asyncio.Protocol):
    """Takes the place of a connection's protocol for good, and hands on what comes as it comes."""

    peer: "_Relay"
    over: "asyncio.Future[None]"

    def __init__(self, ends: Ends) -> None:
        self._reader = ends.reader
        self._transport = cast(asyncio.Transport, ends.writer.transport)
        self._original = self._transport.get_protocol()
        self._finished = isinstance(self, _Drain)
        """Whether this side will send no more."""

    async def begin(self) -> None:
        """Hand on what the reader holds, and what comes from now on."""
        ended = getattr(self._reader, "_eof", False)
        self._transport.set_protocol(self)
        self._reader.feed_eof()  # so that what it holds can be read without waiting for more
        try:
            held = await self._reader.read()
        except OSError:
            self._stop()
            return
        if held:
            self.data_received(held)
        if (ended and not self.eof_received()) or self._transport.is_closing():
            self._stop()
        else:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self.over.done():
            return
        if self.peer._transport.is_closing():
            self._stop()
        else:
            self.peer._transport.write(data)

    def eof_received(self) -> bool:
        """Whether the connection stays open, for what the other side still says."""
        sink = self.peer._transport
        if _is_tls(self._transport) or sink.is_closing() or not sink.can_write_eof():
            self._stop()
            return False
        self._finished = True
        sink.write_eof()
        if self.peer._finished:
            self._stop()
        return True

    def pause_writing(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is closing
            self.peer._transport.pause_reading()

    def resume_writing(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.peer._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._original.connection_lost(exc)
        self._stop()

    def _stop(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


class _Drain(_Relay):
    def data_received(self, data: bytes) -> None:
        """It has nothing to say."""


def _is_tls(transport: asyncio.BaseTransport) -> bool:
    return transport.get_extra_info("sslcontext") is not None


async def close(writer: asyncio.StreamWriter) -> None:
    """Send what is buffered and close, whatever state the connection is in; at once when cancelled."""
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return
    except asyncio.CancelledError:
        writer.transport.abort()
        raise


def keep_alive(writer: asyncio.StreamWriter) -> None:
    """Have the kernel find out within two minutes that an idle peer has vanished."""
    connection = writer.get_extra_info("socket")
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEP_ALIVE.items():
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
