"""Dialling a backend for an upgrade: 101 gives the connection, anything else its body."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kubeling.streams.dial import dial_upgrade
from kubeling.streams.errors import DialError
from kubeling.streams.splice import close

HEADERS = [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1")]


@asynccontextmanager
async def backend(answer: bytes, requests: list[bytes] | None = None) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if requests is not None:
            requests.append(head)
        writer.write(answer)
        await close(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/exec/token?x=1"


async def test_an_upgrade_hands_over_the_connection_with_early_bytes() -> None:
    requests: list[bytes] = []
    raw = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n\r\nearly"
    async with backend(raw, requests) as url:
        answer = await dial_upgrade(url, method="POST", headers=HEADERS)
        assert answer.ends is not None
        assert await answer.ends.reader.read() == b"early"
        await close(answer.ends.writer)
    assert answer.head() + b"early" == raw
    assert requests[0].startswith(b"POST /exec/token?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone",
        b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ngo\r\n2;x=y\r\nne\r\n0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\ngone",
    ],
    ids=["length", "chunked", "until close"],
)
async def test_a_refusal_comes_with_its_whole_body(raw: bytes) -> None:
    async with backend(raw) as url:
        answer = await dial_upgrade(url, method="GET", headers=HEADERS)
    assert (answer.status, answer.reason, answer.body, answer.ends) == (404, "Not Found", b"gone", None)


@pytest.mark.parametrize("raw", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"])
async def test_no_sensible_answer_is_a_dial_error(raw: bytes) -> None:
    async with backend(raw) as url:
        with pytest.raises(DialError, match="error dialing backend"):
            await dial_upgrade(url, method="GET", headers=HEADERS)


async def test_nobody_listening_is_a_dial_error() -> None:
    with pytest.raises(DialError, match="error dialing backend"):
        await dial_upgrade("http://127.0.0.1:1/", method="GET", headers=HEADERS)
