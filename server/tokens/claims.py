"""What a service account token says, as data: of the account, of the object that it is bound to, of time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

PRIVATE = "kubernetes.io"
_LEGACY = "kubernetes.io/serviceaccount/"
USER_PREFIX = "system:serviceaccount:"
GROUP = "system:serviceaccounts"


class ClaimsError(ValueError):
    """The claims are not those of a service account token."""


class Reference(NamedTuple):
    """An object by name and uid."""

    name: str
    uid: str

    def payload(self) -> dict[str, str]:
        return {key: value for key, value in (("name", self.name), ("uid", self.uid)) if value}


def user_name(namespace: str, name: str) -> str:
    return f"{USER_PREFIX}{namespace}:{name}"


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a token; times are seconds since the epoch, 0 where the token has none."""

    issuer: str
    subject: str
    namespace: str
    account: Reference
    audiences: tuple[str, ...] = ()
    id: str = ""
    issued_at: float = 0
    not_before: float = 0
    expires_at: float = 0
    warn_after: float = 0
    pod: Reference | None = None
    secret: Reference | None = None
    node: Reference | None = None
    legacy_secret: str = ""
    """The Secret that holds the token, of tokens of the old kind, which do not expire."""

    @property
    def legacy(self) -> bool:
        return bool(self.legacy_secret)


@dataclass(frozen=True, slots=True)
class Binding:
    """What a token is bound to: it ends when one of these goes. The node of a pod is only told."""

    pod: Reference | None = None
    secret: Reference | None = None
    node: Reference | None = None

    def payload(self) -> dict[str, dict[str, str]]:
        """As it stands among the claims."""
        given = {"node": self.node, "pod": self.pod, "secret": self.secret}
        return {name: each.payload() for name, each in given.items() if each is not None}


def read(payload: Mapping[str, Any]) -> Claims:
    """The claims of a verified payload.

    Raises:
        ClaimsError: something that every such token has is missing or of another type.
    """
    try:
        if PRIVATE in payload:
            return _bound(payload, payload[PRIVATE])
        return _legacy(payload)
    except ClaimsError:
        raise
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise ClaimsError("service account token claims could not be validated") from error


def _bound(payload: Mapping[str, Any], private: Mapping[str, Any]) -> Claims:
    account = _reference(private.get("serviceaccount"))
    return Claims(
        issuer=str(payload["iss"]),
        subject=str(payload.get("sub", "")),
        namespace=str(private["namespace"]),
        account=account or Reference("", ""),
        audiences=_audiences(payload.get("aud")),
        id=str(payload.get("jti", "")),
        issued_at=float(payload.get("iat", 0)),
        not_before=float(payload.get("nbf", 0)),
        expires_at=float(payload.get("exp", 0)),
        warn_after=float(private.get("warnafter", 0)),
        pod=_reference(private.get("pod")),
        secret=_reference(private.get("secret")),
        node=_reference(private.get("node")),
    )


def _legacy(payload: Mapping[str, Any]) -> Claims:
    namespace = _text(payload, f"{_LEGACY}namespace", "namespace claim is missing")
    secret = _text(payload, f"{_LEGACY}secret.name", "secretName claim is missing")
    name = _text(payload, f"{_LEGACY}service-account.name", "serviceAccountName claim is missing")
    uid = _text(payload, f"{_LEGACY}service-account.uid", "serviceAccountUID claim is missing")
    subject = _text(payload, "sub", "sub claim is missing")
    if subject != user_name(namespace, name):
        raise ClaimsError("sub claim is invalid")
    return Claims(
        str(payload["iss"]),
        subject,
        namespace,
        Reference(name, uid),
        audiences=_audiences(payload.get("aud")),
        legacy_secret=secret,
    )


def legacy_payload(*, namespace: str, account: Reference, secret: str) -> dict[str, Any]:
    """The claims, but for the issuer, of a token that lies in a Secret and does not expire."""
    return {
        f"{_LEGACY}namespace": namespace,
        f"{_LEGACY}secret.name": secret,
        f"{_LEGACY}service-account.name": account.name,
        f"{_LEGACY}service-account.uid": account.uid,
        "sub": user_name(namespace, account.name),
    }


def _text(payload: Mapping[str, Any], claim: str, missing: str) -> str:
    value = payload.get(claim)
    if not isinstance(value, str) or not value:
        raise ClaimsError(missing)
    return value


def _reference(value: Mapping[str, Any] | None) -> Reference | None:
    return Reference(str(value.get("name", "")), str(value.get("uid", ""))) if value else None


def _audiences(value: str | list[str] | None) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(map(str, value or ()))
