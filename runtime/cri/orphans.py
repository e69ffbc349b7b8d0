"""Ends what containerd has lost sight of because it was killed in the middle of something.

    shims, with what runs below them, of sandboxes that containerd has no record of any more
    network namespaces and addresses of sandboxes that never came to be

Only what belongs to one containerd is touched: shims are known by its socket, all else by its directories.
Not here: what containerd knows; that the pods' workers take down.
"""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.cri.machine import find_binary
from runtime.errors import MachineNotReady

logger = logging.getLogger(__name__)

_SHIM = "containerd-shim"
_TIMEOUT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class NetworkRemains:
    """Namespaces and address leases that there were before containerd was started: none is being made."""

    namespaces: frozenset[Path]
    leases: frozenset[Path]


@dataclass(frozen=True)
class Orphans:
    socket: Path
    tasks: Path
    """Where containerd keeps a directory for each task, gone after a reboot."""
    work: Path
    """Where it keeps another one for each, on disk."""
    namespaces: Path
    """Where it mounts the sandboxes' network namespaces."""
    leases: Path
    """Where the CNI plug-in notes which address is whose."""
    proc: Path = Path("/proc")

    def shims(self) -> dict[str, int]:
        """Pids of this containerd's shims, by the id of their sandbox."""
        return dict(self._shims())

    def suspects(self) -> frozenset[str]:
        """Ids that have a shim or a directory, whether containerd knows them or not."""
        with contextlib.suppress(OSError):
            return frozenset([*self.shims(), *os.listdir(self.tasks)])
        return frozenset(self.shims())

    def end(self, orphan: str) -> None:
        """Kill the shim and what runs below it, and remove its traces. Blocks."""
        shim = self.shims().get(orphan)
        for pid in [*self._below(shim), shim] if shim else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _run("runc", "--root", "/run/containerd/runc/k8s.io", "delete", "--force", orphan)
        directory = self.tasks / orphan
        if directory.is_dir():
            _run("umount", "--lazy", str(directory / "rootfs"))
            shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(self.work / orphan, ignore_errors=True)

    def forget_work(self) -> None:
        """While containerd does not run: remove what it keeps on disk of tasks that a reboot has ended."""
        if self.work.is_dir():
            for each in self.work.iterdir():
                if not (self.tasks / each.name).exists():
                    shutil.rmtree(each, ignore_errors=True)

    def network(self) -> NetworkRemains:
        return NetworkRemains(frozenset(_files(self.namespaces)), frozenset(_files(self.leases)))

    def free_network(self, remains: NetworkRemains, sandboxes: Iterable[str]) -> None:
        """Remove those of the remains that belong to none of the sandboxes. Blocks."""
        known, used = set(sandboxes), self._used_namespaces()
        for lease in remains.leases:
            if _holder(lease) not in {"", *known}:
                logger.info("address %s was left behind by a sandbox that is no more", lease.name)
                lease.unlink(missing_ok=True)
        for namespace in remains.namespaces:
            with contextlib.suppress(FileNotFoundError):
                if namespace.stat().st_ino not in used:
                    _run("umount", "--lazy", str(namespace))
                    namespace.unlink(missing_ok=True)

    def _shims(self) -> Iterator[tuple[str, int]]:
        for pid in self._pids():
            command = _command(self.proc / str(pid))
            if _SHIM in command[0] and str(self.socket) in command and "-id" in command[:-1]:
                yield command[command.index("-id") + 1], pid

    def _below(self, root: int) -> list[int]:
        """All descendants of a process."""
        parents = {pid: self._parent(pid) for pid in self._pids()}
        found = [root]
        for each in found:  # grows while it is walked
            found += [pid for pid, parent in parents.items() if parent == each and pid not in found]
        return found[1:]

    def _parent(self, pid: int) -> int:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int((self.proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        return 0

    def _used_namespaces(self) -> set[int]:
        """Inodes of the network namespaces that processes are in."""
        found = set()
        for pid in self._pids():
            with contextlib.suppress(OSError):
                found.add((self.proc / str(pid) / "ns" / "net").stat().st_ino)
        return found

    def _pids(self) -> Iterator[int]:
        return (int(name) for name in os.listdir(self.proc) if name.isdigit())


def _files(directory: Path) -> Iterator[Path]:
    """Leases are named after their addresses, namespaces after the plug-in; other files are none of them."""
    if directory.is_dir():
        yield from (
            each for each in directory.rglob("*") if each.name[:1].isdigit() or each.name[:4] == "cni-"
        )


def _holder(lease: Path) -> str:
    """The id of the sandbox that has the address; "" where that cannot be told."""
    try:
        return lease.read_text().partition("\n")[0].strip()
    except OSError:
        return ""


def _command(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return [""]


def _run(program: str, *arguments: str) -> None:
    """What fails here has been done already, or is tried again at the next start."""
    with contextlib.suppress(MachineNotReady, subprocess.TimeoutExpired):
        command = [find_binary(program), *arguments]
        subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=False)
