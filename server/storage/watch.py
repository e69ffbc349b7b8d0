"""One watch: every event of its scope after a revision, once and in order, from the log and then live.

While memory no longer holds what comes next, the watch reads the log in chunks; as soon as memory does, it
attaches to the hub, without a gap because both steps name the revision reached.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from server.storage.errors import StoreClosed, WatchOverflow
from server.storage.hub import Hub, Scope
from server.storage.record import Event


class ReadLog(Protocol):
    def __call__(self, scope: Scope, *, after: int, through: int) -> Awaitable[tuple[Sequence[Event], int]]:
        """A chunk of a scope's events, and the revision up to which they are complete.

        Raises:
            Compacted: events after `after` have been deleted.
        """


Sink = Callable[[Sequence[Event]], bool]
"""Takes events on the spot, without awaiting; False if it has taken none of them."""


class Watch:
    """An async iterator of batches (never empty). Whoever made it must close it.

    Raises, from iteration:
        Compacted: the log was compacted beyond the revision reached before it could be read.
        WatchOverflow: more events waited than the bound allows; they are dropped. A new watch from
            `revision` goes on where this one ended.

    An iteration may be cancelled and repeated: a batch that was not returned is not lost.
    """

    def __init__(self, hub: Hub, read_log: ReadLog, scope: Scope, *, since: int, bound: int) -> None:
        self._hub = hub
        self._read_log = read_log
        self._scope = scope
        self._bound = bound
        self._delivered = since
        self._waiting: list[Event] = []
        self._news = asyncio.Event()
        self._overflowed = False
        self._closed = False
        self._sink: Sink | None = None
        self._attached = hub.attach(self, scope, after=since)

    @property
    def revision(self) -> int:
        """The revision up to which all has been returned; other resources' writes move it on too."""
        idle = self._attached and not self._waiting and not self._overflowed and not self._closed
        return self._hub.reached(self._scope) if idle else self._delivered

    def divert(self, sink: Sink) -> None:
        """Hand events to `sink` as they happen rather than to the iteration, until it takes some no more.

        Without effect while events wait for the iteration: they come first. It is for the iterating task to
        divert again, whenever it is about to wait.
        """
        if self._attached and not self._waiting:
            self._sink = sink

    def offer(self, events: Sequence[Event]) -> None:
        if self._overflowed or not events:
            return
        if self._sink is not None:
            if self._sink(events):
                return
            self._sink = None
        if len(self._waiting) + len(events) > self._bound:
            self.lose()
        else:
            self._waiting.extend(events)
            self._news.set()

    def lose(self) -> None:
        self._overflowed = True
        self._waiting = []
        self._news.set()

    def close(self) -> None:
        """End the iteration, now or when it is next asked for; may be called more than once."""
        if not self._closed:
            self._delivered = self.revision
            self._closed = True
            self._waiting = []
            self._sink = None
            self._hub.detach(self, self._scope)
            self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Sequence[Event]:
        while not self._closed:
            if self._overflowed:
                raise WatchOverflow(f"the watch fell behind after revision {self._delivered}")
            batch = self._take() if self._attached else await self._replay()
            if batch:
                return batch
            if self._attached:
                await self._news.wait()
        raise StopAsyncIteration

    def _take(self) -> Sequence[Event]:
        batch, self._waiting = self._waiting, []
        self._news.clear()
        self._delivered = self._hub.reached(self._scope)
        return batch

    async def _replay(self) -> Sequence[Event]:
        try:
            batch, reached = await self._read_log(
                self._scope, after=self._delivered, through=self._hub.revision
            )
        except StoreClosed:
            self.close()
        if self._closed:
            return ()
        self._delivered = reached
        self._attached = self._hub.attach(self, self._scope, after=reached)
        return batch

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
