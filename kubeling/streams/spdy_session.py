"""A SPDY/3.1 session over a connection: opening streams, sending, half-close, ping, flow control.

Frames come out of the session one at a time, in order, so a consumer that does not come back holds the
peer back. Which streams there are and what they mean is the caller's.

    stream:  open ──send(fin)──▶ half-closed (local) ──fin came──▶ closed
               └────fin came───▶ half-closed (remote) ─send(fin)─▶ closed        reset: closed at once
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass

from kubeling.streams.errors import StreamReset
from kubeling.streams.spdy_frames import (
    CANCEL,
    INITIAL_WINDOW_SIZE,
    Data,
    Frame,
    FrameDecoder,
    FrameEncoder,
    GoAway,
    Headers,
    Ping,
    RstStream,
    Settings,
    SynReply,
    SynStream,
    WindowUpdate,
)
from kubeling.streams.splice import Ends

WINDOW = 64 * 1024  # bytes: the protocol's initial window
_PIECE = 32 * 1024  # bytes of data in one frame, so that streams take turns
_READ = 256 * 1024


@dataclass(slots=True)
class _Stream:
    window: int
    local_open: bool = True
    remote_open: bool = True


class SpdySession:
    """One session. Iterate over it (one consumer) to get what the peer sends; pings are answered meanwhile.

    flow_control: keep to windows both ways. The peers of Kubernetes (spdystream) know none and would make
    us wait for ever; leave it off for them: the connection itself holds a fast sender back.
    """

    def __init__(self, ends: Ends, *, server: bool = False, flow_control: bool = False) -> None:
        self._ends = ends
        self._next_stream = 2 if server else 1
        self._next_ping = 2 if server else 1
        self._parity = self._next_ping & 1
        self._flow_control = flow_control
        self._encoder, self._decoder = FrameEncoder(), FrameDecoder()
        self._streams: dict[int, _Stream] = {}
        self._initial_window = WINDOW
        self._session_window = WINDOW
        self._changed = asyncio.Event()

    async def open_stream(self, headers: Mapping[str, str], *, fin: bool = False) -> int:
        """Begin a stream; does not wait for the peer's reply."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        self._streams[stream] = _Stream(self._initial_window, local_open=not fin)
        await self._write(SynStream(stream, headers, fin))
        return stream

    async def reply(
        self, stream: int, headers: Mapping[str, str] | None = None, *, fin: bool = False
    ) -> None:
        """Accept a stream that the peer began."""
        await self._write(SynReply(stream, headers or {}, fin))
        if fin:
            self._close_local(stream)

    async def send(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        """Send bytes on a stream, waiting while the peer does not take them; `fin` ends our half.

        Raises StreamReset when the stream is closed, OSError when the connection is.
        """
        at = 0
        while at < len(data):
            piece = data[at : at + await self._allowed(stream, len(data) - at)]
            at += len(piece)
            self._spend(stream, len(piece))
            await self._write(Data(stream, piece, fin and at == len(data)))
        if fin:
            if not data:
                self._open(stream)
                await self._write(Data(stream, b"", True))
            self._close_local(stream)

    async def reset(self, stream: int, status: int = CANCEL) -> None:
        """Give a stream up, both halves."""
        self._forget(stream)
        await self._write(RstStream(stream, status))

    async def ping(self) -> None:
        """Show that we are there; the answer is not waited for."""
        identifier, self._next_ping = self._next_ping, self._next_ping + 2
        await self._write(Ping(identifier))

    async def frames(self) -> AsyncIterator[SynStream | SynReply | Headers | Data | RstStream | GoAway]:
        """What the peer sends, in order, until it closes the connection.

        Raises ProtocolError for what is not SPDY, OSError when the connection breaks.
        """
        while piece := await self._ends.reader.read(_READ):
            for frame in _merged(self._decoder.feed(piece)):
                match frame:
                    case Settings() | Ping() | WindowUpdate():
                        await self._answer(frame)
                    case _:
                        self._note(frame)
                        yield frame
                        await self._give_back(frame)

    def _note(self, frame: Frame) -> None:
        match frame:
            case SynStream():
                self._streams[frame.stream] = _Stream(
                    self._initial_window, local_open=not frame.unidirectional, remote_open=not frame.fin
                )
            case RstStream():
                self._forget(frame.stream)
            case SynReply(fin=True) | Headers(fin=True) | Data(fin=True):
                self._close_remote(frame.stream)

    async def _answer(self, frame: Settings | Ping | WindowUpdate) -> None:
        match frame:
            case Ping() if frame.id & 1 != self._parity:
                await self._write(frame)
            case Settings() if INITIAL_WINDOW_SIZE in frame.values:
                change = frame.values[INITIAL_WINDOW_SIZE] - self._initial_window
                self._initial_window += change
                for state in self._streams.values():
                    state.window += change
            case WindowUpdate(stream=0):
                self._session_window += frame.delta
            case WindowUpdate() if frame.stream in self._streams:
                self._streams[frame.stream].window += frame.delta
        self._changed.set()

    async def _give_back(self, frame: Frame) -> None:
        """The consumer has taken the data: let the peer send as much again."""
        if self._flow_control and isinstance(frame, Data) and frame.data:
            await self._write(WindowUpdate(0, len(frame.data)))
            if not frame.fin:
                await self._write(WindowUpdate(frame.stream, len(frame.data)))

    async def _allowed(self, stream: int, wanted: int) -> int:
        state = self._open(stream)
        wanted = min(wanted, _PIECE)
        if not self._flow_control:
            return wanted
        while min(state.window, self._session_window) <= 0:
            self._changed.clear()
            await self._changed.wait()
            state = self._open(stream)
        return min(wanted, state.window, self._session_window)

    def _spend(self, stream: int, size: int) -> None:
        self._session_window -= size
        self._streams[stream].window -= size

    def _open(self, stream: int) -> _Stream:
        state = self._streams.get(stream)
        if state is None or not state.local_open:
            raise StreamReset(f"stream {stream} is closed")
        return state

    def _close_local(self, stream: int) -> None:
        state = self._streams.get(stream)
        if state is not None:
            state.local_open = False
            self._sweep(stream, state)

    def _close_remote(self, stream: int) -> None:
        state = self._streams.get(stream)
        if state is not None:
            state.remote_open = False
            self._sweep(stream, state)

    def _sweep(self, stream: int, state: _Stream) -> None:
        if not (state.local_open or state.remote_open):
            self._forget(stream)

    def _forget(self, stream: int) -> None:
        self._streams.pop(stream, None)
        self._changed.set()

    async def _write(self, frame: Frame) -> None:
        self._ends.writer.write(self._encoder.encode(frame))
        await self._ends.writer.drain()


def _merged(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Data that follows data of the same stream comes in one piece: passing on costs by the piece."""
    gathered: list[Data] = []
    for frame in frames:
        if gathered and not (isinstance(frame, Data) and frame.stream == gathered[0].stream):
            yield _joined(gathered)
            gathered = []
        if isinstance(frame, Data):
            gathered.append(frame)
        else:
            yield frame
    if gathered:
        yield _joined(gathered)


def _joined(gathered: list[Data]) -> Data:
    if len(gathered) == 1:
        return gathered[0]
    return Data(gathered[0].stream, b"".join([each.data for each in gathered]), gathered[-1].fin)
