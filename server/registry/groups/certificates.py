"""The kinds of certificates.k8s.io."""

from datetime import datetime
from typing import Any

from kubeling.objects import conditions, meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.ages import human_duration
from server.registry.causes import required
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.plain import PathNamed
from server.registry.groups.subresources import status
from server.registry.kind import Kind, Subresource
from server.registry.strategy import Scope, Strategy

_GROUP = "certificates.k8s.io"
_DECISIONS = ("Approved", "Denied")
_REQUIRED = ("request", "signerName", "usages")


class SigningRequests(Strategy):
    selectable = ("spec.signerName",)
    columns = columns(AGE, "SignerName", "Requestor", "RequestedDuration", "Condition")

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        """Who asks is the server's to say."""
        user, spec = scope.context.user, obj.setdefault("spec", {})
        for name in ("username", "uid", "groups", "extra"):
            spec.pop(name, None)
        spec |= {"username": user.name, "groups": list(user.groups)}
        if user.uid:
            spec["uid"] = user.uid
        if user.extra:
            spec["extra"] = {key: list(values) for key, values in user.extra.items()}
        obj["status"] = {}

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        obj["spec"] = old["spec"]

    def narrowed(self, scope: Scope, subresource: str, obj: Object, old: Object) -> Object:
        """/approval decides, /status brings the certificate; neither does the other's work."""
        if not subresource:
            return super().narrowed(scope, subresource, obj, old)
        new, before = obj.get("status") or {}, old.get("status") or {}
        deciding = subresource == "approval"
        state = {**(before if deciding else new)}
        state["conditions"] = [
            each
            for source, decisions in ((new, deciding), (before, not deciding))
            for each in source.get("conditions") or ()
            if (each.get("type") in _DECISIONS) == decisions
        ]
        if not state["conditions"]:
            state.pop("conditions")
        return {**old, "metadata": obj.get("metadata") or {}, "status": state}

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        return [required(f"spec.{name}") for name in _REQUIRED if not spec.get(name)]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        seconds = spec.get("expirationSeconds")
        return [
            meta.name(obj),
            object_age(obj, now),
            spec.get("signerName") or "<none>",
            spec.get("username", ""),
            human_duration(seconds) if seconds is not None else "<none>",
            _condition(obj),
        ]


def _condition(obj: Object) -> str:
    found = [name for name in ("Approved", "Denied", "Failed") if conditions.find(obj, name)]
    if (obj.get("status") or {}).get("certificate"):
        found.append("Issued")
    return ",".join(found) or "Pending"


class TrustBundles(PathNamed):
    create_on_update = False
    selectable = ("spec.signerName",)
    columns = columns("SignerName")

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), (obj.get("spec") or {}).get("signerName") or "<none>"]


class PodCertificateRequests(Strategy):
    selectable = ("spec.signerName", "spec.podName", "spec.nodeName")


KINDS = (
    Kind(
        _GROUP,
        "CertificateSigningRequest",
        "certificatesigningrequests",
        SigningRequests(),
        namespaced=False,
        short_names=("csr",),
        subresources={
            "approval": Subresource("CertificateSigningRequest", ("get", "patch", "update")),
            **status("CertificateSigningRequest"),
        },
    ),
    Kind(_GROUP, "ClusterTrustBundle", "clustertrustbundles", TrustBundles(), namespaced=False),
    Kind(
        _GROUP,
        "PodCertificateRequest",
        "podcertificaterequests",
        PodCertificateRequests(),
        subresources=status("PodCertificateRequest"),
    ),
)
