"""HTTPS to servers of other APIs: it shows them the front proxy's certificate, and says who it asks for."""

import base64
import binascii
import ssl
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from server.api.aggregation.remotes import Remote
from server.api.backends import new_session
from server.config import KeyPair
from server.registry.context import UserInfo
from server.webhooks.client import Resolve
from server.webhooks.errors import WebhookError

if TYPE_CHECKING:
    from aiohttp import ClientSession

_TOKEN = "!#$&'*+-.^_`|~"
"""What header names hold beside letters and digits; a percent sign would be the escape itself."""


class Unreachable(Exception):
    """There is no way to a server; the text says why."""


class RemoteConnections:
    """`close` ends the connections that are kept open."""

    def __init__(self, resolve: Resolve, proxy: KeyPair | None) -> None:
        self._resolve = resolve
        self._context = lru_cache(maxsize=64)(self._make_context)
        self._proxy = proxy
        self._session: ClientSession | None = None

    @property
    def session(self) -> "ClientSession":
        if self._session is None:
            self._session = new_session(self.unchecked())
        return self._session

    def address(self, remote: Remote) -> str:
        """The URL of a server, without a path.

        Raises:
            Unreachable: nobody stands behind its Service.
        """
        try:
            host, port = self._resolve(remote.namespace, remote.service, remote.port)
        except WebhookError as error:
            raise Unreachable(str(error)) from error
        return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"

    def tls(self, remote: Remote) -> ssl.SSLContext:
        """
        Raises:
            Unreachable: its authorities are none.
        """
        return self.unchecked() if remote.insecure else self._context(remote.bundle, checked=True)

    def unchecked(self) -> ssl.SSLContext:
        """For asking whether anybody is there."""
        return self._context("", checked=False)

    def _make_context(self, bundle: str, *, checked: bool) -> ssl.SSLContext:
        try:
            text = base64.b64decode(bundle).decode() if bundle else None
            context = ssl.create_default_context(cadata=text)
        except (ssl.SSLError, ValueError, binascii.Error) as error:
            raise Unreachable("unable to load root certificates") from error
        if not checked:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self._proxy is not None:
            context.load_cert_chain(self._proxy.certificate, self._proxy.key)
        return context

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def identity_headers(user: UserInfo) -> Iterable[tuple[str, str]]:
    """Who asks, for a server that trusts the front proxy."""
    yield "X-Remote-User", user.name
    if user.uid:
        yield "X-Remote-Uid", user.uid
    for group in user.groups:
        yield "X-Remote-Group", group
    for key, values in user.extra.items():
        for value in values:
            yield f"X-Remote-Extra-{quote(key, safe=_TOKEN)}", value
