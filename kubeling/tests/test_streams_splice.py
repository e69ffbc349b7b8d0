"""Splicing two connections: order, half-close, backpressure, ends."""

import asyncio

import pytest

from kubeling.objects.tasks import Tasks
from kubeling.streams.splice import Ends, pour, splice
from kubeling.tests.streams_pipe import pipe


async def test_bytes_pass_both_ways_and_half_close_is_passed_on() -> None:
    async with pipe() as (client, front), pipe() as (back, server), Tasks("test") as tasks:
        splicing = tasks.start(splice(front, back), name="splice")
        client.writer.write(b"question")
        client.writer.write_eof()
        assert await server.reader.read() == b"question"
        server.writer.write(b"answer")
        server.writer.write_eof()
        assert await client.reader.read() == b"answer"
        await splicing


async def test_a_large_transfer_arrives_whole() -> None:
    content = bytes(range(256)) * 20_000
    async with pipe() as (client, front), pipe() as (back, server), Tasks("test") as tasks:
        tasks.start(splice(front, back), name="splice")
        tasks.start(_send(client, content), name="send")
        assert await server.reader.read() == content


async def test_a_peer_that_vanishes_ends_the_splice() -> None:
    async with pipe() as (client, front), pipe() as (back, server), Tasks("test") as tasks:
        splicing = tasks.start(splice(front, back), name="splice")
        server.writer.transport.abort()
        client.writer.write(b"x")
        await asyncio.wait_for(splicing, 5)


async def test_a_receiver_that_does_not_read_holds_the_sender_back() -> None:
    async with pipe() as (client, front), pipe() as (back, _), Tasks("test") as tasks:
        tasks.start(splice(front, back), name="splice")
        sending = tasks.start(_send(client, bytes(50_000_000)), name="send")
        done, _ = await asyncio.wait([sending], timeout=0.2)
        assert not done


async def test_what_came_before_the_splice_is_passed_on_first() -> None:
    async with pipe() as (client, front), pipe() as (back, server), Tasks("test") as tasks:
        client.writer.write(b"early")
        client.writer.write_eof()
        assert await front.reader.readexactly(1) == b"e"
        tasks.start(splice(front, back), name="splice")
        assert await server.reader.read() == b"arly"


async def test_a_connection_can_be_used_again_after_the_splice() -> None:
    async with pipe() as (client, front), pipe() as (back, server), Tasks("test") as tasks:
        splicing = tasks.start(splice(front, back), name="splice")
        client.writer.write_eof()
        server.writer.write_eof()
        await splicing
        back.writer.close()
        await back.writer.wait_closed()


async def test_what_comes_after_the_end_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    async with pipe() as (client, front), pipe() as (back, server), Tasks("test") as tasks:
        splicing = tasks.start(splice(front, back), name="splice")
        server.writer.transport.abort()
        client.writer.write(b"x")
        await asyncio.wait_for(splicing, 5)
        client.writer.write(b"late")
        await client.writer.drain()
        front.writer.close()
        await front.writer.wait_closed()
    assert not caplog.records


async def test_pouring_drops_what_the_receiver_says() -> None:
    async with pipe() as (source, front), pipe() as (back, client), Tasks("test") as tasks:
        pouring = tasks.start(pour(front, back), name="pour")
        client.writer.write(b"GET /another HTTP/1.1\r\n\r\n")
        await client.writer.drain()
        source.writer.write(b"a log")
        assert await client.reader.readexactly(5) == b"a log"
        source.writer.write_eof()
        await pouring
        front.writer.close()
        assert await source.reader.read() == b""


async def _send(ends: Ends, content: bytes) -> None:
    for at in range(0, len(content), 65536):
        ends.writer.write(content[at : at + 65536])
        await ends.writer.drain()
    ends.writer.write_eof()
