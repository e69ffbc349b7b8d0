"""Service account tokens for pods: asked for by the node in the pod's name, kept, and renewed in time.

A token is renewed, as the kubelet does it, when a fifth of its life is left or when it is a day old. One that
cannot be renewed stays in use until it ends.
"""

import logging
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from kubeling.client.errors import ConnectionLost
from kubeling.client.protocol import Client
from kubeling.client.resources import SERVICE_ACCOUNTS
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError
from kubeling.objects.meta import Object

logger = logging.getLogger(__name__)

DEFAULT_SECONDS = 3600
LONGEST_USE = timedelta(hours=24)
LATEST_SHARE = 0.8
"""The part of its life after which a token is renewed."""
JITTER = 10.0
RETRY = 60.0
"""Seconds after which a renewal that failed is tried again."""


class TokenKind(NamedTuple):
    """What the source of a projected volume asks for; audience "" is the API server itself."""

    audience: str
    seconds: int


Tokens = Mapping[TokenKind, str]


class TokenUnavailable(Exception):
    """A token cannot be had; the text is the kubelet's."""


@dataclass(slots=True)
class _Held:
    token: str
    issued: datetime
    expires: datetime
    renew_at: datetime


class AccountTokens:
    """The tokens of all pods of the node."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._held: dict[str, dict[TokenKind, _Held]] = {}

    async def get(self, pod: Object) -> Tokens:
        """Every token that the pod's volumes show; from the API when there is none yet, or an old one.

        Raises:
            TokenUnavailable: one cannot be had.
        """
        held = self._held.setdefault(meta.uid(pod), {})
        for kind in dict.fromkeys(token_kinds(pod)):
            known = held.get(kind)
            if known is None or self._due(known):
                held[kind] = await self._renewed(pod, kind, known)
        return {kind: each.token for kind, each in held.items()}

    def renewal(self, pod_uid: str) -> float | None:
        """Seconds until the first of the pod's tokens is to be renewed, at least 0; None without tokens."""
        now = self._clock.now()
        waits = [(each.renew_at - now).total_seconds() for each in self._held.get(pod_uid, {}).values()]
        return max(min(waits), 0.0) if waits else None

    def due(self, pod_uid: str) -> bool:
        return any(map(self._due, self._held.get(pod_uid, {}).values()))

    def forget(self, pod_uid: str) -> None:
        self._held.pop(pod_uid, None)

    def _due(self, held: _Held) -> bool:
        """Also when the clock was put back to before the token was made."""
        now = self._clock.now()
        return now >= held.renew_at or now < held.issued - timedelta(seconds=JITTER)

    async def _renewed(self, pod: Object, kind: TokenKind, known: _Held | None) -> _Held:
        try:
            return await self._request(pod, kind)
        except (ApiError, ConnectionLost) as error:
            if known is None:
                raise TokenUnavailable(f"failed to fetch token: {error}") from error
            now = self._clock.now()
            if now > known.expires:
                raise TokenUnavailable(f"token expired and refresh failed: {error}") from error
            logger.warning("the token of pod %s cannot be renewed: %s", meta.key(pod), error)
            known.renew_at = now + timedelta(seconds=RETRY)
            return known

    async def _request(self, pod: Object, kind: TokenKind) -> _Held:
        answer = await self._client.create(SERVICE_ACCOUNTS, _token_request(pod, kind), subresource="token")
        status = answer.get("status") or {}
        if not status.get("token") or not status.get("expirationTimestamp"):
            raise ApiError("the server gave no token")
        expires = meta.parse_timestamp(status["expirationTimestamp"])
        seconds = (answer.get("spec") or {}).get("expirationSeconds") or kind.seconds
        issued = expires - timedelta(seconds=seconds)
        wait = min(timedelta(seconds=seconds * LATEST_SHARE), LONGEST_USE)
        jitter = timedelta(seconds=random.uniform(0, JITTER))
        return _Held(status["token"], issued, expires, issued + wait - jitter)


def token_kinds(pod: Object) -> Iterator[TokenKind]:
    """What the pod's projected volumes ask for."""
    for volume in _volumes(pod):
        for source in volume["projected"].get("sources") or []:
            if source.get("serviceAccountToken") is not None:
                yield token_kind(source["serviceAccountToken"])


def token_volumes(pod: Object) -> list[str]:
    """The names of the volumes that show a token."""
    return [volume["name"] for volume in _volumes(pod) if any(token_kinds({"spec": {"volumes": [volume]}}))]


def _volumes(pod: Object) -> list[Object]:
    volumes = (pod.get("spec") or {}).get("volumes") or []
    return [volume for volume in volumes if volume.get("projected")]


def token_kind(source: Object) -> TokenKind:
    return TokenKind(source.get("audience") or "", source.get("expirationSeconds") or DEFAULT_SECONDS)


def _token_request(pod: Object, kind: TokenKind) -> Object:
    account = (pod.get("spec") or {}).get("serviceAccountName") or ""
    bound = {"kind": "Pod", "apiVersion": "v1", "name": meta.name(pod), "uid": meta.uid(pod)}
    return {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"name": account, "namespace": meta.namespace(pod)},
        "spec": {
            "audiences": [kind.audience] if kind.audience else [],
            "expirationSeconds": kind.seconds,
            "boundObjectRef": bound,
        },
    }
