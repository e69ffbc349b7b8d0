"""Exec and attach without a runtime: the client gets what a canned command says, and how it ended.

Both protocols of the kubelet: WebSocket (v4 and v5.channel.k8s.io), and SPDY/3.1.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import WSMsgType, web

from kubeling.objects.tasks import Tasks
from kubeling.streams.errors import ProtocolError, StreamReset
from kubeling.streams.spdy_frames import GoAway, SynStream
from kubeling.streams.spdy_session import SpdySession
from kubeling.streams.splice import Ends
from kubeling.streams.takeover import Takeover
from runtime.node.api.channels import ERROR, STDERR, STDOUT
from runtime.node.api.errors import HttpError

Command = Callable[[], Awaitable[tuple[bytes, bytes, int]]]
"""What is to be served: stdout, stderr and the exit code."""

_WEBSOCKET = ("v5.channel.k8s.io", "v4.channel.k8s.io")
LEAVE_TAKING = 1.0
"""Seconds: a client that is cut off while it still writes says so to its user."""
_SPDY = "v4.channel.k8s.io"
_TRUE = ("1", "true", "True", "t")


async def serve(
    request: web.BaseRequest, run: Command, *, first: bytes = b""
) -> web.StreamResponse | Takeover:
    """Until the command has ended and all is told, or the client has gone. `first` goes to stdout at once.

    Raises:
        HttpError: the client speaks none of the protocols.
    """
    upgrade = request.headers.get("Upgrade", "").lower()
    if upgrade == "websocket":
        return await _websocket(request, run, first)
    if upgrade.startswith("spdy"):
        return await _spdy(request, run, first)
    raise HttpError(400, "Upgrade request required")


def outcome(code: int) -> bytes:
    """The Status that ends the streams."""
    if not code:
        return json.dumps({"metadata": {}, "status": "Success"}).encode()
    status = {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
    return json.dumps(status).encode()


async def _websocket(request: web.BaseRequest, run: Command, first: bytes) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=_WEBSOCKET, compress=False, timeout=2.0)
    await socket.prepare(request)

    async def send(channel: int, data: bytes) -> None:
        if data:
            await socket.send_bytes(bytes([channel]) + data)

    with contextlib.suppress(ConnectionError):
        await _while_heard(_told(run, first, send), _drained(socket))
        await socket.close()
    return socket


async def _drained(socket: web.WebSocketResponse) -> None:
    """What the client types is taken and forgotten."""
    async for message in socket:
        if message.type is WSMsgType.ERROR:
            return


async def _told(run: Command, first: bytes, send: Callable[[int, bytes], Awaitable[None]]) -> None:
    await send(STDOUT, first)
    stdout, stderr, code = await run()
    await send(STDOUT, stdout)
    await send(STDERR, stderr)
    await send(ERROR, outcome(code))


async def _while_heard(telling: Awaitable[None], hearing: Awaitable[None], *, last: float = 0.0) -> None:
    """Tell, but no longer than the client is there; then give it `last` seconds to go by itself."""
    async with Tasks("virtual-stream") as tasks:
        both = [tasks.start(_of(telling), name="tell"), tasks.start(_of(hearing), name="hear")]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(both[1:], timeout=last)


async def _of(work: Awaitable[None]) -> None:
    with contextlib.suppress(OSError, ProtocolError, StreamReset):
        await work


async def _spdy(request: web.BaseRequest, run: Command, first: bytes) -> Takeover:
    client = Takeover(request)
    try:
        client.writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
            b"X-Stream-Protocol-Version: %s\r\n\r\n" % _SPDY.encode()
        )
        session = SpdySession(Ends(client.reader, client.writer), server=True)
        streams = await _streams(session, _expected(request.query))
        if streams is not None:
            await _while_heard(
                _told_by_spdy(session, streams, run, first), _heard(session), last=LEAVE_TAKING
            )
    finally:
        await client.close()
    return client


def _expected(query: Mapping[str, str]) -> int:
    """How many streams the client opens: those that it asks for, one for the outcome, one for a terminal's
    size.
    """
    terminal = query.get("tty", "") in _TRUE
    wanted = [name for name in ("input", "output", "error") if query.get(name, "") in _TRUE]
    return 1 + len([name for name in wanted if not (terminal and name == "error")]) + terminal


async def _streams(session: SpdySession, count: int) -> dict[str, int] | None:
    """The streams by their type; None when the client goes away before."""
    streams: dict[str, int] = {}
    with contextlib.suppress(OSError, ProtocolError):
        async for frame in session.frames():
            if isinstance(frame, SynStream):
                streams[frame.headers.get("streamtype", "")] = frame.stream
                await session.reply(frame.stream)
            if len(streams) == count:
                return streams
    return None


async def _told_by_spdy(session: SpdySession, streams: dict[str, int], run: Command, first: bytes) -> None:
    names = {STDOUT: "stdout", STDERR: "stderr", ERROR: "error"}

    async def send(channel: int, data: bytes) -> None:
        stream = streams.get(names[channel])
        if stream is not None and data:
            await session.send(stream, data)

    await _told(run, first, send)
    for name in ("stdout", "stderr", "error"):
        if name in streams:
            await session.send(streams[name], b"", fin=True)


async def _heard(session: SpdySession) -> None:
    async for frame in session.frames():
        if isinstance(frame, GoAway):
            return
