"""What is wrong with a CertificateSigningRequest, and which changes of one are not allowed.

What was stored once stays acceptable: rules that an old object breaks are not held against its updates.
"""

import base64
import binascii
import re

from kubeling.objects import certificate_requests
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import duplicate, forbidden, invalid, not_supported, required
from server.registry.groups.core.signer_names import signer_name_causes

DECISIONS = ("Approved", "Denied")
_FINAL = (*DECISIONS, "Failed")
_SHORTEST = 600
USAGES = frozenset(
    {
        "signing",
        "digital signature",
        "content commitment",
        "key encipherment",
        "key agreement",
        "data encipherment",
        "cert sign",
        "crl sign",
        "encipher only",
        "decipher only",
        "any",
        "server auth",
        "client auth",
        "code signing",
        "email protection",
        "s/mime",
        "ipsec end system",
        "ipsec tunnel",
        "ipsec user",
        "timestamping",
        "ocsp signing",
        "microsoft sgc",
        "netscape sgc",
    }
)
_STATUSES = ("False", "True", "Unknown")
_CONDITIONS, _CERTIFICATE = "status.conditions", "status.certificate"
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n(.*?)-----END \1-----", re.DOTALL)


def conditions_of(obj: Object) -> list[Object]:
    return (obj.get("status") or {}).get("conditions") or []


def creation_causes(obj: Object) -> list[Cause]:
    spec = obj.get("spec") or {}
    seconds = spec.get("expirationSeconds")
    causes = [*_pem_causes(spec), *_usage_causes(spec.get("usages") or []), *_signer_causes(spec)]
    if seconds is not None and seconds < _SHORTEST:
        why = "may not specify a duration less than 600 seconds (10 minutes)"
        causes.append(invalid("spec.expirationSeconds", seconds, why))
    return causes


def request_causes(obj: Object, old: Object) -> list[Cause]:
    """Of an update, which leaves the spec as it was."""
    causes = _condition_causes(conditions_of(obj), conditions_of(old))
    certificate = (obj.get("status") or {}).get("certificate") or ""
    if certificate != ((old.get("status") or {}).get("certificate") or ""):
        problem = _certificate_problem(certificate)
        if problem:
            causes.append(invalid(_CERTIFICATE, "<certificate data>", problem))
    return causes


def transition_causes(obj: Object, old: Object, subresource: str) -> list[Cause]:
    new, before = conditions_of(obj), conditions_of(old)
    causes = [
        forbidden(_CONDITIONS, f'updates may not remove a condition of type "{kind}"')
        for kind in _FINAL
        if len(_of_type(new, kind)) < len(_of_type(before, kind))
    ]
    if subresource != "approval":
        for kind in DECISIONS:
            now, then = _of_type(new, kind), _of_type(before, kind)
            if len(now) > len(then):
                causes.append(forbidden(_CONDITIONS, f'updates may not add a condition of type "{kind}"'))
            elif len(now) == len(then) and now != then:
                causes.append(forbidden(_CONDITIONS, f'updates may not modify a condition of type "{kind}"'))
    return causes + _certificate_causes(obj, old, subresource)


def _certificate_causes(obj: Object, old: Object, subresource: str) -> list[Cause]:
    now, then = ((each.get("status") or {}).get("certificate") or "" for each in (obj, old))
    if now == then:
        return []
    if subresource != "status":
        return [forbidden(_CERTIFICATE, "updates may not set certificate content")]
    return [forbidden(_CERTIFICATE, "updates may not modify existing certificate content")] if then else []


def _pem_causes(spec: Object) -> list[Cause]:
    try:
        certificate_requests.parse(spec.get("request") or "")
    except certificate_requests.RequestError as error:
        return [invalid("spec.request", spec.get("request") or "", str(error))]
    return []


def _usage_causes(usages: list[str]) -> list[Cause]:
    causes = [] if usages else [required("spec.usages")]
    for place, usage in enumerate(usages):
        if usage not in USAGES:
            causes.append(not_supported(f"spec.usages[{place}]", usage, USAGES))
    for place, usage in enumerate(usages):
        if usage in usages[:place]:
            causes.append(duplicate(f"spec.usages[{place}]", usage))
    return causes


def _signer_causes(spec: Object) -> list[Cause]:
    name = spec.get("signerName") or ""
    if name == certificate_requests.LEGACY_UNKNOWN:
        return [invalid("spec.signerName", name, "the legacy signerName is not allowed via this API version")]
    return signer_name_causes("spec.signerName", name)


def _condition_causes(found: list[Object], old: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    types = [each.get("type") or "" for each in found]
    old_types = [each.get("type") or "" for each in old]
    repeated = len(set(old_types)) < len(old_types)
    both = all(decision in old_types for decision in DECISIONS)
    for place, condition in enumerate(found):
        path, kind, earlier = f"{_CONDITIONS}[{place}]", types[place], types[:place]
        if not kind and "" not in old_types:
            causes.append(required(f"{path}.type"))
        causes += _status_causes(f"{path}.status", kind, condition.get("status") or "")
        if not both and kind in DECISIONS and any(other in earlier for other in DECISIONS if other != kind):
            why = "Approved and Denied conditions are mutually exclusive"
            causes.append(invalid(f"{path}.type", kind, why))
        if not repeated and kind in earlier:
            causes.append(duplicate(f"{path}.type", kind))
    return causes


def _status_causes(path: str, kind: str, status: str) -> list[Cause]:
    allowed = ("True",) if kind in _FINAL else _STATUSES
    if not status:
        return [required(path)]
    return [] if status in allowed else [not_supported(path, status, allowed)]


def _of_type(found: list[Object], kind: str) -> list[Object]:
    return [each for each in found if each.get("type") == kind]


def _certificate_problem(encoded: str) -> str:
    """Why this is no certificate; "" for one, or for none at all."""
    from cryptography import x509

    try:
        data = base64.b64decode(encoded)
    except binascii.Error as error:
        return str(error)
    blocks = [(match[1].decode(), match[2]) for match in _PEM.finditer(data)]
    if data and not blocks:
        return "must contain at least one CERTIFICATE PEM block"
    for kind, content in blocks:
        if kind != "CERTIFICATE":
            return f'only CERTIFICATE PEM blocks are allowed, found "{kind}"'
        if b":" in content:
            return "no PEM block headers are permitted"
        try:
            x509.load_der_x509_certificate(base64.b64decode(content))
        except (ValueError, binascii.Error) as error:
            return f"x509: malformed certificate: {error}"
    return ""
