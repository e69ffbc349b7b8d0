"""Connections to what users run: pods, and whatever else stands behind a Service or at a node's other ports.

Unlike those to a node's agent (`nodes`), they show no certificate - a stranger listens there, and the
server's own would open every door to whatever request is passed on - and check none. Addresses that mean
this machine, its own network or its cloud's metadata are refused.
"""

import asyncio
import ipaddress
import socket
import ssl
from typing import TYPE_CHECKING, Protocol

from kubeling.objects.errors import BadRequest

if TYPE_CHECKING:
    from aiohttp import ClientSession

CONNECT_SECONDS = 5.0
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


class Connections(Protocol):
    """A way to talk to a backend."""

    @property
    def session(self) -> "ClientSession": ...

    def tls(self) -> ssl.SSLContext: ...


class Backends:
    """`close` ends the connections that are kept open."""

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None
        self._session: ClientSession | None = None

    @property
    def session(self) -> "ClientSession":
        if self._session is None:
            self._session = new_session(self.tls())
        return self._session

    def tls(self) -> ssl.SSLContext:
        """TLS with whoever is there."""
        if self._context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self._context = context
        return self._context

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def new_session(context: ssl.SSLContext) -> "ClientSession":
    """An HTTP client that waits for answers as long as they take, keeps no cookies and unpacks nothing."""
    from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

    timeout = ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
    connector = TCPConnector(ssl=context, limit=0)
    return ClientSession(
        connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=DummyCookieJar()
    )


def check_address(text: str) -> None:
    """
    Raises:
        BadRequest: it is no address, or one that requests are not passed on to.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise _not_allowed() from error
    if not _is_global_unicast(address):
        raise _not_allowed()


async def check_host(host: str) -> None:
    """The same of every address that a host's name stands for.

    Raises:
        BadRequest: one of them is refused, or there is none.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise BadRequest(f"lookup {host}: no such host") from error
    for *_, place in found:
        check_address(str(place[0]))


def _is_global_unicast(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """In Go's sense: private addresses are."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    special = address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
    return not special and address != _BROADCAST


def _not_allowed() -> BadRequest:
    return BadRequest("address not allowed")
