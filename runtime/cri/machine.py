"""What this machine offers to containerd: binaries, capabilities, filesystems. Changes nothing."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runtime.errors import MachineNotReady

CAP_SYS_RESOURCE = 24  # linux/capability.h

# binary → Debian package
PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "nft": "nftables",
}
_LIKE_RUNC = ("crun", "youki")
_SHIM = re.compile(r"containerd-shim-(?P<name>[a-z0-9][a-z0-9-]*)-(?P<version>v\d+)")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find_binary(name: str) -> str:
    """Absolute path of a program, also where PATH lacks the sbin directories.

    Raises MachineNotReady with the package to install.
    """
    found = shutil.which(name) or shutil.which(name, path=_SYSTEM_PATH)
    if found is None:
        package = PACKAGES.get(name, name)
        raise MachineNotReady(f"{name} is not installed: run `apt-get install {package}` and start again")
    return found


def runtime_handlers(path: str = "") -> dict[str, dict[str, Any]]:
    """What else on this machine runs containers, by handler: containerd's shims, and runtimes as runc is one.

    `path` is where to look, PATH and the system's directories by default.
    """
    searched = path or f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}"
    found: dict[str, dict[str, Any]] = {}
    for name in _LIKE_RUNC:
        program = shutil.which(name, path=searched)
        if program:
            found[name] = {"runtime_type": "io.containerd.runc.v2", "options": {"BinaryName": program}}
    for directory in filter(None, searched.split(":")):
        for shim in sorted(Path(directory).glob("containerd-shim-*-v*")):
            match = _SHIM.fullmatch(shim.name)
            if match and match["name"] != "runc":
                found[match["name"]] = {"runtime_type": f"io.containerd.{match['name']}.{match['version']}"}
    return found


def require_binaries() -> None:
    """All that the node needs, named in one error when something is missing."""
    missing = set()
    for name, package in PACKAGES.items():
        try:
            find_binary(name)
        except MachineNotReady:
            missing.add(package)
    if missing:
        packages = " ".join(sorted(missing))
        raise MachineNotReady(f"missing on this machine: run `apt-get install {packages}` and start again")


def find_cni_dir(candidates: Sequence[str]) -> str:
    """The first directory that holds the CNI plug-ins we use; MachineNotReady when there is none."""
    for candidate in candidates:
        if all((Path(candidate) / name).exists() for name in ("bridge", "host-local", "loopback")):
            return candidate
    looked = ", ".join(candidates)
    raise MachineNotReady(
        f"the CNI plug-ins are not installed (looked in {looked}): "
        "run `apt-get install containernetworking-plugins` and start again"
    )


def has_capability(number: int, *, status: Path = Path("/proc/self/status")) -> bool:
    """Whether this process has the capability and may hand it on (effective and bounding sets)."""
    sets = dict(line.split(":", 1) for line in status.read_text().splitlines() if line.startswith("Cap"))
    return all(int(sets[name], 16) >> number & 1 for name in ("CapEff", "CapBnd"))


def containerd_version() -> tuple[int, int]:
    """Major and minor version of the installed containerd."""
    output = subprocess.run(
        [find_binary("containerd"), "--version"], capture_output=True, text=True, timeout=10, check=False
    ).stdout
    match = re.search(r"\bv?(\d+)\.(\d+)\.", output)
    if match is None:
        raise MachineNotReady(f"cannot tell the version of containerd from {output.strip()!r}")
    return int(match[1]), int(match[2])


def overlay_works(directory: Path) -> bool:
    """Whether an overlay can be mounted in a directory (not on some overlays, not in some sandboxes)."""
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        for name in ("lower", "upper", "work", "merged"):
            (Path(scratch) / name).mkdir()
        options = f"lowerdir={scratch}/lower,upperdir={scratch}/upper,workdir={scratch}/work"
        merged = f"{scratch}/merged"
        mounted = subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o", options, merged], capture_output=True, check=False
        )
        if mounted.returncode != 0:
            return False
        subprocess.run(["umount", merged], capture_output=True, check=True)
        return True
