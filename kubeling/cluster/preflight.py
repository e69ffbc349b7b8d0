"""Checks, before anything is started, that this user and this machine can run containers."""

import os
from pathlib import Path

from kubeling.cluster import machine
from kubeling.cluster.configuration import CNI_DIRECTORIES
from kubeling.cluster.errors import PreflightError
from kubeling.cluster.home import Home

LEAST_LEFT = 15
"""Percent of the disk: the kubelet's default threshold of imagefs.available."""
PROGRAMS = {"containerd": "containerd", "runc": "runc", "nft": "nftables"}
"""Program → the Debian package that brings it."""


def check_node(*, cri_endpoint: str) -> None:
    """Raises PreflightError if a node agent could not work here."""
    if os.geteuid() != 0:
        raise PreflightError(
            "a node needs root to run containers",
            hint="run this with sudo, or start the API server alone with --no-node",
        )
    missing = missing_packages(own_containerd=not cri_endpoint)
    if missing:
        raise PreflightError(
            f"this machine lacks {', '.join(missing)}, which a node needs to run containers",
            hint=f"apt-get install --yes --no-install-recommends {' '.join(missing)}"
            " (or start the API server alone with --no-node)",
        )


def crowded_disk(home: Home, *, left: int) -> str:
    """Why a node with `left` percent of its disk takes no pods; "" when it does or has settings."""
    if left >= LEAST_LEFT or home.kubelet_config.exists():
        return ""
    return (
        f"only {left}% of the disk that holds {home.root} are free: below {LEAST_LEFT}% the node takes no "
        f"pods, unless {home.kubelet_config} sets other thresholds (evictionHard)"
    )


def disk_left(path: Path) -> int:
    """Percent."""
    found = os.statvfs(path)
    return found.f_bavail * 100 // max(found.f_blocks, 1)


def missing_packages(*, own_containerd: bool) -> list[str]:
    """The Debian packages whose programs are not there."""
    wanted = PROGRAMS if own_containerd else {"nft": PROGRAMS["nft"]}
    missing = [package for program, package in wanted.items() if not machine.find_program(program)]
    if own_containerd and not any((Path(directory) / "bridge").exists() for directory in CNI_DIRECTORIES):
        missing.append("containernetworking-plugins")
    if own_containerd and not machine.find_program("busybox"):
        missing.append("busybox-static")
    return missing
