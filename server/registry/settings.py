"""What a kind's strategy must know of the cluster's configuration."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network


@dataclass(frozen=True, slots=True)
class Settings:
    service_networks: tuple[IPv4Network | IPv6Network, ...] = (ip_network("10.96.0.0/12"),)
    """Cluster addresses of Services come from here, the first network's family being the default."""
    node_ports: range = range(30000, 32768)
    page_size: int = 500
