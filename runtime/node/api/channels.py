"""Exec and attach over WebSocket v5.channel.k8s.io, which containerd does not speak, translated to SPDY,
which it does.

Each WebSocket message begins with a channel number; on the other side each channel is a SPDY stream.

    0 stdin   1 stdout   2 stderr   3 error (the final Status)   4 resize   255 close a channel (its half)
"""

import asyncio
import contextlib
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from kubeling.objects.tasks import Tasks
from kubeling.streams.dial import dial_upgrade
from kubeling.streams.errors import ProtocolError, StreamReset
from kubeling.streams.spdy_frames import Data, GoAway
from kubeling.streams.spdy_session import SpdySession
from kubeling.streams.splice import Ends, close
from runtime.node.api.tunnel import refused

PROTOCOL = "v5.channel.k8s.io"
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255

_HEADERS = [
    ("Connection", "Upgrade"),
    ("Upgrade", "SPDY/3.1"),
    ("X-Stream-Protocol-Version", "v4.channel.k8s.io"),
]
_NAMES = {ERROR: "error", STDIN: "stdin", STDOUT: "stdout", STDERR: "stderr", RESIZE: "resize"}
_PING_INTERVAL = 30.0
"""Seconds between pings: they keep what lies between from dropping an idle connection."""
_CLOSE_TIMEOUT = 2.0
"""Seconds in which the client is to confirm the end of the WebSocket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Which streams the client asked for."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool

    def channels(self) -> list[int]:
        """In the order in which the streams are to be opened."""
        wanted = {
            ERROR: True,
            STDIN: self.stdin,
            STDOUT: self.stdout,
            STDERR: self.stderr and not self.tty,
            RESIZE: self.tty,
        }
        return [channel for channel, is_wanted in wanted.items() if is_wanted]


async def translate(request: web.BaseRequest, url: str, streams: Streams) -> web.StreamResponse:
    """Serve a v5 WebSocket request by the SPDY server at `url`. Raises DialError."""
    answer = await dial_upgrade(url, method="POST", headers=_HEADERS)
    if answer.ends is None:
        return refused(answer)
    try:
        socket = web.WebSocketResponse(
            protocols=(PROTOCOL,), max_msg_size=0, compress=False, timeout=_CLOSE_TIMEOUT
        )
        await socket.prepare(request)
        await _Translation(socket, answer.ends).run(streams)
    finally:
        await close(answer.ends.writer)
    return socket


class _Translation:
    def __init__(self, socket: web.WebSocketResponse, ends: Ends) -> None:
        self._socket = socket
        self._session = SpdySession(ends)
        self._stream_of: dict[int, int] = {}
        self._channel_of: dict[int, int] = {}

    async def run(self, streams: Streams) -> None:
        """Until the command has ended and all is delivered, or the client has gone."""
        for channel in streams.channels():
            stream = await self._session.open_stream({"streamtype": _NAMES[channel]})
            self._stream_of[channel], self._channel_of[stream] = stream, channel
        async with Tasks("channels") as tasks:
            tasks.start(self._ping(), name="ping")
            directions = [
                tasks.start(self._forth(), name="forth"),
                tasks.start(self._back(), name="back"),
            ]
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        await self._socket.close()

    async def _forth(self) -> None:
        """From the client to the container. Ends with the client's connection."""
        async for message in self._socket:
            data = message.data.encode() if message.type is WSMsgType.TEXT else message.data
            if not data:
                continue
            channel, content = data[0], data[1:]
            if channel == CLOSE:
                await self._send(content[0] if content else STDIN, b"", fin=True)
            elif channel in (STDIN, RESIZE) and content:
                await self._send(channel, content)

    async def _send(self, channel: int, data: bytes, *, fin: bool = False) -> None:
        """What comes for a stream that has ended, or was never opened, is dropped as the kubelet drops it."""
        stream = self._stream_of.get(channel)
        if stream is None:
            return
        with contextlib.suppress(StreamReset, OSError):
            await self._session.send(stream, data, fin=fin)

    async def _back(self) -> None:
        """From the container to the client, in the order in which it comes. Ends when the runtime closes."""
        open_streams = {self._stream_of[c] for c in (STDOUT, STDERR, ERROR) if c in self._stream_of}
        try:
            async for frame in self._session.frames():
                if isinstance(frame, GoAway):
                    return
                channel = self._channel_of.get(frame.stream)
                if isinstance(frame, Data) and frame.data and channel is not None:
                    await self._socket.send_bytes(bytes([channel]) + frame.data)
                if getattr(frame, "fin", False):
                    open_streams.discard(frame.stream)
                if not open_streams:
                    return
        except (OSError, ProtocolError):
            return

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(_PING_INTERVAL)
            with contextlib.suppress(OSError):
                await self._socket.ping()
