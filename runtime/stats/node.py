"""What the whole node uses, from the root's cgroup and /proc. Blocking: call it in a thread."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from runtime.stats.cgroup import Cgroups, text
from runtime.stats.network import network_of
from runtime.stats.usage import Cpu, Memory, Network, Pressure

PROC = Path("/proc")
RESOURCES = ("cpu", "memory", "io")
_TICK = 10_000_000


def cpu(cgroups: Cgroups, now: datetime, proc: Path = PROC) -> Cpu:
    """By the root's cgroup, else by the kernel's own account."""
    return cgroups.cpu("/", now) or _kernel_cpu(now, proc)


def memory(cgroups: Cgroups, capacity: int, now: datetime) -> Memory:
    found = cgroups.memory("/", now) or Memory(now, 0, 0)
    return replace(found, limit=capacity)


def processes(proc: Path = PROC) -> tuple[int, int]:
    """How many there are, and how many there may be."""
    words = text(proc / "loadavg").split()
    total = words[3].partition("/")[2] if len(words) > 3 else ""
    limits = [text(proc / "sys" / "kernel" / name).strip() for name in ("pid_max", "threads-max")]
    return int(total or 0), min((int(each) for each in limits if each.isdecimal()), default=0)


def booted_at(proc: Path = PROC) -> datetime:
    for line in text(proc / "stat").splitlines():
        if line.startswith("btime "):
            return datetime.fromtimestamp(int(line.split()[1]), UTC)
    return datetime.fromtimestamp(0, UTC)


def network(now: datetime, proc: Path = PROC) -> Network | None:
    return network_of("self", now, proc)


def pressures(cgroups: Cgroups, path: str) -> Mapping[str, Pressure]:
    found = {resource: cgroups.pressure(path, resource) for resource in RESOURCES}
    return {resource: each for resource, each in found.items() if each is not None}


def _kernel_cpu(now: datetime, proc: Path) -> Cpu:
    words = text(proc / "stat").split("\n", 1)[0].split()[1:]
    ticks = [int(each) for each in words[:8]] or [0] * 8
    user, system = ticks[0] + ticks[1], ticks[2] + ticks[5] + ticks[6]
    return Cpu(now, (user + system) * _TICK, user=user * _TICK, system=system * _TICK)
