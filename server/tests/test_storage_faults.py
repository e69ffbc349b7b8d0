"""A full disk, a file that is damaged, cut short, locked or read-only: said clearly, and nothing is lost."""

import asyncio
import ctypes
import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kubeling.objects.clock import FakeClock
from server.storage import Record, Store
from server.storage.errors import (
    DatabaseLocked,
    DatabaseUnavailable,
    DatabaseUnusable,
)
from server.storage.usage import Usage

MIB = 2**20
LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    if LIBC.mount(b"tmpfs", os.fsencode(place), b"tmpfs", 0, b"size=8m"):
        if os.environ.get("CI"):
            pytest.fail("CI has to test full disks, which needs the right to mount")
        pytest.skip("mounting a small file system needs root")
    yield place
    LIBC.umount2(os.fsencode(place), 2)


async def opened(path: Path) -> Store:
    return await Store.open(f"sqlite:///{path}", clock=FakeClock())


async def create(store: Store, name: str, *, size: int = 1000) -> Record:
    return await store.create("pods", "ns", name, {"metadata": {"name": name}, "filling": "x" * size})


async def fill_up(store: Store) -> list[str]:
    """Write until nothing fits; what was acknowledged."""
    acknowledged: list[str] = []
    with pytest.raises(DatabaseUnavailable, match="the disk is full"):
        await write_on(store, acknowledged)
    return acknowledged


async def write_on(store: Store, acknowledged: list[str]) -> None:
    for number in range(1000):
        acknowledged.append((await create(store, f"p{number}", size=20_000)).name)


def names(store: Store) -> list[str]:
    return sorted(record.name for record in store.list("pods"))


async def test_a_full_disk_costs_no_acknowledged_write_and_passes(
    small: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    ballast = small / "ballast"
    ballast.write_bytes(bytes(5 * MIB))
    store = await opened(small / "database")
    acknowledged = await fill_up(store)
    watch = store.watch("pods", since=store.revision)
    for number in range(20):
        with pytest.raises(DatabaseUnavailable):
            await create(store, f"refused{number}", size=50_000)
    assert names(store) == sorted(acknowledged)
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(told) == 1
    assert "until this is mended, writes are refused" in told[0]
    ballast.unlink()
    after = await create(store, "after", size=50_000)
    assert after.revision == len(acknowledged) + 1
    assert [event.record.name for event in await anext(watch)] == ["after"]
    assert "the database works again" in caplog.text
    watch.close()
    await store.close()
    again = await opened(small / "database")
    assert names(again) == sorted([*acknowledged, "after"])
    await again.close()


async def test_a_server_that_is_killed_on_a_full_disk_finds_all_it_acknowledged(small: Path) -> None:
    store = await opened(small / "database")
    acknowledged = await fill_up(store)
    copy = small.parent / "copy"
    copy.mkdir()
    for suffix in ("", "-wal"):
        (copy / f"database{suffix}").write_bytes((small / f"database{suffix}").read_bytes())
    again = await opened(copy / "database")
    assert set(acknowledged) <= set(names(again))
    await again.close()
    await store.close()


async def test_a_full_disk_at_the_start_is_named(small: Path) -> None:
    (small / "ballast").write_bytes(bytes(8 * MIB - 12 * 1024))
    with pytest.raises(DatabaseUnavailable, match="the disk is full"):
        await opened(small / "database")


async def test_a_read_only_file_system_is_named(small: Path) -> None:
    await (await opened(small / "database")).close()
    read_only, remount = 1, 32
    assert LIBC.mount(b"tmpfs", os.fsencode(small), b"tmpfs", read_only | remount, b"size=8m") == 0
    with pytest.raises(DatabaseUnusable, match="cannot be opened: Read-only file system"):
        await opened(small / "database")


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.97])
async def test_a_file_that_was_cut_short_is_named(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "database"
    store = await opened(path)
    await asyncio.gather(*(create(store, f"p{number}") for number in range(300)))
    await store.close()
    os.truncate(path, int(path.stat().st_size * kept))
    with pytest.raises(DatabaseUnusable, match=f"the database {path}: it is damaged"):
        await opened(path)


async def test_damage_anywhere_is_named_or_harmless(tmp_path: Path) -> None:
    """What is not inside an object's own text: that, no SQLite file has a checksum of."""
    path, chance = tmp_path / "database", random.Random(1)
    store = await opened(path)
    await asyncio.gather(*(create(store, f"p{number}") for number in range(300)))
    held = names(store)
    await store.close()
    content, named = path.read_bytes(), 0
    for _ in range(40):
        damaged = bytearray(content)
        page = chance.randrange(len(content) // 4096) * 4096
        damaged[page : page + 64] = chance.randbytes(64)
        path.write_bytes(damaged)
        try:
            store = await opened(path)
        except DatabaseUnusable:
            named += 1
        else:
            assert names(store) == held
            await store.close()
    assert named > 20


async def test_a_lock_that_another_process_holds_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("server.storage.sqlite.BUSY_SECONDS", 0.01)
    store = await opened(tmp_path / "database")
    with closing(sqlite3.connect(tmp_path / "database", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            with pytest.raises(DatabaseLocked, match="another process holds a lock"):
                await create(store, "a")
    assert (await create(store, "a")).revision == 1
    assert caplog.text.count("until this is mended") == 1
    await store.close()


@pytest.mark.parametrize("put_back", [True, False])
async def test_a_file_that_is_no_longer_the_one_that_was_opened_is_not_written(
    tmp_path: Path, put_back: bool
) -> None:
    path = tmp_path / "database"
    store = await opened(path)
    await create(store, "a")
    path.rename(tmp_path / "moved")
    if put_back:
        path.write_bytes((tmp_path / "moved").read_bytes())
    with pytest.raises(DatabaseUnusable, match=r"put there anew while in use|No such file"):
        await create(store, "b")
    assert store.revision == 1
    await store.close()


async def test_what_a_store_takes_and_holds_is_known(tmp_path: Path) -> None:
    store = await opened(tmp_path / "database")
    await create(store, "a")
    await store.delete("pods", "ns", "a", expected=None)
    await create(store, "b")
    await store.compact(2)
    files = ("database", "database-wal")
    size = sum((tmp_path / name).stat().st_size for name in files)
    assert await store.usage() == Usage(store.cluster_id, size, 3, 2, {"pods": 1})
    await store.close()
