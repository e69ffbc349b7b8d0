"""Plays containerd's streaming server: SPDY exec and port-forward, by a script that the test gives."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from kubeling.objects.tasks import Tasks
from kubeling.streams.spdy_frames import SynStream
from kubeling.streams.spdy_session import SpdySession
from kubeling.streams.splice import Ends, close

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
Script = Callable[[Ends], Awaitable[None]]


@asynccontextmanager
async def streaming_server(script: Script, answer: bytes = SWITCH) -> AsyncIterator[str]:
    """The URL at which `script` gets each upgraded connection."""
    async with Tasks("streaming-server") as tasks:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            try:
                await script(Ends(reader, writer))
            finally:
                await close(writer)

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.start(serve(reader, writer), name="connection")

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream/token"
        finally:
            server.close()


async def accept_streams(session: SpdySession, count: int) -> dict[str, int]:
    """The first `count` streams that the peer opens, by their type."""
    streams: dict[str, int] = {}
    async for frame in session.frames():
        if isinstance(frame, SynStream):
            streams[frame.headers["streamtype"]] = frame.stream
            await session.reply(frame.stream)
        if len(streams) == count:
            break
    return streams
