"""Authentication by service account tokens: what a token says must still be so.

The signature of a token is checked once. Time, the account and the object that the token is bound to are
looked at for every request: a `Session` remembers which records it saw, and as long as the store holds
these very records, and the time is not up, nothing can have changed.
"""

import hashlib
import hmac
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from kubeling.objects import meta
from kubeling.objects.clock import Clock
from server.auth.certificates import CREDENTIAL_ID
from server.auth.identities import AUTHENTICATED
from server.registry.context import UserInfo
from server.storage.record import Record
from server.tokens.claims import GROUP, Claims, Reference, user_name
from server.tokens.issuer import Issuer, TokenError

LEEWAY = 60.0
"""Seconds by which clocks may differ, and which an object's deletion leaves to its tokens."""
LAST_USED = "kubernetes.io/legacy-token-last-used"
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
_EXTRA = "authentication.kubernetes.io/"
_REMEMBERED = 4096
_INVALIDATED = "service account token has been invalidated"
_SECONDS_A_DAY = 86400.0


class Objects(Protocol):
    """What tokens are held against: the store, or a fake of it."""

    @property
    def revision(self) -> int: ...

    def get(self, resource: str, namespace: str, name: str) -> Record | None: ...


Used = Callable[[str, str], None]
"""Told of the use of a token that lies in a Secret, by its namespace and name, on the day's first use."""


