"""aiohttp connections that tell when their client goes: a handler that only waits would not notice."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler


class Connection(RequestHandler):
    __slots__ = ("_lost",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lost: list[Callable[[], object]] = []

    @contextmanager
    def ending(self, callback: Callable[[], object]) -> Iterator[None]:
        """Call back if the connection ends meanwhile: aiohttp lets a handler run on when its client goes."""
        self._lost.append(callback)
        try:
            yield
        finally:
            if callback in self._lost:
                self._lost.remove(callback)

    def let_go(self) -> None:
        """End what goes on without an end of its own, such as watches, logs and tunnels."""
        for callback in list(self._lost):
            callback()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.let_go()


class ConnectionServer(web.Server):
    """Makes a `Connection` per client; one handler takes every request."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[Any]], **options: Any) -> None:
        """The handler returns a response or a `Takeover`."""
        super().__init__(handler, **options)

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)


def connection_of(request: web.BaseRequest) -> Connection:
    """The connection of a request that came through a `ConnectionServer`."""
    return cast(Connection, request.protocol)
