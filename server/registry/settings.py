"""What a kind's strategy must know of the cluster's configuration."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from server.tokens.issuer import Issuer


@dataclass(frozen=True, slots=True)
class Settings:
    service_networks: tuple[IPv4Network | IPv6Network, ...] = (ip_network("10.96.0.0/12"),)
    """Cluster addresses of Services come from here, the first network's family being the default."""
    node_ports: range = range(30000, 32768)
    issuer: Issuer | None = None
    """Signs service account tokens; without one, none can be requested."""
