"""Passing bytes between two connections, both ways, untouched.

Responsible for backpressure, half-close, and for noticing peers that have vanished. Not responsible for
what the bytes mean.
"""

import asyncio
import contextlib
import socket
from typing import NamedTuple

from kubeling.objects.tasks import Tasks

_PIECE = 64 * 1024
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
    async with Tasks("splice") as tasks:
        pending: set[asyncio.Task[bool]] = {
            tasks.start(_copy(one, other), name="forth"),
            tasks.start(_copy(other, one), name="back"),
        }
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if not all(task.result() for task in done):
                return


async def _copy(source: Ends, sink: Ends) -> bool:
    """Copy until the source's end; returns whether the other direction can go on without this one."""
    try:
        while data := await source.reader.read(_PIECE):
            sink.writer.write(data)
            await sink.writer.drain()
        if _is_tls(source.writer) or not sink.writer.can_write_eof():
            return False
        sink.writer.write_eof()
    except OSError:
        return False
    return True


def _is_tls(writer: asyncio.StreamWriter) -> bool:
    return writer.get_extra_info("sslcontext") is not None


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
