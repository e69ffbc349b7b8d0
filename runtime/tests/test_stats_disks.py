"""Rates, sizes of directories, file systems, network counters."""

import os
from datetime import UTC, datetime
from pathlib import Path

from kubeling.objects.clock import FakeClock
from runtime.stats.disk import disk_usage, file_system
from runtime.stats.network import network_of
from runtime.stats.node import booted_at, processes
from runtime.stats.rates import Rates
from runtime.stats.sizes import Sizes

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0: 1000      10    1    2    0     0          0         0     2000      20    3    4    0     0       0          0
"""  # noqa: E501


def test_a_rate_needs_two_looks() -> None:
    rates = Rates()
    assert rates.rate("a", 100, at=10.0, age=900) is None
    assert rates.rate("a", 300, at=12.0, age=902) == 100
    assert rates.rate("a", 999, at=12.1, age=902.1) == 100  # too soon to tell anything new
    assert rates.rate("a", 10, at=14.0, age=904) is None  # it began anew
    rates.forget_before(15.0)
    assert rates.rate("a", 20, at=16.0, age=906) is None


def test_a_young_counter_needs_one_look() -> None:
    assert Rates().rate("a", 100, at=10.0, age=2.0) == 50
    assert Rates().rate("a", 100, at=10.0, age=0.1) is None


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    assert disk_usage(tmp_path / "none").used == 0
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    before = disk_usage(tmp_path)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "link").symlink_to("/usr")
    after = disk_usage(tmp_path)
    assert before.used >= 100_000
    assert after.used - before.used < 100_000
    assert after.inodes == before.inodes + 1


def test_a_file_system(tmp_path: Path) -> None:
    found = file_system(tmp_path, NOW)
    assert found is not None
    assert 0 < (found.used or 0) <= (found.capacity or 0)
    assert file_system(tmp_path / "none", NOW) is None


async def test_sizes_are_measured_once_a_minute(tmp_path: Path) -> None:
    clock = FakeClock()
    sizes = Sizes(clock)
    first = (await sizes.of([tmp_path]))[tmp_path]
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    assert (await sizes.of([tmp_path]))[tmp_path] == first
    await clock.advance(61)
    assert (await sizes.of([tmp_path]))[tmp_path].used > first.used
    await sizes.stop()


class Ticking(FakeClock):
    """A second goes by with each look at it."""

    ticks = 0.0

    def monotonic(self) -> float:
        self.ticks += 1
        return self.ticks


async def test_what_takes_long_to_measure_is_measured_seldom(tmp_path: Path) -> None:
    clock = Ticking()
    sizes = Sizes(clock)
    first = (await sizes.of([tmp_path], age=0))[tmp_path]
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    assert (await sizes.of([tmp_path], age=0))[tmp_path] == first
    clock.ticks += 20
    assert (await sizes.of([tmp_path], age=0))[tmp_path].used > first.used
    await sizes.stop()


async def test_who_asks_does_not_wait_for_ever(tmp_path: Path) -> None:
    sizes = Sizes(FakeClock(), patience=0)
    assert await sizes.of([tmp_path]) == {}
    await sizes.stop()


def test_the_network_of_a_process(tmp_path: Path) -> None:
    (tmp_path / "7" / "net").mkdir(parents=True)
    (tmp_path / "7" / "net" / "dev").write_text(DEV)
    network = network_of(7, NOW, tmp_path)
    assert network is not None
    (eth0,) = network.interfaces
    assert (eth0.name, eth0.received_bytes, eth0.received_dropped) == ("eth0", 1000, 2)
    assert (eth0.sent_packets, eth0.sent_errors) == (20, 3)
    assert network_of(8, NOW, tmp_path) is None


def test_processes_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "sys/kernel").mkdir(parents=True)
    (tmp_path / "loadavg").write_text("0.1 0.2 0.3 2/345 6789\n")
    (tmp_path / "sys/kernel/pid_max").write_text("32768\n")
    (tmp_path / "sys/kernel/threads-max").write_text("1000\n")
    (tmp_path / "stat").write_text("cpu 1\nbtime 1767225600\n")
    assert processes(tmp_path) == (345, 1000)
    assert booted_at(tmp_path) == NOW
