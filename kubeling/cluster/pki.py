"""The identities of a cluster: one authority, who gets a certificate of it, the token of the administrator.

A second authority vouches for the API server alone, where it passes requests on to servers of other APIs.

Not here: where they lie (`.keys`), how a certificate is made (`.certificates`).
"""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kubeling.cluster import files
from kubeling.cluster.certificates import Profile, ensure_authority, ensure_key, ensure_leaf
from kubeling.cluster.keys import Pair, Pki

SERVICE_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Subjects:
    """What the certificates of one machine's cluster depend on."""

    node_name: str
    host_name: str
    addresses: tuple[str, ...]
    service_address: str
    virtual: bool = False
    """Whether there are virtual nodes, which one process acts for."""


def ensure(pki: Pki, subjects: Subjects, *, now: datetime) -> None:
    """Makes what is missing, worn out or no longer true; leaves the rest alone."""
    files.private_directory(pki.directory)
    authority = ensure_authority(pki.authority, "kubeling-ca", now=now)
    for pair, profile in _profiles(pki, subjects):
        ensure_leaf(pair, profile, authority, now=now)
    proxies = ensure_authority(pki.front_proxy_authority, "front-proxy-ca", now=now)
    ensure_leaf(pki.front_proxy, Profile("front-proxy-client", client=True), proxies, now=now)
    ensure_key(pki.service_account_key)
    _ensure_token(pki.token_file)


def _profiles(pki: Pki, subjects: Subjects) -> list[tuple[Pair, Profile]]:
    node_user = f"system:node:{subjects.node_name}"
    virtual_user = "kubeling:virtual-nodes"
    here = _unique(subjects.host_name, *LOOPBACK_NAMES, *subjects.addresses)
    virtual = [
        (pki.virtual, Profile(virtual_user, "system:masters", client=True)),
        (pki.virtual_serving, Profile(virtual_user, names=_unique(*here), server=True)),
    ]
    return [
        *(virtual if subjects.virtual else []),
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
        line = f'{secrets.token_hex(32)},kubernetes-admin,{uuid.uuid4()},"system:masters"\n'
        files.write(path, line.encode())


def _unique(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
