"""HTTPS on one port: the socket, TLS, and a shutdown that lets what runs come to its end."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from server.api.connection import Server

_BACKLOG = 1024


class ListenError(Exception):
    """The server cannot listen; the text says on what and why."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ListenError: the address is taken or is not one of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise ListenError(f"port {port} on {host} is in use by another process") from error
        raise ListenError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return listening


def tls(*, certificate: Path, key: Path, client_ca: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer; clients may show a certificate, which then must be signed by `client_ca`.

    Raises:
        ListenError: a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.verify_mode = ssl.CERT_OPTIONAL
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ListenError(f"cannot use the certificate {certificate} with the key {key}: {error}") from error
    try:
        context.load_verify_locations(client_ca)
    except (OSError, ssl.SSLError) as error:
        raise ListenError(f"cannot use the client CA {client_ca}: {error}") from error
    return context


class Listener:
    """Serves a handler on a socket."""

    def __init__(self, handler: Callable[[web.BaseRequest], Any]) -> None:
        self._server = Server(handler)
        self._accepting: asyncio.Server | None = None

    async def start(self, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        self._accepting = await loop.create_server(self._server, sock=listening, ssl=context)

    async def stop(self, *, seconds: float) -> None:
        """Accept nothing more, give running requests so many seconds, then close their connections."""
        if self._accepting is not None:
            self._accepting.close()
        self._server.let_go()
        self._server.pre_shutdown()
        await self._server.shutdown(seconds)
