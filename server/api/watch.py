"""A watch: events as they happen, one JSON document per line, until the time is up or one side goes.

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
from server.api.reply import Stream
from server.api.request import Request
from server.api.watch_lines import Lines, encode
from server.registry.registry import Registry
from server.registry.results import WatchEvent
from server.registry.watch import WatchStream

BYTES_PER_WRITE = 64 * 1024
"""Lines are gathered until they are so long: a client that stops reading costs about as much memory."""


class Watches:
    """The watches of one server: they share encoded events, and all end when the server stops."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lines = Lines(registry)
        self._open: set[WatchStream] = set()
        self._stopped = False

    def stop(self) -> None:
        """End every watch cleanly, and each that comes later at once."""
        self._stopped = True
        for events in list(self._open):
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
        wanted = options.watch_options(request.query, seconds=seconds)
        out = request.stream()
        with self._ending(
            self._registry.watch(request.kind, request.namespace, wanted), request, seconds
        ) as events:
            await out.begin(request.http, content_type=JSON, headers=request.stream_headers)
            await self._send(request, events, out)
            await out.end(request.http)
        return out

    @contextmanager
    def _ending(self, events: WatchStream, request: Request, seconds: float) -> Iterator[WatchStream]:
        """Close the stream of events after so many seconds, when the client goes or when the server stops."""
        timer = asyncio.get_running_loop().call_later(seconds, events.close)
        self._open.add(events)
        if self._stopped:
            events.close()
        try:
            with connection_of(request.http).ending(events.close):
                yield events
        finally:
            timer.cancel()
            self._open.discard(events)
            events.close()

    async def _send(self, request: Request, events: WatchStream, out: Stream) -> None:
        first = True
        try:
            async for batch in events:
                for piece in self._written(request, batch, first=first):
                    await out.send(piece)
                first = False
        except ApiError as error:
            await out.send(encode("ERROR", orjson.dumps(error.status())))

    def _written(self, request: Request, batch: Sequence[WatchEvent], *, first: bool) -> Iterator[bytes]:
        """The events of a batch as lines, several at a time; `first` is whether the watch begins with it."""
        lines, size = [], 0
        for event in batch:
            line = self._lines.line(request, event, first=first)
            first = False
            lines.append(line)
            size += len(line)
            if size >= BYTES_PER_WRITE:
                yield b"".join(lines)
                lines, size = [], 0
        if lines:
            yield b"".join(lines)
