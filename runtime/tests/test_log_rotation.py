"""Rotating containers' logs: when, into what, how many stay; and a runtime that does not help."""

import gzip
from pathlib import Path

import pytest

from kubeling.objects.clock import FakeClock
from runtime.errors import RuntimeFailed
from runtime.node.logs.rotation import ContainerLog, LogRotation, RotationPolicy


class Writer:
    """Stands for the runtime: opens the log anew when it is told to, unless it is broken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broken = False
        self.reopened = 0

    def write(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    async def reopen_container_log(self, container_id: str) -> None:
        self.reopened += 1
        if self.broken:
            raise RuntimeFailed("no")
        self.path.touch()


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "0.log")


def rotation(
    writer: Writer, clock: FakeClock, *, files: int = 5, others: tuple[Path, ...] = ()
) -> LogRotation:
    logs = [ContainerLog(path.name, path) for path in (writer.path, *others)]
    return LogRotation(writer, clock, RotationPolicy(size=10, files=files, interval=10.0), lambda: logs)


def names(writer: Writer) -> list[str]:
    return sorted(each.name for each in writer.path.parent.iterdir())


async def test_a_log_that_is_full_is_renamed_and_begun_anew(writer: Writer) -> None:
    writer.write("x" * 10)
    await rotation(writer, FakeClock()).look()
    current, rotated = names(writer)
    assert current == "0.log"
    assert rotated.startswith("0.log.202")
    assert writer.path.read_text() == ""
    assert writer.path.with_name(rotated).read_text() == "x" * 10


async def test_a_small_log_stays(writer: Writer) -> None:
    writer.write("x" * 9)
    await rotation(writer, FakeClock()).look()
    assert names(writer) == ["0.log"]
    assert not writer.reopened


async def test_older_logs_are_compressed_and_the_oldest_removed(writer: Writer) -> None:
    clock = FakeClock()
    logs = rotation(writer, clock, files=4)
    for number in range(6):
        writer.write(f"{number}" * 10)
        await logs.look()
        await clock.advance(60)
    writer.write("now")
    current, *rotated = names(writer)
    assert (current, len(rotated)) == ("0.log", 3)
    first, second, last = (writer.path.with_name(each) for each in rotated)
    assert (first.suffix, second.suffix, last.read_text()) == (".gz", ".gz", "5" * 10)
    assert gzip.decompress(first.read_bytes()) == b"3" * 10
    assert gzip.decompress(second.read_bytes()) == b"4" * 10


async def test_with_two_files_one_old_log_is_kept(writer: Writer) -> None:
    clock = FakeClock()
    logs = rotation(writer, clock, files=2)
    for number in range(3):
        writer.write(f"{number}" * 10)
        await logs.look()
        await clock.advance(60)
    _, rotated = names(writer)
    assert writer.path.with_name(rotated).read_text() == "2" * 10


async def test_a_runtime_that_cannot_open_the_log_anew_goes_on_with_the_old_one(writer: Writer) -> None:
    writer.write("x" * 10)
    writer.broken = True
    await rotation(writer, FakeClock()).look()
    assert names(writer) == ["0.log"]
    assert writer.path.read_text() == "x" * 10


async def test_a_log_that_was_lost_in_the_middle_of_a_rotation_is_begun(writer: Writer) -> None:
    await rotation(writer, FakeClock()).look()
    assert names(writer) == ["0.log"]


async def test_what_a_compression_left_that_broke_off_is_removed(writer: Writer) -> None:
    for name in ("0.log.20260101-000000.tmp", "0.log.20260101-000001", "0.log.20260101-000001.gz"):
        writer.path.with_name(name).write_text(name)
    writer.write("x" * 10)
    await rotation(writer, FakeClock()).look()
    assert not writer.path.with_name("0.log.20260101-000000.tmp").exists()
    assert not writer.path.with_name("0.log.20260101-000001").exists()
    assert writer.path.with_name("0.log.20260101-000001.gz").exists()


async def test_a_second_rotation_within_a_second_waits(writer: Writer) -> None:
    logs = rotation(writer, FakeClock())
    for _ in range(2):
        writer.write("x" * 10)
        await logs.look()
    assert len(names(writer)) == 2
    assert writer.path.read_text() == "x" * 10


async def test_one_log_that_cannot_be_rotated_does_not_keep_the_others_from_it(
    writer: Writer, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "0.log"
    other.parent.mkdir()
    other.write_text("y" * 10)
    (tmp_path / "file").write_text("")
    odd = tmp_path / "file" / "0.log"
    await rotation(writer, FakeClock(), others=(odd, other)).look()
    assert len(list(other.parent.iterdir())) == 1  # renamed; the runtime of this test opens one name only
    assert not other.exists()
