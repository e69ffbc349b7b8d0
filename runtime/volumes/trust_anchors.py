"""The trust anchors that a projected volume asks for: one bundle's, or a signer's by labels. Pure."""

import base64
import hashlib
import re
from collections.abc import Iterable

from kubeling.objects import labels, meta
from kubeling.objects.meta import Object

_BLOCK = re.compile(r"-----BEGIN ([^-\n]+)-----\s(.*?)-----END \1-----", re.DOTALL)
_COLUMNS = 64


class AnchorsMissing(Exception):
    """There is no such bundle; the text is the kubelet's."""


def trust_anchors(source: Object, bundles: Iterable[Object]) -> bytes:
    """Certificates in PEM, each once, in an order that means nothing; empty where that is allowed.

    Raises:
        AnchorsMissing: no bundle is meant, and the source is not optional.
    """
    chosen = [each for each in bundles if _is_meant(source, each)]
    if not chosen and not source.get("optional"):
        raise AnchorsMissing(_missing(source))
    return _joined(_bundle(each) for each in chosen)


def _is_meant(source: Object, bundle: Object) -> bool:
    """Without a selector none of a signer's bundles is meant, with an empty one all are."""
    if source.get("name"):
        return bool(meta.name(bundle) == source["name"])
    if (bundle.get("spec") or {}).get("signerName", "") != source.get("signerName"):
        return False
    selector = source.get("labelSelector")
    return bool(labels.from_label_selector(selector).matches(meta.labels(bundle)))


def _missing(source: Object) -> str:
    if source.get("name"):
        name = source["name"]
        return f'while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io "{name}" not found'
    return "combination of signerName and labelSelector matched zero ClusterTrustBundles"


def _bundle(bundle: Object) -> str:
    return str((bundle.get("spec") or {}).get("trustBundle") or "")


def _joined(texts: Iterable[str]) -> bytes:
    """Ordered by digest: the same each time, though nobody may count on it."""
    anchors = {base64.b64decode(block[2]) for text in texts for block in _BLOCK.finditer(text)}
    ordered = sorted(anchors, key=lambda each: hashlib.sha256(each).digest())
    return "".join(map(_encoded, ordered)).encode()


def _encoded(anchor: bytes) -> str:
    text = base64.b64encode(anchor).decode()
    lines = [text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
