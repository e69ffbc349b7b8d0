"""Where the keys and certificates of a cluster lie. Imports nothing heavy, so everybody may ask.

Not here: making them (`kubeling.cluster.pki`).
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in two PEM files."""

    certificate: Path
    key: Path


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
    def virtual(self) -> Pair:
        return self.pair("virtual-nodes")

    @property
    def virtual_serving(self) -> Pair:
        return self.pair("virtual-nodes-serving")

    @property
    def front_proxy_authority(self) -> Pair:
        return self.pair("front-proxy-ca")

    @property
    def front_proxy(self) -> Pair:
        return self.pair("front-proxy-client")

    @property
    def service_account_key(self) -> Path:
        return self.directory / "sa.key"

    @property
    def token_file(self) -> Path:
        return self.directory / "tokens.csv"
