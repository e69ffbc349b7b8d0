"""Certificates for pods: the node makes a key, asks a signer in the pod's name, and renews them in time.

    asked ──> issued ──> due for renewal: asked again, the old one stays in use until the new one is there
      └─────> denied, failed: for good

Keys are kept in memory only; an agent that starts anew asks anew, as the kubelet does.
"""

import asyncio
import base64
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from kubeling.client.errors import ConnectionLost
from kubeling.client.protocol import Client, Informer
from kubeling.client.resources import NODES, POD_CERTIFICATE_REQUESTS, SERVICE_ACCOUNTS
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError
from kubeling.objects.meta import Object
from runtime.volumes.errors import VolumeError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

logger = logging.getLogger(__name__)

JITTER = 300.0
"""Seconds over which renewals of many pods are spread."""
RETRY = timedelta(minutes=1)
LOST_AFTER = timedelta(minutes=10)
"""A request that was not seen for so long has been deleted before it was."""


class Projection(NamedTuple):
    """Which source of which volume of a pod a certificate is for."""

    volume: str
    source: int


class Credential(NamedTuple):
    """In PEM: the private key, and the chain that begins with the certificate."""

    key: bytes
    chain: bytes


Credentials = Mapping[Projection, Credential]


@dataclass(slots=True)
class _Request:
    name: str
    key: bytes
    made: datetime


@dataclass(slots=True)
class _Held:
    issued: Credential | None = None
    renew_at: datetime | None = None
    """When it is to be looked at again: its renewal is due, or a request may have been lost."""
    request: _Request | None = None
    refused: str = ""
    """Why there will never be one."""


class PodCertificates:
    """Those of all pods of the node. Requests are watched from when the first pod needs one."""

    def __init__(self, client: Client, clock: Clock, node_name: str, changed: Callable[[str], None]) -> None:
        """`changed` is called with the uid of each pod about whose requests there is news."""
        self._client = client
        self._clock = clock
        self._node_name = node_name
        self._changed = changed
        self._held: dict[str, dict[Projection, _Held]] = {}
        self._requests: Informer | None = None

    async def get(self, pod: Object) -> tuple[Credentials, dict[str, VolumeError]]:
        """Every certificate that the pod's volumes show; asks for those that are missing or old.

        The second part says by volume why one is not issued yet, or never will be.
        """
        found: dict[Projection, Credential] = {}
        failures: dict[str, VolumeError] = {}
        for projection, source in projections(pod):
            held = self._held.setdefault(meta.uid(pod), {}).setdefault(projection, _Held())
            why = await self._bring_on(pod, source, held)
            if held.refused or held.issued is None:
                why = held.refused or why or "credential bundle is not issued yet"
                failures.setdefault(projection.volume, VolumeError.set_up(projection.volume, why))
            else:
                found[projection] = held.issued
        return found, failures

    def renewal(self, pod_uid: str) -> float | None:
        """Seconds until the first certificate is to be renewed, at least 0; None where none is."""
        now = self._clock.now()
        moments = [each.renew_at for each in self._held.get(pod_uid, {}).values() if each.renew_at]
        return max((min(moments) - now).total_seconds(), 0.0) if moments else None

    def due(self, pod_uid: str) -> bool:
        return self.renewal(pod_uid) == 0.0

    def forget(self, pod_uid: str) -> None:
        self._held.pop(pod_uid, None)

    async def _bring_on(self, pod: Object, source: Object, held: _Held) -> str:
        """One step: ask, or look what has become of what was asked for. Says what went wrong."""
        if held.request is not None:
            await self._look(pod, held, held.request)
        if held.request is not None or not self._is_wanted(held):
            return ""
        now = self._clock.now()
        try:
            held.request = await self._ask(pod, source)
            held.renew_at = now + LOST_AFTER
        except (ApiError, ConnectionLost) as error:
            held.renew_at = now + RETRY
            logger.warning("pod %s: a certificate cannot be asked for: %s", meta.key(pod), error)
            return str(error)
        return ""

    def _is_wanted(self, held: _Held) -> bool:
        if held.refused:
            return False
        return held.issued is None or (held.renew_at is not None and self._clock.now() >= held.renew_at)

    async def _look(self, pod: Object, held: _Held, request: _Request) -> None:
        found = (await self._watched()).get(meta.namespace(pod), request.name)
        now = self._clock.now()
        if found is None:
            if now - request.made > LOST_AFTER:
                held.request = None
            return
        held.renew_at = now + LOST_AFTER
        status = found.get("status") or {}
        for condition in status.get("conditions") or []:
            told = f'reason="{condition.get("reason", "")}" message="{condition.get("message", "")}"'
            match condition.get("type"):
                case "Denied":
                    held.refused = f"PodCertificateRequest was permanently denied: {told}"
                case "Failed":
                    held.refused = f"PodCertificateRequest was permanently failed: {told}"
                case "Issued":
                    held.issued = Credential(request.key, str(status.get("certificateChain", "")).encode())
                    spread = timedelta(seconds=random.uniform(0, JITTER))
                    held.renew_at = meta.parse_timestamp(status["beginRefreshAt"]) + spread
                case _:
                    continue
            held.request = None

    async def _ask(self, pod: Object, source: Object) -> _Request:
        await self._watched()
        account_name = (pod.get("spec") or {}).get("serviceAccountName") or ""
        account = await self._client.get(SERVICE_ACCOUNTS, account_name, namespace=meta.namespace(pod))
        node = await self._client.get(NODES, self._node_name)
        key, stub = await asyncio.to_thread(_new_key, source.get("keyType", ""))
        body = _request(pod, source, account=account, node=node, stub=stub)
        made = await self._client.create(POD_CERTIFICATE_REQUESTS, body)
        return _Request(meta.name(made), key, self._clock.now())

    async def _watched(self) -> Informer:
        if self._requests is None:
            selector = f"spec.nodeName={self._node_name}"
            self._requests = self._client.informer(POD_CERTIFICATE_REQUESTS, field_selector=selector)
            self._requests.add_handler(self._tell)
        await self._requests.wait_synced()
        return self._requests

    def _tell(self, kind: str, request: Object, old: Object | None) -> None:
        pod_uid = (request.get("spec") or {}).get("podUID", "")
        if pod_uid not in self._held:
            return
        for held in self._held[pod_uid].values():
            if kind == "DELETED" and held.request is not None and held.request.name == meta.name(request):
                held.request = None
        self._changed(pod_uid)


