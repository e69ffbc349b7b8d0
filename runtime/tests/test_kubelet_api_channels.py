"""Exec over WebSocket v5, translated to SPDY: bytes, half-close, final status, ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from kubeling.streams.connection import ConnectionServer
from kubeling.streams.spdy_frames import Data
from kubeling.streams.spdy_session import SpdySession
from kubeling.streams.splice import Ends
from runtime.node.api import channels, websocket_tunnel
from runtime.tests.streaming_server import Script, accept_streams, streaming_server

SUCCESS = json.dumps({"kind": "Status", "status": "Success"}).encode()
WANTED = channels.Streams(stdin=True, stdout=True, stderr=True, tty=False)
Serve = Callable[[web.BaseRequest, str], Awaitable[web.StreamResponse]]


async def _exec(request: web.BaseRequest, url: str) -> web.StreamResponse:
    return await channels.translate(request, url, WANTED)


@asynccontextmanager
async def connected(
    script: Script, serve: Serve = _exec, protocol: str = channels.PROTOCOL
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A WebSocket client of the node, behind which `script` plays containerd."""
    async with streaming_server(script) as url:
        handler = ConnectionServer(lambda request: serve(request, url), access_log=None)
        runner = web.ServerRunner(handler, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        try:
            async with (
                aiohttp.ClientSession() as client,
                client.ws_connect(address, protocols=[protocol], max_msg_size=0) as socket,
            ):
                assert socket.protocol == protocol
                yield socket
        finally:
            await runner.cleanup()


async def received(socket: aiohttp.ClientWebSocketResponse) -> dict[int, bytes]:
    """All that comes, by channel, until the server closes."""
    contents: dict[int, bytes] = {}
    async for message in socket:
        data: bytes = message.data
        contents[data[0]] = contents.get(data[0], b"") + data[1:]
    return contents


async def test_output_and_status_arrive_and_the_socket_is_closed_normally() -> None:
    async def script(ends: Ends) -> None:
        session = SpdySession(ends, server=True)
        streams = await accept_streams(session, 4)
        await session.send(streams["stdout"], b"out", fin=True)
        await session.send(streams["stderr"], b"err", fin=True)
        await session.send(streams["error"], SUCCESS, fin=True)
        await ends.reader.read()

    async with connected(script) as socket:
        contents = await asyncio.wait_for(received(socket), 10)
        assert contents == {1: b"out", 2: b"err", 3: SUCCESS}
        assert socket.close_code == 1000


async def test_input_is_passed_on_byte_for_byte_and_its_half_close_too() -> None:
    content = bytes(range(256)) * 4000

    async def script(ends: Ends) -> None:
        session = SpdySession(ends, server=True)
        streams = await accept_streams(session, 4)
        got = b""
        async for frame in session.frames():
            if isinstance(frame, Data) and frame.stream == streams["stdin"]:
                got += frame.data
                if frame.fin:
                    break
        await session.send(streams["stdout"], got, fin=True)
        await session.send(streams["stderr"], b"", fin=True)
        await session.send(streams["error"], SUCCESS, fin=True)
        await ends.reader.read()

    async with connected(script) as socket:
        for at in range(0, len(content), 30_000):
            await socket.send_bytes(b"\x00" + content[at : at + 30_000])
        await socket.send_bytes(b"\xff\x00")
        contents = await asyncio.wait_for(received(socket), 10)
    assert contents == {1: content, 3: SUCCESS}


async def test_the_status_is_kept_when_the_runtime_closes_the_connection_at_once() -> None:
    async def script(ends: Ends) -> None:
        session = SpdySession(ends, server=True)
        streams = await accept_streams(session, 4)
        await session.send(streams["stdout"], b"x" * 200_000)
        await session.send(streams["error"], SUCCESS)

    async with connected(script) as socket:
        contents = await asyncio.wait_for(received(socket), 10)
    assert contents == {1: b"x" * 200_000, 3: SUCCESS}


async def test_a_client_that_goes_ends_the_connection_to_the_runtime() -> None:
    ended = asyncio.Event()

    async def script(ends: Ends) -> None:
        await ends.reader.read()
        await ends.reader.read(-1)
        ended.set()

    async with connected(script) as socket:
        await socket.send_bytes(b"\x00x")
        await socket.close()
        await asyncio.wait_for(ended.wait(), 10)


async def test_unknown_channels_and_empty_messages_are_ignored() -> None:
    async def script(ends: Ends) -> None:
        session = SpdySession(ends, server=True)
        streams = await accept_streams(session, 4)
        async for frame in session.frames():
            assert isinstance(frame, Data)
            assert frame.data == b"real"
            break
        await session.send(streams["error"], SUCCESS)

    async with connected(script) as socket:
        for message in (b"", b"\x09junk", b"\x01not yours", b"\xff\x09", b"\x00real"):
            await socket.send_bytes(message)
        assert await asyncio.wait_for(received(socket), 10) == {3: SUCCESS}


async def test_a_terminal_has_no_stderr_but_a_resize_stream() -> None:
    streams = channels.Streams(stdin=True, stdout=True, stderr=True, tty=True)
    assert streams.channels() == [channels.ERROR, channels.STDIN, channels.STDOUT, channels.RESIZE]


async def test_port_forward_bytes_are_unwrapped_and_wrapped() -> None:
    content = bytes(range(256)) * 2000

    async def script(ends: Ends) -> None:
        ends.writer.write(await ends.reader.readexactly(len(content)))
        await ends.writer.drain()

    protocol = websocket_tunnel.PROTOCOL
    async with connected(script, websocket_tunnel.websocket_tunnel, protocol) as socket:
        for at in range(0, len(content), 10_000):
            await socket.send_bytes(content[at : at + 10_000])
        echoed = b""
        async for message in socket:
            echoed += message.data
    assert echoed == content
