"""Chooses the network of a cluster's pods: it meets neither a route of the machine nor another cluster.

A cluster without pods has no route yet, so each also leaves a claim in its state directory.
"""

import json
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

from kubeling.cluster import files
from kubeling.cluster.errors import ClusterError
from kubeling.cluster.home import Home

HIGHEST = 244


def choose(taken: Iterable[IPv4Network]) -> str:
    """10.244.0.0/16, or the next lower /16 that overlaps nothing of `taken`."""
    networks = list(taken)
    for second in range(HIGHEST, 111, -1):  # below lie the addresses of services, 10.96.0.0/12
        candidate = IPv4Network(f"10.{second}.0.0/16")
        if not any(candidate.overlaps(network) for network in networks):
            return str(candidate)
    raise ClusterError(
        "no network between 10.112.0.0/16 and 10.244.0.0/16 is left for pods",
        hint="remove a route of this machine, or `kubeling clean` a cluster that you no longer need",
    )


def claim(home: Home, cidr: str) -> None:
    files.private_directory(home.state)
    files.write_json(home.claim_file, {"home": str(home.root), "podCIDR": cidr})


def claimed(states: Path, *, but: Home) -> Iterator[IPv4Network]:
    """The networks that other clusters of this machine have claimed since it was booted."""
    for file in states.glob("*/claim.json"):
        try:
            document = json.loads(file.read_bytes())
            other = Path(document["home"])
            if other != but.root and (other / "cluster.json").exists():
                yield IPv4Network(document["podCIDR"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
