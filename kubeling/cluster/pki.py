"""The identities of a cluster: one authority, who gets a certificate of it, the token of the administrator.

Not here: how a certificate is made (`kubeling.cluster.certificates`).
"""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kubeling.cluster import files
from kubeling.cluster.certificates import Pair, Profile, ensure_authority, ensure_key, ensure_leaf

SERVICE_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Pki:
    """Where the keys and certificates of a cluster lie."""

    directory: Path

    def pair(self, name: str) -> Pair:
        return Pair(certificate=self.directory / f"{name}.crt", key=self.directory / f"{name}.key")

    @property
    def authority(self) -> Pair:
        return self.pair("ca")

    @property
    def server(self) -> Pair:
        return self.pair("apiserver")

    @property
    def kubelet_client(self) -> Pair:
        return self.pair("apiserver-kubelet-client")

    @property
    def admin(self) -> Pair:
        return self.pair("admin")

    @property
    def node(self) -> Pair:
        return self.pair("node")

    @property
    def node_serving(self) -> Pair:
        return self.pair("node-serving")

    @property
    def service_account_key(self) -> Path:
        return self.directory / "sa.key"

    @property
    def token_file(self) -> Path:
        return self.directory / "tokens.csv"


@dataclass(frozen=True)
class Subjects:
    """What the certificates of one machine's cluster depend on."""

    node_name: str
    host_name: str
    addresses: tuple[str, ...]
    service_address: str


def ensure(pki: Pki, subjects: Subjects, *, now: datetime) -> None:
    """Makes what is missing, worn out or no longer true; leaves the rest alone."""
    files.private_directory(pki.directory)
    authority = ensure_authority(pki.authority, "kubeling-ca", now=now)
    for pair, profile in _profiles(pki, subjects):
        ensure_leaf(pair, profile, authority, now=now)
    ensure_key(pki.service_account_key)
    _ensure_token(pki.token_file)


def _profiles(pki: Pki, subjects: Subjects) -> list[tuple[Pair, Profile]]:
    node_user = f"system:node:{subjects.node_name}"
    here = _unique(subjects.host_name, *LOOPBACK_NAMES, *subjects.addresses)
    return [
        (
            pki.server,
            Profile(
                "kube-apiserver", names=_unique(*SERVICE_NAMES, subjects.service_address, *here), server=True
            ),
        ),
        (pki.kubelet_client, Profile("kube-apiserver-kubelet-client", "system:masters", client=True)),
        (pki.admin, Profile("kubernetes-admin", "system:masters", client=True)),
        (pki.node, Profile(node_user, "system:nodes", client=True)),
        (
            pki.node_serving,
            Profile(node_user, "system:nodes", names=_unique(subjects.node_name, *here), server=True),
        ),
    ]


def _ensure_token(path: Path) -> None:
    if not path.exists():
        line = f'{secrets.token_urlsafe(32)},kubernetes-admin,{uuid.uuid4()},"system:masters"\n'
        files.write(path, line.encode())


def _unique(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
