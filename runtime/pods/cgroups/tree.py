"""The machine's cgroups as files: groups are made, limited, measured and removed by path. Both versions.

cgroup v1 has a hierarchy for each controller, v2 one for all. Paths begin with `/kubepods`. What a group is
for is `cgroups`' to know.
"""

import contextlib
import logging
import math
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.errors import NodeError

logger = logging.getLogger(__name__)

CGROUP_ROOT = Path("/sys/fs/cgroup")
UNLIMITED = -1
LEAST_SHARES, MOST_SHARES = 2, 262_144
_NO_MEMORY_LIMIT = 1 << 62
"""What v1 shows as a group's limit where there is none is larger than this."""
_CONTROLLERS = ("cpu", "memory", "pids", "hugetlb", "cpuset", "io")


class CgroupError(NodeError):
    """A cgroup could not be made or limited."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a group may use; None leaves a value as it is, UNLIMITED takes a limit away."""

    cpu_shares: int | None = None
    """In terms of v1, from 2 to 262144."""
    cpu_quota: int | None = None
    """Microseconds in each period."""
    cpu_period: int | None = None
    memory: int | None = None
    """Bytes."""
    memory_min: int | None = None
    """Bytes that are kept for the group; v2 has this."""
    pids: int | None = None
    huge_pages: Mapping[str, int] = field(default_factory=dict)
    """Bytes by the size of a page, as `2MB`."""


class CgroupTree:
    def __init__(self, root: Path = CGROUP_ROOT) -> None:
        self._root = root
        self.unified = (root / "cgroup.controllers").exists()

    def apply(self, path: str, limits: Limits) -> None:
        """Make the group and its parents where they are missing, and limit it.

        Raises: CgroupError.
        """
        try:
            if self.unified:
                self._make_unified(path)
            for controller, settings in self._settings(limits).items():
                directory = self._directory(controller, path)
                if directory is not None:
                    directory.mkdir(parents=True, exist_ok=True)
                    for name, value in settings.items():
                        (directory / name).write_text(value)
        except OSError as error:
            raise CgroupError(f"cgroup {path}: {error}") from error

    def limits(self, path: str) -> Limits:
        """The group's cpu and memory; None where it has none, or no such controller."""
        if self.unified:
            return self._unified_limits(path)
        quota = self._number("cpu", path, "cpu.cfs_quota_us")
        memory = self._number("memory", path, "memory.limit_in_bytes")
        return Limits(
            cpu_shares=self._shares(path),
            cpu_quota=quota,
            cpu_period=self._number("cpu", path, "cpu.cfs_period_us"),
            memory=UNLIMITED if memory is not None and memory > _NO_MEMORY_LIMIT else memory,
        )

    def memory_usage(self, path: str) -> int | None:
        """Bytes that the group has in use, None where that cannot be told."""
        name = "memory.current" if self.unified else "memory.usage_in_bytes"
        return self._number("memory", path, name)

    def shares_below(self, path: str) -> int:
        """The sum of the shares of the pods' groups in a level."""
        return sum(self._shares(pod) or 0 for pod in self._pods_in("cpu", path))

    def memory_kept_below(self, path: str) -> int:
        """The sum of what is kept for the pods' groups in a level, in bytes; version 2."""
        return sum(self._number("memory", pod, "memory.min") or 0 for pod in self._pods_in("memory", path))

    def _pods_in(self, controller: str, path: str) -> list[str]:
        directory = self._directory(controller, path)
        if directory is None or not directory.is_dir():
            return []
        return [f"{path}/{each.name}" for each in directory.iterdir() if each.name.startswith("pod")]

    def pod_groups(self, uid: str) -> Iterator[Path]:
        """The pod's directories: one in the unified hierarchy (v2), one for each controller in v1."""
        for hierarchy in self._hierarchies():
            for level in ("", "burstable", "besteffort"):
                directory = hierarchy / "kubepods" / level / f"pod{uid}"
                if directory.is_dir():
                    yield directory

    def end_pod(self, uid: str) -> None:
        """Kill whatever still runs in the pod's groups: what the runtime has lost sight of."""
        for directory in self.pod_groups(uid):
            for path, _, _ in os.walk(directory):  # groups may go meanwhile: that is no error to it
                for pid in _words(Path(path, "cgroup.procs")):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)

    def remove_pod(self, uid: str) -> bool:
        """Remove what is left of the pod's groups; those still in use stay. Whether none is left."""
        left = [directory for directory in self.pod_groups(uid) if not _remove(directory)]
        return not left

    @property
    def counts_swap(self) -> bool:
        """Whether the use of swap can be limited. The root of v2 has no limits: others show it."""
        if self.unified:
            return any(self._root.glob("*/memory.swap.max"))
        return (self._root / "memory" / "memory.memsw.limit_in_bytes").exists()

    def _directory(self, controller: str, path: str) -> Path | None:
        """None where the machine has no such controller."""
        if self.unified:
            offered = controller in _words(self._root / "cgroup.controllers")
            return self._root / path.lstrip("/") if offered else None
        hierarchy = self._root / controller
        return hierarchy / path.lstrip("/") if hierarchy.is_dir() else None

    def _hierarchies(self) -> list[Path]:
        if self.unified:
            return [self._root]
        try:
            return [each for each in self._root.iterdir() if each.is_dir() and not each.is_symlink()]
        except OSError:
            return []

    def _make_unified(self, path: str) -> None:
        """Each group hands the controllers down to those in it."""
        directory = self._root
        _hand_down(directory)
        for part in path.strip("/").split("/"):
            directory = directory / part
            directory.mkdir(exist_ok=True)
            _hand_down(directory)

    def _settings(self, limits: Limits) -> dict[str, dict[str, str]]:
        """What is to be written, by controller and file, in that order."""
        made = _unified_settings(limits) if self.unified else _settings(limits)
        return {controller: settings for controller, settings in made.items() if settings}

    def _unified_limits(self, path: str) -> Limits:
        quota, period = (self._text("cpu", path, "cpu.max") or "max 100000").split()
        memory = self._text("memory", path, "memory.max")
        return Limits(
            cpu_shares=self._shares(path),
            cpu_quota=UNLIMITED if quota == "max" else int(quota),
            cpu_period=int(period),
            memory=None if memory is None else UNLIMITED if memory == "max" else int(memory),
        )

    def _shares(self, path: str) -> int | None:
        if not self.unified:
            return self._number("cpu", path, "cpu.shares")
        weight = self._number("cpu", path, "cpu.weight")
        return None if weight is None else shares_of(weight)

    def _number(self, controller: str, path: str, name: str) -> int | None:
        text = self._text(controller, path, name)
        return None if text is None else int(text)

    def _text(self, controller: str, path: str, name: str) -> str | None:
        directory = self._directory(controller, path)
        try:
            return None if directory is None else (directory / name).read_text().strip()
        except OSError:
            return None


