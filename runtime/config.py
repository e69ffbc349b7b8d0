"""The node agent's configuration: one JSON file, checked once, frozen."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime import kubelet_configuration
from runtime.errors import NodeError
from runtime.kubelet_configuration import KubeletConfiguration


class ConfigurationError(NodeError):
    """The file cannot be used; the text names the file and what is wrong."""


@dataclass(frozen=True, slots=True)
class CertificatePair:
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Config:
    node_name: str
    node_ip: str
    kubeconfig: Path
    root: Path
    """What the node keeps: containerd's images, pods' volumes and logs."""
    state: Path
    """Sockets and containerd's state: short, gone after a reboot."""
    cri_endpoint: str
    """A runtime that exists already, "" for a containerd of the node's own."""
    serving: CertificatePair
    client_ca: Path
    listen: str
    port: int
    cni_bin: tuple[str, ...]
    pod_cidr: str
    """The whole cluster's; the node's own part is in its Node object."""
    kubelet: KubeletConfiguration = field(default_factory=KubeletConfiguration)

    @property
    def home(self) -> Path:
        return self.root.parent

    @property
    def scratch(self) -> Path:
        """For image archives while they are loaded; what lies here at the start is of no use."""
        return self.root / "images"


def read_config(file: Path) -> Config:
    """Raises: ConfigurationError, KubeletConfigurationError."""
    try:
        document = json.loads(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{file} is not JSON: {error}") from error
    try:
        return _config(document)
    except KeyError as error:
        raise ConfigurationError(f"{file} lacks {error.args[0]!r}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{file} is no node configuration: {error}") from error


def _config(document: Mapping[str, Any]) -> Config:
    serving = document["serving"]
    return Config(
        node_name=str(document["nodeName"]),
        node_ip=str(document["nodeIP"]),
        kubeconfig=Path(document["kubeconfig"]),
        root=Path(document["root"]),
        state=Path(document["state"]),
        cri_endpoint=document.get("criEndpoint") or "",
        serving=CertificatePair(Path(serving["certificate"]), Path(serving["key"])),
        client_ca=Path(document["clientCA"]),
        listen=str(document.get("listen") or "0.0.0.0"),
        port=int(document.get("port") or 10250),
        cni_bin=tuple(document.get("cniBin") or ("/usr/lib/cni", "/opt/cni/bin")),
        pod_cidr=str(document["podCIDR"]),
        kubelet=_kubelet(document.get("kubeletConfig")),
    )


def _kubelet(file: str | None) -> KubeletConfiguration:
    return kubelet_configuration.load(Path(file)) if file else KubeletConfiguration()
