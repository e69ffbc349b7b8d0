"""Passing bytes between two connections, both ways, untouched, until either side ends."""

import asyncio
from typing import NamedTuple

from kubeling.objects.tasks import Tasks

_PIECE = 64 * 1024


class Ends(NamedTuple):
    """One of the two connections."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def splice(one: Ends, other: Ends) -> None:
    """Copy until one side ends; what it had sent before is delivered. The caller closes both."""
    async with Tasks("splice") as tasks:
        directions: list[asyncio.Task[None]] = [
            tasks.start(_copy(one.reader, other.writer), name="forth"),
            tasks.start(_copy(other.reader, one.writer), name="back"),
        ]
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
    except OSError:
        return


async def close(writer: asyncio.StreamWriter) -> None:
    """Send what is buffered and close, whatever state the connection is in."""
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return
