"""Counters of cgroups v2: one hierarchy for all. The root has fewer files: /proc knows the rest of it."""

from datetime import datetime
from pathlib import Path

from runtime.stats.cgroup import limit, number, pids, stalls, subdirectories, table, text
from runtime.stats.usage import Cpu, CpuLimits, Io, Memory, Pressure, Throttling

_MICRO = 1000


class CgroupsV2:
    def __init__(self, root: Path, proc: Path = Path("/proc")) -> None:
        self._root = root
        self._proc = proc

    def exists(self, path: str) -> bool:
        return self._at(path).is_dir()

    def children(self, path: str) -> list[str]:
        return subdirectories(self._at(path))

    def cpu(self, path: str, now: datetime) -> Cpu | None:
        stat = table(self._at(path) / "cpu.stat")
        if "usage_usec" not in stat:
            return None
        return Cpu(
            now,
            stat["usage_usec"] * _MICRO,
            user=stat.get("user_usec", 0) * _MICRO,
            system=stat.get("system_usec", 0) * _MICRO,
        )

    def memory(self, path: str, now: datetime) -> Memory | None:
        directory = self._at(path)
        stat = table(directory / "memory.stat")
        usage = number(directory / "memory.current")
        if usage is None:
            usage = self._whole_machine() if not path.strip("/") else None
        if usage is None:
            return None
        swap_limit, events = number(directory / "memory.swap.max"), table(directory / "memory.events")
        return Memory(
            now,
            usage,
            max(usage - stat.get("inactive_file", 0), 0),
            rss=stat.get("anon", 0),
            page_faults=stat.get("pgfault", 0),
            major_page_faults=stat.get("pgmajfault", 0),
            limit=limit(directory / "memory.max"),
            cache=stat.get("file", 0),
            mapped_file=stat.get("file_mapped", 0),
            swap=number(directory / "memory.swap.current") or 0,
            swap_limit=swap_limit,
            peak=number(directory / "memory.peak") or 0,
            failures=events.get("max", 0),
            oom_kills=events.get("oom_kill", 0),
            reservation=limit(directory / "memory.low") or None,
        )

    def processes(self, path: str) -> int | None:
        return number(self._at(path) / "pids.current")

    def most_processes(self, path: str) -> int | None:
        return limit(self._at(path) / "pids.max")

    def members(self, path: str) -> list[int]:
        return pids(self._at(path) / "cgroup.procs")

    def throttling(self, path: str) -> Throttling:
        stat = table(self._at(path) / "cpu.stat")
        return Throttling(
            stat.get("nr_periods", 0), stat.get("nr_throttled", 0), stat.get("throttled_usec", 0) * _MICRO
        )

    def cpu_limits(self, path: str) -> CpuLimits:
        weight = number(self._at(path) / "cpu.weight")
        quota, _, period = text(self._at(path) / "cpu.max").strip().partition(" ")
        return CpuLimits(
            None if weight is None else _shares(weight),
            int(quota) if quota.isdecimal() else None,
            int(period) if period.isdecimal() else None,
        )

    def io(self, path: str) -> Io:
        found: dict[str, dict[tuple[int, int], int]] = {}
        for line in text(self._at(path) / "io.stat").splitlines():
            device, *pairs = line.split()
            major, _, minor = device.partition(":")
            for pair in pairs:
                name, _, value = pair.partition("=")
                if value.isdecimal():
                    found.setdefault(name, {})[int(major), int(minor)] = int(value)
        return Io(*(found.get(name, {}) for name in ("rbytes", "wbytes", "rios", "wios")))

    def pressure(self, path: str, resource: str) -> Pressure | None:
        if not path.strip("/"):
            return stalls(self._proc / "pressure" / resource)
        return stalls(self._at(path) / f"{resource}.pressure")

    def _whole_machine(self) -> int | None:
        """What is in use, as the root's cgroup would say if it did."""
        lines = (line.split() for line in text(self._proc / "meminfo").splitlines())
        sizes = {words[0]: int(words[1]) * 1024 for words in lines if len(words) > 1}
        if "MemTotal:" not in sizes:
            return None
        return sizes["MemTotal:"] - sizes.get("MemFree:", 0)

    def _at(self, path: str) -> Path:
        return self._root / path.strip("/")


def _shares(weight: int) -> int:
    """The shares of v1 that the runtime made the weight from."""
    return 2 + (weight - 1) * 262142 // 9999
