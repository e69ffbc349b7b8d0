"""One client connection with the certificate that the client sent, read once and not per request.

Not here: those who wait for its end (`kubeling.streams.connection`).
"""

import ssl
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from kubeling.streams import connection
from server.auth.certificates import identity_of
from server.auth.identities import Identity

_LINGER_SECONDS = 1.0
"""How long the rest of a refused body is read, so that the client gets to see why."""
_LONGEST_LINE = 128 * 1024
"""Bytes of a request line: selectors of a few thousand names fit in."""
_LONGEST_FIELD = 32 * 1024
"""Bytes of one header, of which there may be 128: strangers can make the server hold so much."""
_IDLE_SECONDS = 90.0
"""How long a connection may wait for, or be busy sending, the head of a request."""
_MALFORMED = (HttpProcessingError, RequestPayloadError)


class Connection(connection.Connection):
    __slots__ = ("_user", "_user_known", "authenticated")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user: Identity | None = None
        self._user_known = False
        self.authenticated: tuple[str, Identity | None] = ("", None)
        """The last Authorization header that was accepted, and whose it is."""

    @property
    def certificate_user(self) -> Identity | None:
        """The user whom the client's certificate names, if it sent one."""
        if not self._user_known:
            tls: ssl.SSLObject | None = (
                self.transport.get_extra_info("ssl_object") if self.transport is not None else None
            )
            self._user, self._user_known = identity_of(tls), True
        return self._user

    def log_exception(self, *args: Any, **options: Any) -> None:
        """What is malformed is answered with 400 and is no news; all else is the server's own failure."""
        if not isinstance(options.get("exc_info"), _MALFORMED):
            super().log_exception(*args, **options)


class Server(web.Server):
    """Makes a `Connection` per client. No router, no middleware: one handler takes every request."""

    def __init__(self, handler: Callable[[web.BaseRequest], Any]) -> None:
        super().__init__(
            handler,
            access_log=None,
            lingering_time=_LINGER_SECONDS,
            keepalive_timeout=_IDLE_SECONDS,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_FIELD,
            auto_decompress=False,
        )

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)

    def let_go(self) -> None:
        """The server is stopping."""
        for each in self.connections:
            cast(Connection, each).let_go()


def connection_of(request: web.BaseRequest) -> Connection:
    return cast(Connection, request.protocol)
