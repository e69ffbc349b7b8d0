"""The handlers of an informer and how they are called; what changed is the informer's affair."""

import asyncio
from collections.abc import Callable, Iterable

from kubeling.client.protocol import Handler
from kubeling.objects.meta import Object


class Handlers:
    """Calls each handler in its own turn of the event loop, in the order of the changes.

    So a handler that raises is reported by the loop, and neither the informer nor the other handlers notice.
    """

    def __init__(self) -> None:
        self._handlers: list[Handler] = []

    def add(self, handler: Handler, *, known: Iterable[Object]) -> None:
        for obj in known:
            self._call(handler, "ADDED", obj, None)
        self._handlers.append(handler)

    def remove(self, handler: Handler) -> None:
        if handler in self._handlers:
            self._handlers.remove(handler)

    def notify(self, kind: str, obj: Object, old: Object | None) -> None:
        for handler in self._handlers:
            self._call(handler, kind, obj, old)

    def after(self, callback: Callable[[], None]) -> None:
        """Call back once everything handed out so far has been handled."""
        asyncio.get_running_loop().call_soon(callback)

    def _call(self, handler: Handler, kind: str, obj: Object, old: Object | None) -> None:
        asyncio.get_running_loop().call_soon(handler, kind, obj, old)
