"""Counters of cgroups v1: a hierarchy per controller."""

from datetime import datetime
from pathlib import Path

from runtime.stats.cgroup import limit, number, pids, subdirectories, table, text
from runtime.stats.usage import Cpu, CpuLimits, Io, Memory, Pressure, Throttling

_TICK = 10_000_000
"""Nanoseconds in a USER_HZ, which is 100 wherever Linux runs."""


class CgroupsV1:
    def __init__(self, root: Path) -> None:
        self._root = root

    def exists(self, path: str) -> bool:
        return self._at("memory", path).is_dir()

    def children(self, path: str) -> list[str]:
        return subdirectories(self._at("memory", path))

    def cpu(self, path: str, now: datetime) -> Cpu | None:
        directory = self._at("cpuacct", path)
        total = number(directory / "cpuacct.usage")
        if total is None:
            return None
        parts = table(directory / "cpuacct.stat")
        return Cpu(now, total, user=parts.get("user", 0) * _TICK, system=parts.get("system", 0) * _TICK)

    def memory(self, path: str, now: datetime) -> Memory | None:
        directory = self._at("memory", path)
        usage = number(directory / "memory.usage_in_bytes")
        if usage is None:
            return None
        stat = table(directory / "memory.stat")
        swap_limit = limit(directory / "memory.memsw.limit_in_bytes")
        memory_limit = limit(directory / "memory.limit_in_bytes")
        return Memory(
            now,
            usage,
            max(usage - stat.get("total_inactive_file", 0), 0),
            rss=stat.get("total_rss", 0),
            page_faults=stat.get("total_pgfault", 0),
            major_page_faults=stat.get("total_pgmajfault", 0),
            limit=memory_limit,
            cache=stat.get("total_cache", 0),
            mapped_file=stat.get("total_mapped_file", 0),
            swap=stat.get("total_swap", 0),
            swap_limit=None if swap_limit is None else max(swap_limit - (memory_limit or 0), 0),
            peak=number(directory / "memory.max_usage_in_bytes") or 0,
            failures=number(directory / "memory.failcnt") or 0,
            oom_kills=table(directory / "memory.oom_control").get("oom_kill", 0),
            reservation=limit(directory / "memory.soft_limit_in_bytes"),
        )

    def processes(self, path: str) -> int | None:
        return number(self._at("pids", path) / "pids.current")

    def most_processes(self, path: str) -> int | None:
        return limit(self._at("pids", path) / "pids.max")

    def members(self, path: str) -> list[int]:
        return pids(self._at("memory", path) / "cgroup.procs")

    def throttling(self, path: str) -> Throttling:
        stat = table(self._at("cpu", path) / "cpu.stat")
        return Throttling(
            stat.get("nr_periods", 0), stat.get("nr_throttled", 0), stat.get("throttled_time", 0)
        )

    def cpu_limits(self, path: str) -> CpuLimits:
        directory = self._at("cpu", path)
        quota = number(directory / "cpu.cfs_quota_us")
        return CpuLimits(
            number(directory / "cpu.shares"),
            quota if quota is not None and quota > 0 else None,
            number(directory / "cpu.cfs_period_us"),
        )

    def io(self, path: str) -> Io:
        directory = self._at("blkio", path)
        amounts = _devices(directory / "blkio.throttle.io_service_bytes")
        counts = _devices(directory / "blkio.throttle.io_serviced")
        return Io(
            amounts.get("Read", {}), amounts.get("Write", {}), counts.get("Read", {}), counts.get("Write", {})
        )

    def pressure(self, path: str, resource: str) -> Pressure | None:
        """Only cgroups v2 have it."""
        return None

    def _at(self, controller: str, path: str) -> Path:
        return self._root / controller / path.strip("/")


def _devices(file: Path) -> dict[str, dict[tuple[int, int], int]]:
    """Lines such as `8:0 Read 4096`: by operation and device."""
    found: dict[str, dict[tuple[int, int], int]] = {}
    for line in text(file).splitlines():
        words = line.split()
        if len(words) == 3:
            major, _, minor = words[0].partition(":")
            found.setdefault(words[1], {})[int(major), int(minor)] = int(words[2])
    return found