def projections(pod: Object) -> Iterator[tuple[Projection, Object]]:
    """The sources of the pod's projected volumes that are certificates."""
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        for index, source in enumerate((volume.get("projected") or {}).get("sources") or []):
            if source.get("podCertificate"):
                yield Projection(volume["name"], index), source["podCertificate"]


def _request(pod: Object, source: Object, *, account: Object, node: Object, stub: bytes) -> Object:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": meta.name(pod), "uid": meta.uid(pod)}
    seconds, notes = source.get("maxExpirationSeconds"), source.get("userAnnotations")
    return {
        "apiVersion": POD_CERTIFICATE_REQUESTS.api_version,
        "kind": POD_CERTIFICATE_REQUESTS.kind,
        "metadata": {
            "namespace": meta.namespace(pod),
            "generateName": "req-",
            "ownerReferences": [owner],
        },
        "spec": {
            "signerName": source.get("signerName", ""),
            "podName": meta.name(pod),
            "podUID": meta.uid(pod),
            "serviceAccountName": meta.name(account),
            "serviceAccountUID": meta.uid(account),
            "nodeName": meta.name(node),
            "nodeUID": meta.uid(node),
            "stubPKCS10Request": base64.b64encode(stub).decode(),
            **({"maxExpirationSeconds": seconds} if seconds is not None else {}),
            **({"unverifiedUserAnnotations": notes} if notes else {}),
        },
    }


def _new_key(kind: str) -> tuple[bytes, bytes]:
    """The key in PEM, and a request that proves that we have it: it names nobody."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    key = _generated(kind)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    stub = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, digest)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem, stub.public_bytes(serialization.Encoding.DER)


def _generated(kind: str) -> "CertificateIssuerPrivateKeyTypes":
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match kind:
        case "RSA3072" | "RSA4096":
            return rsa.generate_private_key(public_exponent=65537, key_size=int(kind.removeprefix("RSA")))
        case "ECDSAP256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ECDSAP384":
            return ec.generate_private_key(ec.SECP384R1())
        case "ECDSAP521":
            return ec.generate_private_key(ec.SECP521R1())
    return ed25519.Ed25519PrivateKey.generate()
