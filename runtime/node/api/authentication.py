"""Who asks: the holder of a certificate of the cluster's CA, or of a bearer token that the API server knows.

Nobody is anonymous. What the API server said about a token holds for two minutes, as upstream has it.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import web

from kubeling.client.protocol import Client
from kubeling.client.resources import Resource
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from runtime.node.api.errors import HttpError
from runtime.node.api.remembered import Remembered
from runtime.node.api.review import NoReview, review

logger = logging.getLogger(__name__)

TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)
TOKEN_SECONDS = 120.0
_AUTHENTICATED = "system:authenticated"


@dataclass(frozen=True, slots=True)
class User:
    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


def unauthorized() -> HttpError:
    return HttpError(HTTPStatus.UNAUTHORIZED, "Unauthorized")


def certificate_user(request: web.BaseRequest) -> User | None:
    """Whom the client's certificate names: that the CA signed it was checked in the TLS handshake."""
    tls = request.transport.get_extra_info("ssl_object") if request.transport is not None else None
    certificate = tls.getpeercert() if tls is not None else None
    if not certificate:
        return None
    subject = _subject(certificate)
    name = subject.get("commonName", [""])[0]
    return User(name, (*subject.get("organizationName", []), _AUTHENTICATED)) if name else None


class Authentication:
    """Asks the API server about tokens."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._known: Remembered[str, User | None] = Remembered(clock)

    async def user(self, request: web.BaseRequest) -> User:
        """Raises HttpError 401."""
        found = certificate_user(request)
        if found is None and (token := _bearer(request)):
            found = await self._of_token(token)
        if found is None:
            raise unauthorized()
        return found

    async def _of_token(self, token: str) -> User | None:
        key = hashlib.sha256(token.encode()).hexdigest()
        if key in self._known:
            return self._known[key]
        try:
            user = _reviewed(await review(self._client, TOKEN_REVIEWS, {"token": token}))
        except NoReview as error:
            logger.warning("cannot ask the API server about a token: %s", error)
            raise unauthorized() from error
        self._known.keep(key, user, seconds=TOKEN_SECONDS)
        return user


def _reviewed(status: Object) -> User | None:
    if not status.get("authenticated"):
        return None
    user = status.get("user") or {}
    extra = {name: tuple(values) for name, values in (user.get("extra") or {}).items()}
    return User(user.get("username", ""), tuple(user.get("groups") or ()), user.get("uid", ""), extra)


def _bearer(request: web.BaseRequest) -> str:
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _subject(certificate: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for relative_name in certificate.get("subject", ()):
        for name, value in relative_name:
            found.setdefault(name, []).append(value)
    return found