class Session:
    """One token, whose signature holds, and what was seen of the objects that it depends on."""

    def __init__(self, claims: Claims, objects: Objects, clock: Clock) -> None:
        self.claims = claims
        self.user = _user(claims)
        self._objects = objects
        self._clock = clock
        self._seen: list[tuple[str, str, str, Record]] = []
        self._until = 0.0
        self._revision = -1

    def holds(self) -> bool:
        """Whether nothing has changed since the last check that succeeded."""
        if self._clock.now().timestamp() >= self._until:
            return False
        revision = self._objects.revision
        if revision == self._revision:
            return True
        get = self._objects.get
        for resource, namespace, name, record in self._seen:
            if get(resource, namespace, name) is not record:
                return False
        self._revision = revision
        return True

    def check(self, token: str, used: Used) -> None:
        """Look at everything anew.

        Raises:
            TokenError: the token is not valid now.
        """
        self._seen, self._until, self._revision = [], 0.0, -1
        now = self._clock.now().timestamp()
        if self.claims.legacy:
            self._until = self._check_legacy(token, now, used)
        else:
            self._until = min(_check_times(self.claims, now), *self._check_bound(now))

    def _check_bound(self, now: float) -> list[float]:
        """Until when each object leaves the token valid."""
        claims = self.claims
        ends = [self._check_account(now)]
        for resource, kind, bound in (("secrets", "secret", claims.secret), ("pods", "pod", claims.pod)):
            if bound is not None:
                ends.append(self._check_object(resource, kind, claims.namespace, bound, now))
        if claims.node is not None and claims.pod is None:
            ends.append(self._check_object("nodes", "node", "", claims.node, now))
        return ends

    def _check_account(self, now: float, *, leeway: float = LEEWAY) -> float:
        space, account = self.claims.namespace, self.claims.account
        record = self._look("serviceaccounts", space, account.name)
        title = "ServiceAccount" if self.claims.legacy else "service account"
        if record is None:
            raise TokenError(f'serviceaccounts "{account.name}" not found')
        if record.uid != account.uid:
            raise TokenError(f"{title} UID ({record.uid}) does not match claim ({account.uid})")
        end = _end(record, leeway)
        if end <= now:
            raise TokenError(f"{title} {space}/{account.name} has been deleted")
        return end

    def _check_object(self, resource: str, kind: str, namespace: str, bound: Reference, now: float) -> float:
        record = self._look(resource, namespace, bound.name)
        if record is None:
            raise TokenError(_INVALIDATED)
        if record.uid != bound.uid:
            raise TokenError(
                f"{kind} UID ({record.uid}) does not match service account {kind} ref claim ({bound.uid})"
            )
        end = _end(record, LEEWAY)
        if end <= now:
            raise TokenError(_INVALIDATED)
        return end

    def _check_legacy(self, token: str, now: float, used: Used) -> float:
        space, name = self.claims.namespace, self.claims.legacy_secret
        record = self._look("secrets", space, name)
        if record is None or meta.is_terminating(record.obj):
            raise TokenError("Token has been invalidated")
        held = (record.obj.get("data") or {}).get("token") or ""
        if not hmac.compare_digest(b64decode(held), token.encode()):
            raise TokenError("Token does not match server's copy")
        self._check_account(now, leeway=0.0)
        labels, today = record.labels, datetime.fromtimestamp(now, UTC)
        if labels.get(LAST_USED) not in (day(today), day(today + timedelta(days=1))):
            used(space, name)
        if labels.get(INVALID_SINCE):
            raise TokenError(_marked_invalid(space, name, self.claims.account.name))
        return (now // _SECONDS_A_DAY + 1) * _SECONDS_A_DAY

    def _look(self, resource: str, namespace: str, name: str) -> Record | None:
        record = self._objects.get(resource, namespace, name)
        if record is not None:
            self._seen.append((resource, namespace, name, record))
        return record


class ServiceAccountTokens:
    def __init__(
        self, issuer: Issuer, objects: Objects, clock: Clock, *, used: Used = lambda *_: None
    ) -> None:
        self._issuer = issuer
        self._objects = objects
        self._clock = clock
        self._used = used
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def authenticate(
        self, token: str, audiences: Sequence[str] = ()
    ) -> tuple[Session, tuple[str, ...]] | None:
        """Whose token it is, and for which of the `audiences` (unless given, the API server's own).

        None when it is no service account token at all.

        Raises:
            TokenError: it is one, but is not valid now, or for none of the audiences.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        session = self._sessions.get(digest) or self._open(token)
        if session is None:
            return None
        meant = self._meant_for(session.claims, audiences)
        if not session.holds():
            session.check(token, self._used)
        self._remember(digest, session)
        return session, meant

    def _open(self, token: str) -> Session | None:
        claims = self._issuer.read(token)
        return Session(claims, self._objects, self._clock) if claims is not None else None

    def _meant_for(self, claims: Claims, audiences: Sequence[str]) -> tuple[str, ...]:
        named = claims.audiences or self._issuer.audiences
        asked = tuple(audiences) or self._issuer.audiences
        meant = tuple(each for each in named if each in asked)
        if not meant:
            raise TokenError(
                f"token audiences {_quoted(named)} is invalid for the target audiences {_quoted(asked)}"
            )
        return meant

    def _remember(self, digest: bytes, session: Session) -> None:
        self._sessions[digest] = session
        self._sessions.move_to_end(digest)
        if len(self._sessions) > _REMEMBERED:
            self._sessions.popitem(last=False)


def day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")


def _check_times(claims: Claims, now: float) -> float:
    """Until when the token's own times leave it valid."""
    if claims.not_before > now + LEEWAY:
        raise TokenError("service account token is not valid yet")
    if claims.expires_at and claims.expires_at < now - LEEWAY:
        raise TokenError("service account token has expired")
    if claims.issued_at > now + LEEWAY:
        raise TokenError("service account token is issued in the future")
    return claims.expires_at + LEEWAY if claims.expires_at else float("inf")


def _end(record: Record, leeway: float) -> float:
    """When the tokens of an object end with it; never, unless it is being deleted."""
    deleted = record.obj["metadata"].get("deletionTimestamp")
    return meta.parse_timestamp(deleted).timestamp() + leeway if deleted else float("inf")


def _user(claims: Claims) -> UserInfo:
    groups = (GROUP, f"{GROUP}:{claims.namespace}", AUTHENTICATED)
    name = user_name(claims.namespace, claims.account.name)
    return UserInfo(name, uid=claims.account.uid, groups=groups, extra=_extra(claims))


def _extra(claims: Claims) -> Mapping[str, tuple[str, ...]]:
    told = {CREDENTIAL_ID: f"JTI={claims.id}" if claims.id else ""}
    for kind, bound in (("node", claims.node), ("pod", claims.pod)):
        if bound is not None:
            told |= {f"{_EXTRA}{kind}-name": bound.name, f"{_EXTRA}{kind}-uid": bound.uid}
    return {key: (value,) for key, value in told.items() if value}


def _quoted(names: Sequence[str]) -> str:
    """A list as Go's %q shows it."""
    return "[" + " ".join(f'"{name}"' for name in names) + "]"


def _marked_invalid(namespace: str, secret: str, account: str) -> str:
    return (
        f"the token in secret {namespace}/{secret} for service account {namespace}/{account} has been marked"
        " invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove"
        f" the '{INVALID_SINCE}' label from the secret to temporarily allow use of this token"
    )