def weight_of(shares: int) -> int:
    """cgroup v2's cpu.weight (1 to 10000): as runc converts shares, so that 1024 become 100."""
    if shares <= LEAST_SHARES:
        return 1
    if shares >= MOST_SHARES:
        return 10_000
    power = math.log2(shares)
    return math.ceil(10 ** ((power * power + 125 * power) / 612 - 7 / 34))


def shares_of(weight: int) -> int:
    """The least shares that have this weight."""
    low, high = LEAST_SHARES, MOST_SHARES
    while low < high:
        middle = (low + high) // 2
        if weight_of(middle) < weight:
            low = middle + 1
        else:
            high = middle
    return low


def _settings(limits: Limits) -> dict[str, dict[str, str]]:
    memory = {"memory.limit_in_bytes": limits.memory}
    pages = {f"hugetlb.{size}.limit_in_bytes": each for size, each in limits.huge_pages.items()}
    cpu = {
        "cpu.shares": limits.cpu_shares,
        "cpu.cfs_period_us": limits.cpu_period,
        "cpu.cfs_quota_us": limits.cpu_quota,
    }
    return {
        "cpu": _given(cpu),
        "memory": _given(memory),
        "pids": _given({"pids.max": limits.pids}),
        "hugetlb": _given(pages),
    }


def _unified_settings(limits: Limits) -> dict[str, dict[str, str]]:
    cpu: dict[str, str] = {}
    if limits.cpu_shares is not None:
        cpu["cpu.weight"] = str(weight_of(limits.cpu_shares))
    if limits.cpu_quota is not None:
        cpu["cpu.max"] = f"{_most(limits.cpu_quota)} {limits.cpu_period or 100_000}"
    memory = {
        name: _most(value)
        for name, value in (("memory.min", limits.memory_min), ("memory.max", limits.memory))
        if value is not None
    }
    pages = {f"hugetlb.{size}.max": str(each) for size, each in limits.huge_pages.items()}
    pids = {} if limits.pids is None else {"pids.max": _most(limits.pids)}
    return {"cpu": cpu, "memory": memory, "pids": pids, "hugetlb": pages}


def _most(value: int) -> str:
    return "max" if value == UNLIMITED else str(value)


def _given(values: Mapping[str, int | None]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if value is not None}


def _hand_down(directory: Path) -> None:
    """Controllers that cannot be handed down are left: what needs them will say so."""
    offered, handed = (_words(directory / f"cgroup.{each}") for each in ("controllers", "subtree_control"))
    for controller in _CONTROLLERS:
        if controller not in offered or controller in handed:
            continue
        try:
            (directory / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError as error:
            logger.debug("%s does not hand %s down: %s", directory, controller, error)


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _remove(directory: Path) -> bool:
    """Cgroup directories go with rmdir, the deepest first. Whether it is gone."""
    try:
        for child in [each for each in directory.iterdir() if each.is_dir()]:
            _remove(child)
        directory.rmdir()
    except FileNotFoundError:
        return True
    except OSError as error:
        logger.debug("cgroup %s stays: %s", directory, error)
        return False
    return True
