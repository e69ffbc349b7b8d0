"""What is particular to SQLite: its files, locks, failures, and how its schema comes and goes."""

import asyncio
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory

import migrations
from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from server.storage import Record, Store
from server.storage.errors import DatabaseLocked, DatabaseUnavailable, DatabaseUnusable, KeyExists

OpenStore = Callable[..., Awaitable[Store]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "database"


@pytest.fixture
def datastore(path: Path) -> str:
    return f"sqlite:///{path}"


def pod(name: str, *, size: int = 0) -> Object:
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "value": "x" * size}


async def create(store: Store, name: str, *, size: int = 0) -> Record:
    return await store.create("pods", "ns", name, pod(name, size=size))


async def opened(path: Path | str) -> Store:
    return await Store.open(f"sqlite:///{path}", clock=FakeClock())


def execute(path: Path, statement: str, *parameters: object) -> list[Any]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement, parameters).fetchall()


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """The disk seems full to whoever would make a file longer."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_all_files_are_the_owner_s_alone(tmp_path: Path) -> None:
    store = await opened(tmp_path / "new" / "database")
    await create(store, "a")
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "new").iterdir()}
    names = ("database", "database-wal", "database-shm", "database-lock")
    assert files == dict.fromkeys(names, 0o600)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    await store.close()


async def test_a_file_that_others_could_read_is_made_private(path: Path) -> None:
    path.touch(0o644)
    store = await opened(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await store.close()


async def test_commits_are_synced_and_logged_ahead(open_store: OpenStore, path: Path) -> None:
    store = await open_store()
    assert execute(path, "PRAGMA journal_mode") == [("wal",)]
    assert execute(path, "PRAGMA auto_vacuum") == [(2,)]
    connection = store._database.connect()
    assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    connection.close()


async def test_a_second_server_is_refused(open_store: OpenStore, datastore: str) -> None:
    await open_store()
    with pytest.raises(DatabaseLocked, match="in use by another kubeling server"):
        await Store.open(datastore, clock=FakeClock())


async def test_the_database_is_free_again_after_a_failed_start(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(DatabaseUnusable, match="it is not a database"):
        await opened(path)
    path.unlink()
    await (await opened(path)).close()


async def test_a_damaged_database_is_named(path: Path) -> None:
    await (await opened(path)).close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(DatabaseUnusable, match=f"the database {path}: it is damaged"):
        await opened(path)


@pytest.mark.parametrize("place", ["/proc/none/database", "/dev/null/database"])
async def test_a_place_that_cannot_be_written_is_named(place: str) -> None:
    with pytest.raises(DatabaseUnusable, match=f"the database {place} cannot be opened"):
        await opened(place)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://me:secret@db/kubeling", r"mysql://me:\*\*\*@db/kubeling' is not supported"),
        ("kubeling.db", "is not a URL: use"),
        ("sqlite://", "names no file"),
    ],
)
async def test_an_unsupported_datastore_is_named(url: str, message: str) -> None:
    with pytest.raises(DatabaseUnusable, match=message):
        await Store.open(url, clock=FakeClock())


async def test_a_lock_that_is_held_too_long_fails_the_write_only(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.storage.sqlite.BUSY_SECONDS", 0.01)
    store = await opened(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseLocked, match="another process holds a lock"):
            await create(store, "a")
    assert (await create(store, "a")).revision == 1
    await store.close()


async def test_a_full_disk_fails_the_write_and_loses_nothing(path: Path) -> None:
    store = await opened(path)
    await create(store, "before")
    with no_file_beyond(100_000), pytest.raises(DatabaseUnavailable):
        await asyncio.gather(*(create(store, f"p{i}", size=50_000) for i in range(10)))
    assert store.revision == len(store.list("pods"))
    await create(store, "after")
    held = {record.name: record.body for record in store.list("pods")}
    await store.close()
    again = await opened(path)
    assert {record.name: record.body for record in again.list("pods")} == held
    await again.close()


async def test_every_caller_of_a_failed_batch_is_told(path: Path) -> None:
    store = await opened(path)
    with no_file_beyond(10_000):
        writes = (create(store, f"p{i}", size=50_000) for i in range(3))
        answers = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(answer) for answer in answers] == [DatabaseUnavailable] * 3
    assert (await create(store, "p1")).revision == 1
    await store.close()


async def test_rows_of_another_writer_are_seen_with_the_next_write(open_store: OpenStore, path: Path) -> None:
    store = await open_store()
    await create(store, "a")
    watch = store.watch("pods", since=1)
    row = (2, "pods", "ns", "b", "uid-b", 2, 0, b'{"metadata":{"name":"b","resourceVersion":"2"}}')
    execute(path, "INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *row)
    row = (3, "pods", "ns", "a", "uid-a", 1, 1, b'{"metadata":{"name":"a","resourceVersion":"3"}}')
    execute(path, "INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *row)
    execute(path, "UPDATE cluster SET revision = 3")
    with pytest.raises(KeyExists):
        await create(store, "b")
    assert (await create(store, "a")).revision == 4
    found = [(event.type, event.record.name, event.revision) for event in await anext(watch)]
    assert found == [("ADDED", "b", 2), ("DELETED", "a", 3), ("ADDED", "a", 4)]
    watch.close()


async def test_the_file_shrinks_after_compaction(path: Path) -> None:
    store = await opened(path)
    await asyncio.gather(*(create(store, f"p{i}", size=20_000) for i in range(500)))
    await asyncio.gather(*(store.delete("pods", "ns", f"p{i}", expected=None) for i in range(500)))
    await store.compact()
    await store.close()
    assert path.stat().st_size < 3_000_000


# The schema


async def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    await (await opened(path)).close()
    execute(path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseUnusable, match=r"written by a newer kubeling \(its schema is 9999"):
        await opened(path)


def test_the_known_revisions_are_alembic_s() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == migrations.REVISIONS
    assert scripts.get_heads() == [migrations.HEAD]


async def test_alembic_is_imported_only_to_migrate(path: Path) -> None:
    await (await opened(path)).close()
    script = f"""
import asyncio, sys
from kubeling.objects.clock import SystemClock
from server.storage import Store

async def main():
    store = await Store.open("sqlite:///{path}", clock=SystemClock())
    await store.close()

asyncio.run(main())
sys.exit("alembic" in sys.modules)
"""
    assert await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script], cwd="/", check=True)
