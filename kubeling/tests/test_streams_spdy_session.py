"""SPDY sessions: two of ours talking to each other over a socket pair."""

import asyncio

import pytest

from kubeling.objects.tasks import Tasks
from kubeling.streams.errors import StreamReset
from kubeling.streams.spdy_frames import (
    Data,
    FrameDecoder,
    FrameEncoder,
    GoAway,
    Ping,
    RstStream,
    SynReply,
    SynStream,
)
from kubeling.streams.spdy_session import WINDOW, SpdySession
from kubeling.tests.streams_pipe import pipe


async def test_a_stream_carries_headers_bytes_and_both_half_closes() -> None:
    async with pipe() as (left, right):
        client, server = SpdySession(left), SpdySession(right, server=True)
        stream = await client.open_stream({"streamtype": "stdin"})
        await client.send(stream, b"question", fin=True)
        frames = server.frames()
        assert await anext(frames) == SynStream(1, {"streamtype": "stdin"})
        assert await anext(frames) == Data(1, b"question", True)
        await server.reply(stream)
        await server.send(stream, b"answer", fin=True)
        back = client.frames()
        assert [await anext(back), await anext(back)] == [SynReply(1), Data(1, b"answer", True)]


async def test_streams_interleave_and_each_stays_whole() -> None:
    contents = {n: bytes([n]) * 300_000 for n in (1, 3, 5, 7)}
    received = dict.fromkeys(contents, b"")
    async with pipe() as (left, right), Tasks("test") as tasks:
        client, server = SpdySession(left), SpdySession(right, server=True)
        for content in contents.values():
            stream = await client.open_stream({})
            tasks.start(client.send(stream, content, fin=True), name=str(stream))
        still_open = set(contents)
        async for frame in server.frames():
            if isinstance(frame, Data):
                received[frame.stream] += frame.data
                if frame.fin:
                    still_open.discard(frame.stream)
            if not still_open:
                break
    assert received == contents


async def test_sending_after_the_half_close_is_refused() -> None:
    async with pipe() as (left, _):
        session = SpdySession(left)
        stream = await session.open_stream({})
        await session.send(stream, b"", fin=True)
        with pytest.raises(StreamReset):
            await session.send(stream, b"more")


async def test_a_reset_ends_the_stream_for_the_sender() -> None:
    async with pipe() as (left, right):
        client, server = SpdySession(left), SpdySession(right, server=True)
        stream = await client.open_stream({})
        await anext(server.frames())
        await server.reset(stream)
        assert await anext(client.frames()) == RstStream(stream)
        with pytest.raises(StreamReset):
            await client.send(stream, b"x")


async def test_pings_are_answered_and_our_own_are_not() -> None:
    async with pipe() as (left, right):
        session = SpdySession(left)
        encoder, decoder = FrameEncoder(), FrameDecoder()
        for frame in (Ping(2), Ping(1), GoAway(0)):
            right.writer.write(encoder.encode(frame))
        assert await anext(session.frames()) == GoAway(0)
        assert list(decoder.feed(await right.reader.read(1000))) == [Ping(2)]


async def test_the_end_of_the_connection_ends_the_frames() -> None:
    async with pipe() as (left, right):
        right.writer.close()
        assert [frame async for frame in SpdySession(left).frames()] == []


async def test_flow_control_holds_a_sender_back_until_the_receiver_takes() -> None:
    async with pipe() as (left, right), Tasks("test") as tasks:
        client = SpdySession(left, flow_control=True)
        server = SpdySession(right, server=True, flow_control=True)
        stream = await client.open_stream({})
        sending = tasks.start(client.send(stream, bytes(3 * WINDOW), fin=True), name="send")
        tasks.start(_drain(client), name="updates")
        frames = server.frames()
        await anext(frames)
        size = 0
        while size < WINDOW:
            frame = await anext(frames)
            assert isinstance(frame, Data)
            size += len(frame.data)
        await asyncio.sleep(0)
        assert not sending.done()
        async for frame in frames:
            if isinstance(frame, Data):
                size += len(frame.data)
                if frame.fin:
                    break
        assert size == 3 * WINDOW


async def _drain(session: SpdySession) -> None:
    async for _ in session.frames():
        pass
