"""Authentication by client certificate: the common name is the user, the organizations are the groups.

That the certificate was signed by the client CA, was in date and belongs to the peer, TLS has checked.
"""

import hashlib
import ssl
import time
from collections.abc import Iterable, Mapping
from typing import Any

from server.auth.identities import Identity, authenticated
from server.registry.context import UserInfo

CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
_UID = "1.3.6.1.4.1.57683.2"
"""The part of a subject's name that is the user's uid."""


def identity_of(connection: ssl.SSLObject | ssl.SSLSocket | None) -> Identity | None:
    """The user that the peer's certificate names, as long as it is in date: connections may live longer.

    None without a certificate or without a common name.
    """
    if connection is None:
        return None
    certificate = connection.getpeercert()
    if not certificate:
        return None
    encoded = connection.getpeercert(binary_form=True) or b""
    user = user_named_by(certificate, fingerprint=hashlib.sha256(encoded).hexdigest())
    until = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return Identity(user, holds=lambda: time.time() <= until) if user is not None else None


def user_named_by(certificate: Mapping[str, Any], *, fingerprint: str) -> UserInfo | None:
    """Read the subject of a certificate in the form that `ssl` decodes it to."""
    subject = [pair for names in certificate.get("subject", ()) for pair in names]
    name, uid = (_last(subject, key) for key in ("commonName", _UID))
    if not name:
        return None
    groups = tuple(value for key, value in subject if key == "organizationName")
    return authenticated(name, uid=uid, groups=groups, extra={CREDENTIAL_ID: (f"X509SHA256={fingerprint}",)})


def _last(subject: Iterable[tuple[str, str]], wanted: str) -> str:
    """Of several names of a kind the last one counts, here and in signing requests."""
    found = ""
    for key, value in subject:
        found = value if key == wanted else found
    return found
