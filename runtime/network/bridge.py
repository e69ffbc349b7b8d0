"""The node's pod network: which bridge, which addresses, which CNI configuration.

Responsible for names and for the conflist's text. Not responsible for applying it (containerd and the CNI
plug-ins do) nor for masquerading (`runtime.network.masquerade`).
"""

import hashlib
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONFLIST = "10-kubeling.conflist"
_IFNAMSIZ = 15  # bytes, without the terminating zero


@dataclass(frozen=True, slots=True)
class PodNetwork:
    """A node's pod network. `home` only makes the names unique among clusters of one machine."""

    home: Path
    pod_cidrs: tuple[str, ...]

    @property
    def bridge(self) -> str:
        return f"kl{_digest(self.home)[:10]}"[:_IFNAMSIZ]

    @property
    def table(self) -> str:
        """Name of the nftables table that is ours alone."""
        return f"kubeling_{_digest(self.home)[:10]}"

    def conflist(self, *, data_dir: Path, port_mapping: bool, mtu: int | None = None) -> dict[str, Any]:
        """The CNI configuration list; `data_dir` keeps the leases of host-local IPAM."""
        plugins: list[dict[str, Any]] = [self._bridge_plugin(data_dir, mtu)]
        if port_mapping:
            plugins.append({"type": "portmap", "capabilities": {"portMappings": True}, "snat": True})
        return {"cniVersion": "0.4.0", "name": "kubeling", "plugins": plugins}

    def _bridge_plugin(self, data_dir: Path, mtu: int | None) -> dict[str, Any]:
        ipam = {
            "type": "host-local",
            "dataDir": str(data_dir),
            "ranges": [[{"subnet": cidr}] for cidr in self.pod_cidrs],
            "routes": [{"dst": _default_route(cidr)} for cidr in self.pod_cidrs],
        }
        return {
            "type": "bridge",
            "bridge": self.bridge,
            "isGateway": True,
            "hairpinMode": True,
            "ipMasq": False,
            **({"mtu": mtu} if mtu else {}),
            "ipam": ipam,
        }


def write_conflist(directory: Path, conflist: dict[str, Any]) -> None:
    """Put the configuration where containerd looks for it; it notices by itself. Atomic."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(conflist, indent=2) + "\n"
    target = directory / CONFLIST
    if target.exists() and target.read_text() == text:
        return
    draft = directory / f".{CONFLIST}.draft"
    draft.write_text(text)
    draft.replace(target)


def configured_ranges(directory: Path) -> tuple[str, ...]:
    """The ranges of the configuration that is there; () where there is none."""
    try:
        plugin = json.loads((directory / CONFLIST).read_text())["plugins"][0]
        return tuple(each["subnet"] for (each,) in plugin["ipam"]["ranges"])
    except (OSError, ValueError, LookupError, TypeError):
        return ()


def gateways(pod_cidrs: Sequence[str]) -> list[str]:
    """The bridge's own addresses: the first of each range, as host-local chooses them."""
    return [str(next(ipaddress.ip_network(cidr).hosts())) for cidr in pod_cidrs]


def _default_route(cidr: str) -> str:
    return "::/0" if ipaddress.ip_network(cidr).version == 6 else "0.0.0.0/0"


def _digest(home: Path) -> str:
    return hashlib.sha256(str(home.resolve()).encode()).hexdigest()
