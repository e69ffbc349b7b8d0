"""ClusterTrustBundles: trust anchors of a signer, or of nobody in particular."""

import ssl
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import path_segment_errors, subdomain_errors
from server.registry.causes import immutable, invalid, invalids
from server.registry.columns import columns
from server.registry.groups.core.signer_names import signer_name_causes
from server.registry.strategy import Strategy

_BEGIN, _END = "-----BEGIN ", "-----END "
_OMITTED = "<value omitted>"


class TrustBundles(Strategy):
    has_generation = True
    selectable = ("spec.signerName",)
    columns = columns("SignerName")

    def name_errors(self, name: str) -> list[str]:
        return path_segment_errors(name)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        signer = spec.get("signerName") or ""
        causes = _name_causes(meta.name(obj), signer)
        if signer:
            causes += signer_name_causes("spec.signerName", signer)
        return causes + _bundle_causes("spec.trustBundle", spec.get("trustBundle") or "")

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        new, before = ((each.get("spec") or {}).get("signerName") or "" for each in (obj, old))
        return [] if new == before else [immutable("spec.signerName", new)]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), (obj.get("spec") or {}).get("signerName") or "<none>"]


def _name_causes(name: str, signer: str) -> list[Cause]:
    field = "metadata.name"
    if not signer:
        if ":" in name:
            why = 'ClusterTrustBundle without signer name must not have ":" in its name'
            return [invalid(field, name, why)]
        return invalids(field, name, subdomain_errors(name))
    prefix = f"{signer.replace('/', ':')}:"
    if not name.startswith(prefix):
        why = f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
        return [invalid(field, name, why)]
    return invalids(field, name, subdomain_errors(name.removeprefix(prefix)))


def _bundle_causes(field: str, text: str) -> list[Cause]:
    causes: list[Cause] = []
    places: dict[bytes, list[int]] = {}
    for position, (kind, block) in enumerate(_blocks(text)):
        if kind != "CERTIFICATE":
            causes.append(invalid(field, _OMITTED, f"entry {position} has bad block type: {kind}"))
            continue
        why, content = _read(block)
        if why:
            causes.append(invalid(field, _OMITTED, f"entry {position} {why}"))
        else:
            places.setdefault(content, []).append(position)
    if causes:
        return causes
    if not places:
        return [invalid(field, _OMITTED, "at least one trust anchor must be provided")]
    return [
        invalid(field, _OMITTED, f"duplicate trust anchor (indices [{' '.join(map(str, found))}])")
        for found in places.values()
        if len(found) > 1
    ]


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """The kind and the text of each PEM block; what stands between them does not matter."""
    kind, lines = "", list[str]()
    for line in text.splitlines():
        if line.startswith(_BEGIN):
            kind, lines = line.removeprefix(_BEGIN).rstrip("-").rstrip(), []
        if kind:
            lines.append(line)
        if kind and line.startswith(_END):
            yield kind, "\n".join(lines) + "\n"
            kind = ""


def _read(block: str) -> tuple[str, bytes]:
    """What is wrong with a certificate as a trust anchor, and its content."""
    from cryptography import x509

    if any(":" in line for line in block.splitlines()):
        return "has PEM block headers", b""
    try:
        content = ssl.PEM_cert_to_DER_cert(block)
        found = x509.load_der_x509_certificate(content)
        basic = found.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return "does not have the CA bit set", b""
    except ValueError as error:
        return f"does not parse as X.509: {error}", b""
    return ("", content) if basic.ca else ("does not have the CA bit set", b"")
