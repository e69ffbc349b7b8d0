"""Processes one by one: what they have open, what they use. What ends meanwhile counts as nothing."""

import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runtime.stats.cgroup import text
from runtime.stats.usage import Cpu, Memory

PROC = Path("/proc")
_TICK = 10_000_000
"""Nanoseconds."""
_PEER = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Processes:
    """None where nobody looked."""

    count: int
    files: int | None = None
    sockets: int | None = None
    most_files: int | None = None
    """How many the first of them may open."""


def processes_of(pids: Sequence[int], *, opened: bool, proc: Path = PROC) -> Processes:
    """`opened` also looks at what they have open, which takes a while."""
    if not opened or not pids:
        return Processes(len(pids))
    links = [link for pid in pids for link in _links(proc / str(pid) / "fd")]
    sockets = sum(1 for link in links if link.startswith("socket:"))
    return Processes(len(pids), len(links), sockets, _most_files(proc / str(pids[0]) / "limits"))


def process_use(pid: int, now: datetime, booted_at: datetime, proc: Path = PROC) -> "ProcessUse | None":
    """None when it has gone."""
    words = text(proc / str(pid) / "stat").rpartition(")")[2].split()
    if len(words) < 22:
        return None
    minor, major, user, system = (int(words[position]) for position in (7, 9, 11, 12))
    resident = int(words[21]) * os.sysconf("SC_PAGE_SIZE")
    started_at = booted_at + timedelta(seconds=int(words[19]) / 100)
    cpu = Cpu(now, (user + system) * _TICK, user=user * _TICK, system=system * _TICK)
    memory = Memory(now, resident, resident, rss=resident, page_faults=minor + major, major_page_faults=major)
    return ProcessUse(started_at.astimezone(UTC), cpu, memory)


@dataclass(frozen=True, slots=True)
class ProcessUse:
    started_at: datetime
    cpu: Cpu
    memory: Memory


def listener_of(path: str) -> int | None:
    """The pid of the process that listens on a socket; None when nobody does."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connected:
            connected.connect(path)
            found = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    except OSError:
        return None
    return int(_PEER.unpack(found)[0]) or None


def _links(directory: Path) -> list[str]:
    found = []
    try:
        for name in os.listdir(directory):
            found.append(os.readlink(directory / name))
    except OSError:
        return found
    return found


def _most_files(limits: Path) -> int | None:
    for line in text(limits).splitlines():
        if line.startswith("Max open files"):
            soft = line.split()[3]
            return -1 if soft == "unlimited" else int(soft)
    return None
