"""The handlers of an informer and how they are called; what changed is the informer's affair."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from kubeling.client.protocol import Handler
from kubeling.objects.meta import Object

AT_ONCE = 200
"""Objects that a new handler is told of in one turn of the event loop."""


class Handlers:
    """Calls each handler in its own turn of the event loop, in the order of the changes.

    So a handler that raises is reported by the loop, and neither the informer nor the other handlers notice.
    """

    def __init__(self) -> None:
        self._listeners: list[_Listener] = []

    @property
    def behind(self) -> bool:
        """Whether some handler has not been told of all that was known when it came."""
        return any(listener.behind for listener in self._listeners)

    async def caught_up(self) -> None:
        """Wait until no handler is behind, and what was handed out has been handled."""
        for listener in list(self._listeners):
            await listener.caught_up()
        await asyncio.sleep(0)

    def add(self, handler: Handler, *, known: Iterable[Object]) -> None:
        """`known` is gone through bit by bit, so that many objects do not hold up everybody else."""
        listener = _Listener(handler)
        self._listeners.append(listener)
        listener.begin(iter(known))

    def remove(self, handler: Handler) -> None:
        listener = next((each for each in self._listeners if each.handler == handler), None)
        if listener is not None:
            self._listeners.remove(listener)
            listener.end()

    def notify(self, kind: str, obj: Object, old: Object | None) -> None:
        for listener in self._listeners:
            listener.tell(kind, obj, old)

    def after(self, callback: Callable[[], None]) -> None:
        """Call back once everything handed out so far has been handled."""
        asyncio.get_running_loop().call_soon(callback)


class _Listener:
    """A handler; changes wait as long as it is being told what is known already."""

    __slots__ = ("_done", "_known", "_waiting", "handler")

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self._known: Iterator[Object] | None = None
        self._waiting: deque[tuple[str, Object, Object | None]] = deque()
        self._done: asyncio.Event | None = None

    @property
    def behind(self) -> bool:
        return self._known is not None

    async def caught_up(self) -> None:
        if self._known is not None:
            self._done = self._done or asyncio.Event()
            await self._done.wait()

    def begin(self, known: Iterator[Object]) -> None:
        self._known = known
        self._go_on()

    def end(self) -> None:
        """Nothing more is told but what has been handed out."""
        self._known = iter(())
        self._waiting.clear()

    def tell(self, kind: str, obj: Object, old: Object | None) -> None:
        if self._known is not None:
            self._waiting.append((kind, obj, old))
        else:
            self._call(kind, obj, old)

    def _go_on(self) -> None:
        assert self._known is not None
        told = 0
        for obj in islice(self._known, AT_ONCE):
            self._call("ADDED", obj, None)
            told += 1
        if told == AT_ONCE:
            asyncio.get_running_loop().call_soon(self._go_on)
            return
        self._known = None
        while self._waiting:
            self._call(*self._waiting.popleft())
        if self._done is not None:
            asyncio.get_running_loop().call_soon(self._done.set)

    def _call(self, kind: str, obj: Object, old: Object | None) -> None:
        asyncio.get_running_loop().call_soon(self.handler, kind, obj, old)
