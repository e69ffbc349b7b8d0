"""The configuration of a process of virtual nodes: one JSON file, checked once, frozen."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubeling.objects import quantity
from runtime.config import CertificatePair, ConfigurationError


@dataclass(frozen=True, slots=True)
class Config:
    nodes: int
    cpu: str
    memory: str
    """Quantities, of each node."""
    latency: float
    """Seconds that a pod takes to start, where it does not say itself."""
    address: str
    """Of all the nodes."""
    kubeconfig: Path
    serving: CertificatePair
    client_ca: Path
    listen: str
    port: int


def read_config(file: Path) -> Config:
    """Raises: ConfigurationError."""
    try:
        return _config(json.loads(file.read_bytes()))
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    except KeyError as error:
        raise ConfigurationError(f"{file} lacks {error.args[0]!r}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{file} is no configuration of virtual nodes: {error}") from error


def _config(document: Mapping[str, Any]) -> Config:
    serving = document["serving"]
    cpu, memory = str(document.get("cpu") or "32"), str(document.get("memory") or "256Gi")
    for given in (cpu, memory):
        quantity.value(given)
    return Config(
        nodes=int(document["nodes"]),
        cpu=cpu,
        memory=memory,
        latency=float(document.get("latency") or 0.0),
        address=str(document["address"]),
        kubeconfig=Path(document["kubeconfig"]),
        serving=CertificatePair(Path(serving["certificate"]), Path(serving["key"])),
        client_ca=Path(document["clientCA"]),
        listen=str(document.get("listen") or "0.0.0.0"),
        port=int(document["port"]),
    )
