"""Leases of API servers that are gone go an hour after they have ended."""

from datetime import datetime, timedelta

from kubeling.client.resources import LEASES
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.expiry.deadline import expiring

NAMESPACE = "kube-system"
IDENTITY = ("apiserver.kubernetes.io/identity", "kube-apiserver")
KEPT = timedelta(hours=1)


def make(context: Context) -> Controller:
    leases = context.client.informer(LEASES, namespace=NAMESPACE)
    return expiring(context, "apiserver-lease-expiry-controller", LEASES, leases, _deadline)


def _deadline(lease: Object, now: datetime) -> datetime | None:
    label, value = IDENTITY
    spec = lease.get("spec") or {}
    if meta.labels(lease).get(label) != value or not spec.get("renewTime"):
        return None
    seconds = float(spec.get("leaseDurationSeconds") or 0)
    return meta.parse_timestamp(spec["renewTime"]) + timedelta(seconds=seconds) + KEPT
