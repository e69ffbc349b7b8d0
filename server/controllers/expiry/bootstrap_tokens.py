"""Secrets that hold bootstrap tokens go at the time that they name."""

import base64
import binascii
from datetime import datetime

from kubeling.client.resources import SECRETS
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.expiry.deadline import expiring

TYPE = "bootstrap.kubernetes.io/token"


def make(context: Context) -> Controller:
    secrets = context.client.informer(SECRETS, namespace="kube-system", field_selector=f"type={TYPE}")
    return expiring(context, "token-cleaner-controller", SECRETS, secrets, _deadline)


def _deadline(secret: Object, now: datetime) -> datetime | None:
    """None without a time; one that cannot be read is over."""
    encoded = (secret.get("data") or {}).get("expiration")
    if not encoded:
        return None
    try:
        return meta.parse_timestamp(base64.b64decode(encoded).decode())
    except (binascii.Error, ValueError):
        return now
