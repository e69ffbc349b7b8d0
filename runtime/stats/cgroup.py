"""One cgroup's counters, whichever version the machine has. What is not there reads as None or 0.

`cgroups()` finds the version; `runtime.stats.cgroup_v1` and `cgroup_v2` know the files.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from runtime.stats.usage import Cpu, CpuLimits, Io, Memory, Pressure, Stall, Throttling

CGROUP_ROOT = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 62
"""From here on a limit is none: v1 writes the largest multiple of a page."""


class Cgroups(Protocol):
    """The tree of all cgroups. Paths begin with `/`, which is the root itself."""

    def exists(self, path: str) -> bool: ...

    def children(self, path: str) -> list[str]:
        """The names of the cgroups right below."""

    def cpu(self, path: str, now: datetime) -> Cpu | None: ...

    def memory(self, path: str, now: datetime) -> Memory | None: ...

    def processes(self, path: str) -> int | None:
        """How many processes (and threads) it has; None where nobody counts."""

    def most_processes(self, path: str) -> int | None:
        """How many it may have; None where there is no limit."""

    def members(self, path: str) -> list[int]:
        """The pids of the processes right in it."""

    def throttling(self, path: str) -> Throttling: ...

    def cpu_limits(self, path: str) -> CpuLimits: ...

    def io(self, path: str) -> Io: ...

    def pressure(self, path: str, resource: str) -> Pressure | None:
        """Of `cpu`, `memory` or `io`."""


def cgroups(root: Path = CGROUP_ROOT) -> Cgroups:
    if (root / "cgroup.controllers").exists():
        from runtime.stats.cgroup_v2 import CgroupsV2

        return CgroupsV2(root)
    from runtime.stats.cgroup_v1 import CgroupsV1

    return CgroupsV1(root)


def text(file: Path) -> str:
    """Of files that are read by the hundred: without what Python does for large ones."""
    try:
        with open(file, "rb", buffering=0) as opened:
            return opened.read().decode(errors="replace")
    except OSError:
        return ""


def number(file: Path) -> int | None:
    found = text(file).strip()
    return int(found) if found.lstrip("-").isdecimal() else None


def table(file: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    lines = (line.split() for line in text(file).splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdecimal()}


def limit(file: Path) -> int | None:
    """None where there is no limit."""
    found = number(file)
    return None if found is None or found < 0 or found >= UNLIMITED else found


def subdirectories(directory: Path) -> list[str]:
    try:
        return [each.name for each in directory.iterdir() if each.is_dir()]
    except OSError:
        return []


def pids(file: Path) -> list[int]:
    return [int(line) for line in text(file).split()]


def stalls(file: Path) -> Pressure | None:
    """The file of pressure stall information, such as `cpu.pressure`; None where the kernel has none."""
    found = dict(_stalls(text(file)))
    if "some" not in found:
        return None
    return Pressure(found["some"], found.get("full", Stall(0, 0, 0, 0)))


def _stalls(content: str) -> Iterator[tuple[str, Stall]]:
    for line in content.splitlines():
        kind, *pairs = line.split()
        values = dict(pair.partition("=")[::2] for pair in pairs)
        try:
            avg10, avg60, avg300 = (float(values[name]) for name in ("avg10", "avg60", "avg300"))
            yield kind, Stall(avg10, avg60, avg300, int(values["total"]))
        except (KeyError, ValueError):
            continue
