"""What a killed node agent leaves behind: containers, shims, a private containerd, mounts, cgroups, a bridge.

All is found by the paths of one home: other clusters and the system's containerd are not disturbed.
Not here: an orderly end, which is the node agent's own (SIGINT).
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from kubeling.cluster import machine
from kubeling.cluster.errors import ClusterError
from kubeling.cluster.home import Home
from kubeling.cluster.identity import identify

END_TIMEOUT = 10.0
CGROUP_ROOT = Path("/sys/fs/cgroup")


def end_processes(home: Home) -> int:
    """Kills the containers and the private containerd of the home; returns how many processes there were."""
    daemons = [pid for pid in _processes() if _belongs(_command(pid), home)]
    doomed = [identity for pid in _with_descendants(daemons) if (identity := identify(pid))]
    for identity in doomed:
        identity.send(signal.SIGKILL)
    for identity in doomed:
        identity.wait_gone(END_TIMEOUT)
    return len(doomed)


def unmount(home: Home) -> None:
    """Unmounts what is mounted below the home and its state directory, the innermost first."""
    for point in sorted(_mount_points(home), key=len, reverse=True):
        result = _run("umount", "--lazy", point)
        if result.returncode:
            raise ClusterError(f"{point} cannot be unmounted: {result.stderr.strip()}")


def remove_cgroups(home: Home) -> None:
    """Removes the cgroups of the home's pods, in every hierarchy; those still in use stay."""
    pods = {f"pod{directory.name}" for directory in home.root.glob("node/pods/*")}
    for kubepods in [*CGROUP_ROOT.glob("kubepods"), *CGROUP_ROOT.glob("*/kubepods")]:
        for place in [*kubepods.glob("pod*"), *kubepods.glob("*/pod*")]:
            if place.name in pods:
                _remove_cgroup(place)


def remove_network(home: Home) -> None:
    """Removes the bridge that the home's CNI configuration names, and the nftables tables of the home."""
    for bridge in _bridges(home):
        if Path(f"/sys/class/net/{bridge}").exists():
            _run("ip", "link", "delete", bridge)
    for family, table in _tables(home):
        _run("nft", "delete", "table", family, table)


def remove_files(home: Home) -> None:
    """Removes the state directory and the home; a home that is a mount point is emptied."""
    shutil.rmtree(home.state, ignore_errors=True)
    for entry in list(home.root.iterdir()):
        _remove(entry)
    with contextlib.suppress(OSError):
        home.root.rmdir()


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a program of the system said; one that is missing failed."""
    found = machine.find_program(program)
    if found is None:
        return subprocess.CompletedProcess([program], 127, "", f"{program} is not installed")
    return subprocess.run([found, *arguments], capture_output=True, text=True, check=False)


def _remove_cgroup(place: Path) -> None:
    """Cgroups go with rmdir, the deepest first."""
    for directory, _, _ in os.walk(place, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(directory)


def _remove(entry: Path) -> None:
    try:
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    except OSError as error:
        raise ClusterError(f"{error.filename or entry} cannot be removed: {error.strerror}") from error


def _processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _command(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    return []


def _belongs(command: list[str], home: Home) -> bool:
    """Whether this is the private containerd of the home, or a shim that reports to it."""
    name = os.path.basename(command[0]) if command else ""
    marks = {str(home.state / "containerd.sock"), str(home.root / "node" / "containerd" / "config.toml")}
    return name.startswith("containerd") and not marks.isdisjoint(command)


def _with_descendants(roots: Iterable[int]) -> list[int]:
    parents = {pid: _parent(pid) for pid in _processes()}
    found = list(roots)
    for pid in found:  # grows while it is walked
        found += [child for child, parent in parents.items() if parent == pid and child not in found]
    return found


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def _mount_points(home: Home) -> Iterator[str]:
    places = (f"{home.root}/", f"{home.state}/")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4].encode().decode("unicode_escape")
        if point.startswith(places):
            yield point


def _tables(home: Home) -> Iterator[tuple[str, str]]:
    """The tables that the node agent has named after the home: kubeling_ and the state directory's name."""
    with contextlib.suppress(ValueError):
        for entry in json.loads(_run("nft", "-j", "list", "tables").stdout)["nftables"]:
            table = entry.get("table", {})
            if table.get("name", "").startswith(f"kubeling_{home.state.name}"):
                yield table["family"], table["name"]


def _bridges(home: Home) -> Iterator[str]:
    for file in home.root.glob("node/**/*.conflist"):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            plugins = json.loads(file.read_bytes()).get("plugins", [])
            yield from (plugin["bridge"] for plugin in plugins if "bridge" in plugin)
