"""Signs service account tokens, and reads those that it has signed.

The form is upstream's to the letter: compact JWS, the key's id in the header, the audience always a list.
"""

import base64
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from server.tokens import claims
from server.tokens.claims import Binding, Claims, ClaimsError, Reference

if TYPE_CHECKING:
    from server.tokens.keys import SigningKey, VerificationKey

ISSUER = "https://kubernetes.default.svc.cluster.local"
LEGACY_ISSUER = "kubernetes/serviceaccount"
PATTERN_SECONDS = 3607
"""The life of the tokens that admission mounts into pods: they are the ones whose life is extended."""
EXTENDED_SECONDS = 365 * 24 * 3600
LONGEST_TOKEN = 16 * 1024
"""Characters: what is longer is no token of ours."""


class TokenError(ValueError):
    """A token of this issuer that cannot be trusted; the text says why, as upstream says it."""


@dataclass(frozen=True, slots=True)
class Life:
    """How long a token lives, and after how many seconds its use is counted as late (0: never)."""

    seconds: int
    warn_after: int = 0


class Issuer:
    """`audiences` are the API server's own: what a token is for that names none."""

    def __init__(
        self,
        key: "SigningKey | Callable[[], SigningKey]",
        *,
        others: "Callable[[], Sequence[VerificationKey]]" = tuple,
        url: str = ISSUER,
        audiences: Sequence[str] = (),
    ) -> None:
        """`key` may be a way to get it, taken when it is first needed: cryptography brings 10 MB. `others`
        gives the keys with which nothing is signed any more, but whose tokens count."""
        self._key = key
        self._others = others
        self.url = url
        self.audiences = tuple(audiences) or (url,)

    @cached_property
    def key(self) -> "SigningKey":
        return self._key() if callable(self._key) else self._key

    @cached_property
    def keys(self) -> "tuple[VerificationKey, ...]":
        """All that verify tokens, each once, the one that signs first."""
        every = (self.key, *self._others())
        return tuple({key.id: key for key in every}.values())

    def issue(
        self,
        *,
        namespace: str,
        account: Reference,
        audiences: Sequence[str],
        binding: Binding,
        life: Life,
        now: datetime,
    ) -> str:
        """A signed token."""
        issued = int(now.timestamp())
        private: dict[str, Any] = {
            "namespace": namespace,
            **binding.payload(),
            "serviceaccount": account.payload(),
        }
        if life.warn_after:
            private["warnafter"] = issued + life.warn_after
        return self._signed(
            {
                "aud": list(audiences),
                "exp": issued + life.seconds,
                "iat": issued,
                "iss": self.url,
                "jti": str(uuid.uuid4()),
                claims.PRIVATE: private,
                "nbf": issued,
                "sub": claims.user_name(namespace, account.name),
            }
        )

    def legacy(self, *, namespace: str, account: Reference, secret: str) -> str:
        """A token for a Secret: it does not expire and lives as long as the Secret."""
        payload = claims.legacy_payload(namespace=namespace, account=account, secret=secret)
        return self._signed({"iss": LEGACY_ISSUER, **payload})

    def life(self, seconds: int, *, audiences: Sequence[str], binding: Binding) -> Life:
        """The life of a token for which so many seconds were asked.

        A pod's usual token outlives what it says, for clients that do not read it again in time.
        """
        own = set(audiences) <= set(self.audiences)
        if binding.pod is not None and seconds == PATTERN_SECONDS and own:
            return Life(EXTENDED_SECONDS, warn_after=seconds)
        return Life(seconds)

    def read(self, token: str) -> Claims | None:
        """What a token says whose signature holds; None for what this issuer never signed.

        Raises:
            TokenError: it names this issuer, but is forged or damaged.
        """
        if len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        if _claimed_issuer(token) not in (self.url, LEGACY_ISSUER):
            return None
        try:
            return claims.read(self._verified(token))
        except ClaimsError as error:
            raise TokenError(str(error)) from error

    def _signed(self, payload: dict[str, Any]) -> str:
        import jwt  # it brings 10 MB, needed only once there are tokens

        headers = {"kid": self.key.id, "typ": ""}
        return jwt.encode(payload, self.key.private, algorithm=self.key.algorithm, headers=headers)

    def _verified(self, token: str) -> dict[str, Any]:
        import jwt

        try:
            wanted = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError as error:
            raise TokenError(_FORGED) from error
        fitting = [key for key in self.keys if wanted in (None, "", key.id)]
        if not fitting:
            raise TokenError("invalid signature, no keys found")
        for key in fitting:
            with suppress(jwt.InvalidTokenError):
                verified: dict[str, Any] = jwt.decode(
                    token, key.public, algorithms=[key.algorithm], options=_SIGNATURE_ONLY
                )
                return verified
        raise TokenError(_FORGED)


_FORGED = "go-jose/go-jose: error in cryptographic primitive"
_SIGNATURE_ONLY: Any = {
    "verify_signature": True,
    **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss"), False),
    **dict.fromkeys(("verify_sub", "verify_jti"), False),
}


def _claimed_issuer(token: str) -> str:
    """The issuer that a token names, not verified; "" for what is no token."""
    parts = token.split(".")
    if len(parts) != 3:
        return ""
    try:
        payload = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return ""
    issuer = payload.get("iss") if isinstance(payload, dict) else ""
    return issuer if isinstance(issuer, str) else ""
