"""One HTTPS client for all webhooks: a URL or a Service, a CA bundle, a time limit.

What is asked and answered is the caller's business. Where a Service is to be found is told by `resolve`.
"""

import base64
import binascii
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from server.webhooks.errors import WebhookError

DEFAULT_PORT = 443
LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes."""

Resolve = Callable[[str, str, int], tuple[str, int]]
"""Namespace, name and port of a Service → the address and port to connect to. Raises WebhookError."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a webhook is: what its certificate must be for, and what to connect to."""

    url: str
    """As messages name it."""
    host: str
    """What the certificate is checked against."""
    connect: str
    """The URL that is opened; another one for a Service."""


class WebhookClient:
    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._session: aiohttp.ClientSession | None = None

    async def post(self, config: Mapping[str, Any], body: Any, *, seconds: int) -> Any:
        """Send JSON, and give back the JSON of the answer. `config` is a WebhookClientConfig, as stored.

        Raises:
            WebhookError: there is no answer, or none that is JSON and a success.
        """
        place = self._place(config, seconds)
        try:
            context = _context(config.get("caBundle") or "")
            return await self._exchange(place, context, orjson.dumps(body), seconds)
        except WebhookError as error:
            raise WebhookError(f'Post "{place.url}": {error}') from error
        except TimeoutError as error:
            raise WebhookError(f'Post "{place.url}": context deadline exceeded') from error
        except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
            raise WebhookError(f'Post "{place.url}": {reason(error)}') from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _place(self, config: Mapping[str, Any], seconds: int) -> Place:
        limit = f"timeout={seconds}s"
        if url := config.get("url"):
            parts = urlsplit(url)
            whole = f"{url}{'&' if parts.query else '?'}{limit}"
            return Place(whole, parts.hostname or "", whole)
        service = config.get("service") or {}
        namespace, name = service.get("namespace") or "", service.get("name") or ""
        port, host = service.get("port") or DEFAULT_PORT, f"{name}.{namespace}.svc"
        path = f"/{(service.get('path') or '').lstrip('/')}?{limit}"
        shown = f"https://{host}:{port}{path}"
        try:
            address, reached = self._resolve(namespace, name, port)
        except WebhookError as error:
            raise WebhookError(f'Post "{shown}": {error}') from error
        bracketed = f"[{address}]" if ":" in address else address
        return Place(shown, host, f"https://{bracketed}:{reached}{path}")

    async def _exchange(self, place: Place, context: ssl.SSLContext, body: bytes, seconds: int) -> Any:
        session = self._open()
        async with session.post(
            place.connect,
            data=body,
            ssl=context,
            server_hostname=place.host,
            headers={"Host": urlsplit(place.url).netloc, "Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,
        ) as answer:
            content = await answer.content.read(LARGEST_ANSWER)
            if not 200 <= answer.status < 300:
                raise WebhookError(_refusal(answer.status, content))
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise WebhookError(f"the answer is not JSON: {error}") from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"User-Agent": "kube-apiserver-admission", "Accept": "application/json, */*"}
            self._session = aiohttp.ClientSession(headers=headers, auto_decompress=True)
        return self._session


@lru_cache(maxsize=128)
def _context(bundle: str) -> ssl.SSLContext:
    """TLS that trusts the bundle's authorities or, without one, the system's."""
    if not bundle:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=base64.b64decode(bundle).decode())
    except (ssl.SSLError, ValueError, binascii.Error) as error:
        raise WebhookError("unable to load root certificates: unable to parse bytes as PEM block") from error


def _refusal(status: int, content: bytes) -> str:
    text = content[:1024].decode(errors="replace").strip()
    if status == 404:
        return "the server could not find the requested resource"
    if status >= 500:
        return f'an error on the server ("{text or "unknown"}") has prevented the request from succeeding'
    return f"the server rejected our request for an unknown reason ({status}: {text})"


def reason(error: Exception) -> str:
    """The failure as Go's HTTP client would tell it."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate_reason(error.certificate_error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_reason(error)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {error.host}: no such host"
    if isinstance(error, aiohttp.ClientConnectorError):
        refused = isinstance(error.os_error, ConnectionRefusedError)
        why = "connection refused" if refused else (error.os_error.strerror or str(error.os_error)).lower()
        return f"dial tcp {error.host}:{error.port}: connect: {why}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    return str(error) or type(error).__name__


def _certificate_reason(error: Exception) -> str:
    why = getattr(error, "verify_message", "") or str(error)
    if "self-signed" in why or "self signed" in why or "unable to get" in why:
        why = "x509: certificate signed by unknown authority"
    return f"tls: failed to verify certificate: {why}"
