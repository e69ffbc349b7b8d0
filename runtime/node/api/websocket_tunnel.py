"""Port-forward as newer kubectl does it: raw SPDY/3.1 bytes inside WebSocket messages.

The messages' boundaries mean nothing; what they carry is passed to the runtime's streaming server as one
connection.
"""

import asyncio

from aiohttp import WSMsgType, web

from kubeling.objects.tasks import Tasks
from kubeling.streams.dial import dial_upgrade
from kubeling.streams.splice import Ends, close
from runtime.node.api.tunnel import refused

PROTOCOL = "SPDY/3.1+portforward.k8s.io"
_HEADERS = [
    ("Connection", "Upgrade"),
    ("Upgrade", "SPDY/3.1"),
    ("X-Stream-Protocol-Version", "portforward.k8s.io"),
]
_PIECE = 32 * 1024
_CLOSE_TIMEOUT = 2.0
"""Seconds in which the client is to confirm the end of the WebSocket."""


async def websocket_tunnel(request: web.BaseRequest, url: str) -> web.StreamResponse:
    """Serve a WebSocket request that carries SPDY. Raises DialError."""
    answer = await dial_upgrade(url, method="POST", headers=_HEADERS)
    if answer.ends is None:
        return refused(answer)
    try:
        socket = web.WebSocketResponse(
            protocols=(PROTOCOL,), max_msg_size=0, compress=False, timeout=_CLOSE_TIMEOUT
        )
        await socket.prepare(request)
        await _join(socket, answer.ends)
    finally:
        await close(answer.ends.writer)
    return socket


async def _join(socket: web.WebSocketResponse, ends: Ends) -> None:
    """Copy both ways until either side ends."""
    async with Tasks("websocket-tunnel") as tasks:
        directions = [
            tasks.start(_forth(socket, ends.writer), name="forth"),
            tasks.start(_back(ends.reader, socket), name="back"),
        ]
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    await socket.close()


async def _forth(socket: web.WebSocketResponse, writer: asyncio.StreamWriter) -> None:
    async for message in socket:
        if message.type is not WSMsgType.BINARY:
            return
        try:
            writer.write(message.data)
            await writer.drain()
        except OSError:
            return


async def _back(reader: asyncio.StreamReader, socket: web.WebSocketResponse) -> None:
    try:
        while piece := await reader.read(_PIECE):
            await socket.send_bytes(piece)
    except OSError:
        return
