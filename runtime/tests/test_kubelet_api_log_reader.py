"""Reading and following log files."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from kubeling.objects.tasks import Tasks
from runtime.node.logs.output import LogOptions
from runtime.node.logs.reader import follow_log, read_log
from runtime.node.logs.watcher import DirectoryWatcher

FOLLOW = LogOptions(follow=True)


def line(text: str, tag: str = "F") -> bytes:
    return f"2026-11-21T00:00:00.123456789Z stdout {tag} {text}\n".encode()


class Container:
    """A container's log and whether it still runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.running = True
        self._file = path.open("ab", buffering=0)

    def write(self, raw: bytes) -> None:
        self._file.write(raw)

    def rotate(self) -> None:
        self.path.rename(self.path.with_suffix(".old"))
        new = self.path.open("ab", buffering=0)
        self._file.close()
        self._file = new

    def end(self) -> None:
        self.running = False
        self._file.close()

    async def is_running(self) -> bool:
        return self.running


@pytest.fixture
async def watcher() -> AsyncIterator[DirectoryWatcher]:
    watcher = DirectoryWatcher()
    yield watcher
    await watcher.close()


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    container = Container(tmp_path / "0.log")
    yield container
    container.end()


class Reader:
    """Collects what a follower sees."""

    def __init__(self, container: Container, watcher: DirectoryWatcher, options: LogOptions = FOLLOW) -> None:
        self.seen = b""
        self._more = asyncio.Event()
        self._pieces = follow_log(container.path, options, watcher, container.is_running)

    async def run(self) -> None:
        async with aclosing(self._pieces):
            async for piece in self._pieces:
                self.seen += piece
                self._more.set()

    async def until(self, expected: bytes) -> None:
        while self.seen != expected:
            self._more.clear()
            await asyncio.wait_for(self._more.wait(), 5)


async def test_a_log_is_read_to_its_end(container: Container) -> None:
    container.write(line("a") + line("b", "P") + line("c") + b"2026-11-21T00:00:00Z stdout F d")
    pieces = [piece async for piece in read_log(container.path, LogOptions())]
    assert b"".join(pieces) == b"a\nbc\nd\n"
    container.end()


async def test_a_log_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await anext(read_log(tmp_path / "none", LogOptions()))


async def test_following_sees_what_is_written_and_ends_with_the_container(
    container: Container, watcher: DirectoryWatcher
) -> None:
    container.write(line("before"))
    reader = Reader(container, watcher)
    async with Tasks("test") as tasks:
        running = tasks.start(reader.run(), name="reader")
        await reader.until(b"before\n")
        container.write(line("af", "P"))
        await reader.until(b"before\naf")
        container.write(line("ter"))
        await reader.until(b"before\nafter\n")
        container.write(line("last"))
        container.end()
        await asyncio.wait_for(running, 5)
    assert reader.seen == b"before\nafter\nlast\n"


async def test_following_an_ended_container_gives_its_log_and_ends(
    container: Container, watcher: DirectoryWatcher
) -> None:
    container.write(line("x"))
    container.end()
    reader = Reader(container, watcher)
    await asyncio.wait_for(reader.run(), 5)
    assert reader.seen == b"x\n"


async def test_following_survives_rotation(container: Container, watcher: DirectoryWatcher) -> None:
    reader = Reader(container, watcher)
    expected = b"first\n"
    container.write(line("first"))
    async with Tasks("test") as tasks:
        running = tasks.start(reader.run(), name="reader")
        await reader.until(expected)
        for n in range(5):
            container.write(line(f"{n} old"))
            container.rotate()
            container.write(line(f"{n} new"))
            expected += f"{n} old\n{n} new\n".encode()
            await reader.until(expected)
        container.end()
        await asyncio.wait_for(running, 5)


async def test_what_is_written_to_the_old_file_after_the_new_one_is_there_is_seen(
    container: Container, watcher: DirectoryWatcher
) -> None:
    reader = Reader(container, watcher)
    async with Tasks("test") as tasks:
        running = tasks.start(reader.run(), name="reader")
        container.write(line("before"))
        await reader.until(b"before\n")
        old = container._file
        container.path.rename(container.path.with_name("0.log.20260101-000000"))
        with container.path.open("ab", buffering=0) as new:
            new.write(line("new"))
            await reader.until(b"before\nnew\n")
            old.write(line("late"))
            new.write(line("newer"))
            await reader.until(b"before\nnew\nlate\nnewer\n")
        container.end()
        await asyncio.wait_for(running, 5)


async def test_a_reader_that_is_slow_misses_no_log(container: Container, watcher: DirectoryWatcher) -> None:
    container.write(line("0"))
    pieces = follow_log(container.path, FOLLOW, watcher, container.is_running)
    async with aclosing(pieces):
        seen = await anext(pieces)
        for number in range(1, 5):
            rotated = container.path.with_name(f"0.log.2026010{number}-000000")
            container.path.rename(rotated)
            container._file.close()
            container._file = container.path.open("ab", buffering=0)
            container.write(line(str(number)))
            if number < 3:
                rotated.with_name(rotated.name + ".gz").write_bytes(gzip.compress(rotated.read_bytes()))
                rotated.unlink()
            await asyncio.sleep(0.01)  # the watcher hears of it, the reader does not
        while seen.count(b"\n") < 5:
            seen += await anext(pieces)
        container.end()
    assert seen == b"0\n1\n2\n3\n4\n"


async def test_a_container_that_closes_its_output_is_waited_for(
    container: Container, watcher: DirectoryWatcher
) -> None:
    reader = Reader(container, watcher)
    async with Tasks("test") as tasks:
        running = tasks.start(reader.run(), name="reader")
        container.write(line("bye"))
        await reader.until(b"bye\n")
        container._file.close()
        done, _ = await asyncio.wait([running], timeout=0.05)
        assert not done
        container.running = False
        await asyncio.wait_for(running, 5)


async def test_tail_and_limit_apply_while_following(container: Container, watcher: DirectoryWatcher) -> None:
    container.write(line("a") + line("b") + line("c"))
    reader = Reader(container, watcher, LogOptions(follow=True, tail=1, limit=5))
    async with Tasks("test") as tasks:
        running = tasks.start(reader.run(), name="reader")
        await reader.until(b"c\n")
        container.write(line("dddddd"))
        await asyncio.wait_for(running, 5)
    assert reader.seen == b"c\nddd"
    container.end()


async def test_many_followers_share_one_directory(container: Container, watcher: DirectoryWatcher) -> None:
    readers = [Reader(container, watcher) for _ in range(50)]
    async with Tasks("test") as tasks:
        running = [tasks.start(reader.run(), name="reader") for reader in readers]
        await asyncio.sleep(0)
        container.write(line("x"))
        container.end()
        await asyncio.wait_for(asyncio.gather(*running), 5)
    assert {reader.seen for reader in readers} == {b"x\n"}
