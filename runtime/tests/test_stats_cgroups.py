"""Counters as cgroups v1 and v2 write them, read from trees of files."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from runtime.stats.cgroup import Cgroups, cgroups, stalls
from runtime.stats.cgroup_v1 import CgroupsV1
from runtime.stats.cgroup_v2 import CgroupsV2
from runtime.stats.usage import CpuLimits, Stall, Throttling

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POD = "/kubepods/burstable/podu"
V1 = {
    "cpuacct{}/cpuacct.usage": "1234567890\n",
    "cpuacct{}/cpuacct.stat": "user 100\nsystem 20\n",
    "cpu{}/cpu.stat": "nr_periods 5\nnr_throttled 2\nthrottled_time 7000\n",
    "cpu{}/cpu.shares": "512\n",
    "cpu{}/cpu.cfs_quota_us": "50000\n",
    "cpu{}/cpu.cfs_period_us": "100000\n",
    "memory{}/memory.usage_in_bytes": "1000\n",
    "memory{}/memory.limit_in_bytes": "4096\n",
    "memory{}/memory.memsw.limit_in_bytes": "9223372036854771712\n",
    "memory{}/memory.max_usage_in_bytes": "2000\n",
    "memory{}/memory.failcnt": "3\n",
    "memory{}/memory.stat": "inactive_file 1\ntotal_inactive_file 300\ntotal_rss 500\ntotal_cache 450\n"
    "total_pgfault 10\ntotal_pgmajfault 1\ntotal_mapped_file 20\ntotal_swap 8\n",
    "pids{}/pids.current": "4\n",
    "memory{}/cgroup.procs": "17\n18\n",
    "blkio{}/blkio.throttle.io_service_bytes": "8:0 Read 4096\n8:0 Write 8192\nTotal 12288\n",
    "blkio{}/blkio.throttle.io_serviced": "8:0 Read 1\n8:0 Write 2\nTotal 3\n",
}
V2 = {
    "{}/cpu.stat": "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 200000\nnr_periods 5\n"
    "nr_throttled 2\nthrottled_usec 7\n",
    "{}/cpu.weight": "20\n",
    "{}/cpu.max": "50000 100000\n",
    "{}/memory.current": "1000\n",
    "{}/memory.max": "4096\n",
    "{}/memory.peak": "2000\n",
    "{}/memory.events": "low 0\nhigh 0\nmax 3\noom 0\n",
    "{}/memory.swap.max": "max\n",
    "{}/memory.swap.current": "8\n",
    "{}/memory.stat": "anon 500\nfile 450\ninactive_file 300\nfile_mapped 20\npgfault 10\npgmajfault 1\n",
    "{}/pids.current": "4\n",
    "{}/cgroup.procs": "17\n18\n",
    "{}/io.stat": "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n",
    "{}/cpu.pressure": "some avg10=1.50 avg60=0.50 avg300=0.10 total=99\n"
    "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
}


def tree(root: Path, files: dict[str, str], path: str = POD) -> None:
    for name, content in files.items():
        file = root / name.format(path).lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


@pytest.fixture(params=["v1", "v2"])
def found(request: pytest.FixtureRequest, tmp_path: Path) -> Cgroups:
    if request.param == "v2":
        (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    tree(tmp_path, V1 if request.param == "v1" else V2)
    return cgroups(tmp_path)


def test_the_version_is_found(tmp_path: Path) -> None:
    assert isinstance(cgroups(tmp_path), CgroupsV1)
    (tmp_path / "cgroup.controllers").write_text("")
    assert isinstance(cgroups(tmp_path), CgroupsV2)


def test_memory(found: Cgroups) -> None:
    memory = found.memory(POD, NOW)
    assert memory is not None
    assert (memory.usage, memory.working_set, memory.rss, memory.limit) == (1000, 700, 500, 4096)
    assert (memory.page_faults, memory.major_page_faults, memory.available) == (10, 1, 3396)
    assert (memory.cache, memory.mapped_file, memory.swap, memory.swap_limit) == (450, 20, 8, None)
    assert (memory.peak, memory.failures) == (2000, 3)


def test_processor_time(found: Cgroups) -> None:
    cpu = found.cpu(POD, NOW)
    assert cpu is not None
    assert cpu.total // 1000 == 1234567
    assert (cpu.user, cpu.system) == (1_000_000_000, 200_000_000)
    assert found.throttling(POD) == Throttling(5, 2, 7000)
    limits = found.cpu_limits(POD)
    assert (limits.quota, limits.period) == (50000, 100000)
    assert limits.shares in (500, 512)  # a weight is coarser than shares


def test_processes_and_devices(found: Cgroups) -> None:
    assert found.processes(POD) == 4
    assert found.members(POD) == [17, 18]
    io = found.io(POD)
    assert (io.read_bytes, io.writes) == ({(8, 0): 4096}, {(8, 0): 2})


def test_what_is_below(found: Cgroups) -> None:
    assert found.exists(POD)
    assert found.children("/kubepods") == ["burstable"]
    assert found.children("/nothing") == []


def test_a_cgroup_that_has_gone(found: Cgroups) -> None:
    assert found.cpu("/gone", NOW) is None
    assert found.memory("/gone", NOW) is None
    assert found.processes("/gone") is None
    assert found.members("/gone") == []
    assert found.throttling("/gone") == Throttling()
    assert found.cpu_limits("/gone") == CpuLimits()
    assert found.io("/gone").reads == {}
    assert found.pressure("/gone", "cpu") is None


def test_no_limit(tmp_path: Path) -> None:
    unlimited = {
        "memory{}/memory.usage_in_bytes": "1",
        "memory{}/memory.limit_in_bytes": "9223372036854771712",
    }
    tree(tmp_path, {**unlimited, "cpu{}/cpu.cfs_quota_us": "-1\n"})
    memory = cgroups(tmp_path).memory(POD, NOW)
    assert memory is not None
    assert memory.limit is memory.available is None
    assert cgroups(tmp_path).cpu_limits(POD).quota is None


def test_the_root_of_the_second_version_says_less_than_the_kernel(tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    tree(tmp_path, {"proc/meminfo": "MemTotal: 100 kB\nMemFree: 40 kB\n"})
    tree(tmp_path, {"proc/pressure/io": V2["{}/cpu.pressure"], "memory.stat": "inactive_file 1024\n"}, "")
    found = CgroupsV2(tmp_path, proc)
    memory = found.memory("/", NOW)
    assert memory is not None
    assert (memory.usage, memory.working_set) == (60 * 1024, 59 * 1024)
    assert found.pressure("/", "io") is not None


def test_pressure(tmp_path: Path) -> None:
    tree(tmp_path, V2)
    pressure = stalls(tmp_path / f"{POD}/cpu.pressure".lstrip("/"))
    assert pressure is not None
    assert pressure.some == Stall(1.5, 0.5, 0.1, total=99)
    assert stalls(tmp_path / "none") is None
