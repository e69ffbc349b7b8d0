"""PodCertificateRequests: a node asks a signer for a certificate of a pod."""

import base64
import binascii
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import qualified_name_errors, subdomain_errors
from server.registry.causes import immutable, invalid, invalids, misfit, required, too_long, unsupported
from server.registry.groups.core.signer_names import signer_name_causes
from server.registry.strategy import Strategy

if TYPE_CHECKING:
    from cryptography import x509

_NAMES, _UIDS = ("podName", "serviceAccountName", "nodeName"), ("podUID", "serviceAccountUID", "nodeUID")
_LONGEST_UID, _LARGEST_REQUEST, _LARGEST_CHAIN, _LARGEST_NOTES = 128, 10 * 1024, 100 * 1024, 256 * 1024
_LEAST, _MOST, _MOST_OF_KUBERNETES = 3600, 91 * 86_400, 86_400
_ENDS = ("Issued", "Denied", "Failed")
_REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
_OMITTED = "<value omitted>"
_MARGIN = timedelta(minutes=10)


class PodCertificateRequests(Strategy):
    selectable = ("spec.signerName", "spec.podName", "spec.nodeName")

    def default(self, obj: Object) -> None:
        obj.setdefault("spec", {}).setdefault("maxExpirationSeconds", _MOST_OF_KUBERNETES)

    def validate_create(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        signer = spec.get("signerName") or ""
        causes = signer_name_causes("spec.signerName", signer)
        for name in _NAMES:
            causes += invalids(f"spec.{name}", spec.get(name) or "", subdomain_errors(spec.get(name) or ""))
        for name in _UIDS:
            if not (uid := spec.get(name) or ""):
                causes.append(required(f"spec.{name}", "must not be empty"))
            elif len(uid) > _LONGEST_UID:
                causes.append(too_long(f"spec.{name}", _LONGEST_UID))
        causes += _lifetime_causes("spec.maxExpirationSeconds", spec["maxExpirationSeconds"], signer)
        causes += _note_causes("spec.unverifiedUserAnnotations", spec.get("unverifiedUserAnnotations") or {})
        return causes + _request_causes("spec.stubPKCS10Request", spec.get("stubPKCS10Request") or "")

    def validate(self, obj: Object) -> list[Cause]:
        return []

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return [] if obj.get("spec") == old.get("spec") else [immutable("spec", obj.get("spec"))]

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        new, before = obj.get("status") or {}, old.get("status") or {}
        listed = new.get("conditions") or []
        if before.get("conditions"):
            why = "immutable after PodCertificateRequest is issued, denied, or failed"
            return [] if new == before else [misfit("status", why)]
        causes = [
            cause
            for position, each in enumerate(listed)
            for cause in _condition_causes(f"status.conditions[{position}]", each, first=position == 0)
        ]
        if listed and listed[0].get("type") == "Issued":
            return causes + _issued_causes(new, obj.get("spec") or {})
        if any(name != "conditions" for name in new):
            why = (
                "non-condition status fields must be empty when denying or failing the PodCertificateRequest"
            )
            causes.append(misfit("status", why))
        return causes


def _lifetime_causes(field: str, seconds: int, signer: str) -> list[Cause]:
    domain = signer.partition("/")[0]
    own = domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
    most = _MOST_OF_KUBERNETES if own else _MOST
    return (
        []
        if _LEAST <= seconds <= most
        else [invalid(field, seconds, f"must be in the range [{_LEAST}, {most}]")]
    )


def _note_causes(field: str, notes: Object) -> list[Cause]:
    causes: list[Cause] = []
    for key in notes:
        if "/" not in key:
            causes.append(invalid(field, key, 'must be a domain-prefixed key (such as "acme.io/foo")'))
        else:
            causes += invalids(field, key, qualified_name_errors(key.lower()))
    if sum(len(key) + len(value) for key, value in notes.items()) > _LARGEST_NOTES:
        causes.append(too_long(field, _LARGEST_NOTES))
    return causes


def _request_causes(field: str, text: str) -> list[Cause]:
    if not text:
        return [required(field, "must not be empty")]
    if len(text) * 3 // 4 > _LARGEST_REQUEST:
        return [too_long(field, _LARGEST_REQUEST)]
    request = _request(text)
    if request is None or not request.is_signature_valid:
        return [invalid(field, _OMITTED, "must be a valid, self-signed PKCS#10 certificate signing request")]
    why = _unsupported(request.public_key())
    return [invalid(field, _OMITTED, why)] if why else []


def _request(text: str) -> "x509.CertificateSigningRequest | None":
    from cryptography import x509

    try:
        return x509.load_der_x509_csr(base64.b64decode(text))
    except (ValueError, binascii.Error):
        return None


def _unsupported(key: Any) -> str:
    """Why certificates are not for a key; empty when they are."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match key:
        case ed25519.Ed25519PublicKey():
            return ""
        case ec.EllipticCurvePublicKey():
            fits = key.curve.name in ("secp256r1", "secp384r1", "secp521r1")
            return "" if fits else "elliptic public keys must use curve P256, P384, or P521"
        case rsa.RSAPublicKey():
            fits = key.key_size in (3072, 4096)
            return "" if fits else f"{key.key_size}-bit modulus: RSA keys must have modulus size 3072 or 4096"
    return "unknown public key type; supported types are Ed25519, ECDSA, and RSA"


def _condition_causes(field: str, each: Object, *, first: bool) -> list[Cause]:
    kind, causes = each.get("type") or "", list[Cause]()
    if not first:
        why = 'There may be at most one condition with type "Issued", "Denied", or "Failed"'
        causes.append(invalid(f"{field}.type", kind, why))
    if kind not in _ENDS:
        causes.append(unsupported(f"{field}.type", kind, _ENDS))
    if each.get("status") != "True":
        causes.append(unsupported(f"{field}.status", each.get("status") or "", ("True",)))
    if not _REASON.fullmatch(each.get("reason") or ""):
        why = f"must be set and match ^{_REASON.pattern}$"
        causes.append(invalid(f"{field}.reason", each.get("reason") or "", why))
    if not each.get("lastTransitionTime"):
        causes.append(required(f"{field}.lastTransitionTime", "must be set"))
    return causes


def _issued_causes(status: Object, spec: Object) -> list[Cause]:
    """The chain's first certificate is for the key that was asked for; the times are its times."""
    from cryptography import x509

    field, chain = "status.certificateChain", status.get("certificateChain") or ""
    if len(chain) > _LARGEST_CHAIN:
        return [too_long(field, _LARGEST_CHAIN)]
    try:
        leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    except ValueError:
        return [invalid(field, _OMITTED, "issued certificate chain must contain at least one certificate")]
    request = _request(spec.get("stubPKCS10Request") or "")
    causes: list[Cause] = []
    if request is not None and leaf.public_key() != request.public_key():
        why = "leaf certificate was not issued to the requested public key"
        causes.append(invalid(field, _OMITTED, why))
    times = (("notBefore", leaf.not_valid_before_utc), ("notAfter", leaf.not_valid_after_utc))
    for name, moment in times:
        causes += _time_causes(f"status.{name}", status.get(name), moment, name=name)
    return causes + _refresh_causes("status.beginRefreshAt", status.get("beginRefreshAt"), leaf)


def _time_causes(field: str, given: str | None, moment: datetime, *, name: str) -> list[Cause]:
    if not given:
        return [required(field, "must be present and consistent with the issued certificate")]
    if given == meta.timestamp(moment):
        return []
    title = name[0].upper() + name[1:]
    return [invalid(field, given, f"must be set to the {title} time encoded in the leaf certificate")]


def _refresh_causes(field: str, given: str | None, leaf: "x509.Certificate") -> list[Cause]:
    if not given:
        return [required(field, "must be present and consistent with the issued certificate")]
    moment = datetime.fromisoformat(given)
    causes: list[Cause] = []
    if moment < leaf.not_valid_before_utc + _MARGIN:
        causes.append(invalid(field, given, "must be at least 10 minutes after status.notBefore"))
    if moment > leaf.not_valid_after_utc - _MARGIN:
        causes.append(invalid(field, given, "must be at least 10 minutes before status.notAfter"))
    return causes
