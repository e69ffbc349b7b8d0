"""A watch: events as they happen, a JSON document per line or message, until the time is up or one side goes.

Which events a watcher gets is the registry's business, how one is written that of `watch_lines`.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import orjson

from kubeling.objects.errors import ApiError
from server.api import options
from server.api.connection import connection_of
from server.api.negotiation import JSON, not_acceptable
from server.api.render import deprecation_headers
from server.api.reply import Stream
from server.api.request import Request
from server.api.upgrades import wants_socket
from server.api.watch_lines import Lines, encode
from server.api.watch_sockets import Frames
from server.registry.kind import Kind
from server.registry.registry import Registry
from server.registry.results import WatchEvent
from server.registry.watch import WatchStream

BYTES_PER_WRITE = 64 * 1024
"""Lines are gathered until they are so long: a client that stops reading costs about as much memory."""
MOST_AT_ONCE = 16
"""Events that are written without going through the watch's own task, which yields to others."""


class Watches:
    """The watches of one server: they share encoded events, and all end when the server stops."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lines = Lines(registry)
        self._open: dict[WatchStream, Kind] = {}
        self._stopped = False
        registry.kinds.on_removal(self._end_removed)

    def __len__(self) -> int:
        return len(self._open)

    def stop(self) -> None:
        """End every watch cleanly, and each that comes later at once."""
        self._stopped = True
        for events in list(self._open):
            events.close()

    def _end_removed(self, gone: Sequence[Kind]) -> None:
        """End the watches of kinds that are served no longer, or in another form from now on."""
        for events in self._registry.kinds.ended(self._open):
            events.close()

    async def watch(self, request: Request) -> Stream:
        """Answer a watch request; returns when it has ended.

        Raises:
            ApiError: the watch is refused, and nothing has been sent.
            ConnectionError: the client has gone.
        """
        if request.representation.media != JSON:
            raise not_acceptable(JSON)
        seconds = options.watch_seconds(request.query)
        wanted = options.watch_options(request, seconds=seconds)
        with self._ending(
            self._registry.watch(request.kind, request.namespace, wanted), request, seconds
        ) as events:
            socket = wants_socket(request.http)
            out = Frames(request.http, events.close) if socket else request.stream()
            await out.begin(
                request.http,
                content_type=JSON,
                headers=(*request.stream_headers, *deprecation_headers(request.kind, request.version)),
            )
            await _Writing(self._lines, request, out).run(events)
            await out.end(request.http)
        return out

    @contextmanager
    def _ending(self, events: WatchStream, request: Request, seconds: float) -> Iterator[WatchStream]:
        """Close the stream of events after so many seconds, when the client goes or when the server stops."""
        timer = asyncio.get_running_loop().call_later(seconds, events.close)
        self._open[events] = request.kind
        if self._stopped:
            events.close()
        try:
            with connection_of(request.http).ending(events.close):
                yield events
        finally:
            timer.cancel()
            self._open.pop(events, None)
            events.close()


class _Writing:
    """One watch's way onto the wire."""

    def __init__(self, lines: Lines, request: Request, out: Stream) -> None:
        self._lines = lines
        self._request = request
        self._out = out
        self._first = True

    async def run(self, events: WatchStream) -> None:
        """Write events until there are no more: on the spot while the client keeps up."""
        events.direct = self._write_now
        try:
            async for batch in events:
                for piece in self._pieces(batch):
                    await self._out.send(piece)
        except ApiError as error:
            await self._out.send(encode("ERROR", orjson.dumps(error.status())))

    def _write_now(self, batch: Sequence[WatchEvent]) -> bool:
        if len(batch) > MOST_AT_ONCE:
            return False
        first = self._first
        try:
            written = self._out.send_now(b"".join([self._line(event) for event in batch]))
        except ApiError:  # an event that cannot be encoded: `run` says so to the client
            written = False
        if not written:
            self._first = first
        return written

    def _pieces(self, batch: Sequence[WatchEvent]) -> Iterator[bytes]:
        """The events of a batch as lines, several at a time."""
        lines, size = [], 0
        for event in batch:
            line = self._line(event)
            lines.append(line)
            size += len(line)
            if size >= BYTES_PER_WRITE:
                yield b"".join(lines)
                lines, size = [], 0
        if lines:
            yield b"".join(lines)

    def _line(self, event: WatchEvent) -> bytes:
        first, self._first = self._first, False
        return self._lines.line(self._request, event, first=first)
