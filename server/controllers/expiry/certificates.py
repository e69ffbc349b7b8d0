"""Requests for certificates go when they are of no use any more, and nobody has to look at them.

Those that were issued, were denied or have failed go after an hour, undecided and unissued ones after a day,
and those whose certificates have expired.
"""

import base64
from datetime import datetime, timedelta

from kubeling.client.resources import CERTIFICATE_SIGNING_REQUESTS
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.expiry.deadline import expiring

SETTLED, PENDING = timedelta(hours=1), timedelta(hours=24)
SHORTEST = timedelta(minutes=30)
"""As long as a request stays at least: upstream looks no more often."""


def make(context: Context) -> Controller:
    requests = context.client.informer(CERTIFICATE_SIGNING_REQUESTS)
    return expiring(context, "csrcleaner-controller", CERTIFICATE_SIGNING_REQUESTS, requests, _deadline)


def _deadline(request: Object, now: datetime) -> datetime | None:
    status = request.get("status") or {}
    certificate = status.get("certificate")
    found: list[datetime] = []
    for kind, lifetime in (
        ("Approved", SETTLED if certificate else PENDING),
        ("Denied", SETTLED),
        ("Failed", SETTLED),
    ):
        since = (conditions.find(request, kind) or {}).get("lastUpdateTime")
        if since:
            found.append(meta.parse_timestamp(since) + lifetime)
    created = meta.parse_timestamp(meta.metadata(request)["creationTimestamp"])
    if not status.get("conditions"):
        found.append(created + PENDING)
    if certificate and (expires := _expires(certificate)):
        found.append(expires)
    return max(min(found), created + SHORTEST) if found else None


def _expires(certificate: str) -> datetime | None:
    """When the certificate, base64 of PEM, ends; None for what is none."""
    from cryptography import x509

    try:
        parsed = x509.load_pem_x509_certificate(base64.b64decode(certificate))
    except ValueError:
        return None
    return parsed.not_valid_after_utc
