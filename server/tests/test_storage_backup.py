"""Backup and restoration: what is in the file, what it refuses, and how revisions go on."""

import asyncio
import gzip
import stat
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from kubeling.objects.clock import FakeClock
from server.storage import Store, archive
from server.storage.archive import ArchiveError
from server.storage.backup import backup
from server.storage.database import database
from server.storage.errors import Compacted, DatabaseError, DatabaseLocked, DatabaseUnusable
from server.storage.restore import REVISION_STEP, Refused, restore
from server.tests.private_postgres import PrivatePostgres

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup"


async def opened(url: str) -> Store:
    return await Store.open(url, clock=FakeClock())


async def create(store: Store, name: str, value: object = None) -> None:
    await store.create("pods", "ns", name, {"metadata": {"name": name, "uid": f"uid-{name}"}, "value": value})


async def fill(url: str) -> list[tuple[object, ...]]:
    """Objects that were changed and deleted, and with text of all kinds; what is there in the end."""
    store = await opened(url)
    for name in ("a", "b", "c"):
        await create(store, name, "line\nand\ttab, \N{SNOWMAN} and 1e400")
    await store.update("pods", "ns", "b", {"metadata": {"name": "b"}, "value": 2**53}, expected=2)
    await store.delete("pods", "ns", "a", expected=1)
    await store.create("nodes", "", "n", {"metadata": {"name": "n"}})
    found = contents(store)
    await store.close()
    return found


def contents(store: Store) -> list[tuple[object, ...]]:
    return [
        (*record.key, record.uid, record.revision, record.created_revision, record.body)
        for resource in ("nodes", "pods")
        for record in store.list(resource)
    ]


async def test_a_restored_database_holds_what_the_other_held(
    datastore: str, file: Path, tmp_path: Path
) -> None:
    before = await fill(datastore)
    header, objects = backup(database(datastore), file, now=NOW)
    assert (objects, header.revision, header.created) == (3, 6, "2026-01-01T00:00:00+00:00")
    other = f"sqlite:///{tmp_path}/other"
    restore(database(other), file, force=False)
    store = await opened(other)
    assert contents(store) == before
    assert store.cluster_id == header.identity
    await store.close()


async def test_a_backup_of_either_database_is_restored_to_postgresql(
    datastore: str, file: Path, postgres: PrivatePostgres
) -> None:
    before = await fill(datastore)
    backup(database(datastore), file, now=NOW)
    with postgres.database() as url:
        restore(database(url), file, force=False)
        store = await opened(url)
        assert contents(store) == before
        await create(store, "next")
        await store.close()


async def test_a_backup_while_a_server_writes_shows_one_revision(datastore: str, file: Path) -> None:
    store = await opened(datastore)
    stopping = False

    async def write() -> None:
        value = 0
        while not stopping:
            value += 1
            for name in ("a", "b"):
                body = {"metadata": {"name": name}, "value": value}
                await store.update("pods", "ns", name, body, expected=None)

    await create(store, "a")
    await create(store, "b")
    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        for _ in range(10):
            header, _ = await asyncio.to_thread(backup, database(datastore), file, now=NOW)
            a, b = (
                record.obj["value"] or 0 for record in sorted(archive.records(file), key=lambda r: r.name)
            )
            assert a in (b, b + 1)
            assert header.revision == 2 + a + b
        stopping = True
    await store.close()


async def test_revisions_go_on_beyond_all_that_clients_may_have_seen(datastore: str, file: Path) -> None:
    await fill(datastore)
    backup(database(datastore), file, now=NOW)
    store = await opened(datastore)
    for number in range(5):
        await create(store, f"later-{number}")
    await store.close()
    _, revision = restore(database(datastore), file, force=True)
    assert revision == 11 + REVISION_STEP
    store = await opened(datastore)
    assert (store.revision, store.compacted_revision) == (revision, revision)
    for remembered in (1, 6, 11, revision - 1):
        with pytest.raises(Compacted):
            store.watch("pods", since=remembered)
    async with store.watch("pods", since=revision) as watch:
        await create(store, "new")
        (event,) = await anext(watch)
        assert event.revision == revision + 1
    await store.close()


async def test_objects_are_replaced_only_when_that_is_asked_for(datastore: str, file: Path) -> None:
    await fill(datastore)
    backup(database(datastore), file, now=NOW)
    with pytest.raises(Refused):
        restore(database(datastore), file, force=False)


async def test_a_database_that_a_server_uses_is_not_replaced(datastore: str, file: Path) -> None:
    await fill(datastore)
    backup(database(datastore), file, now=NOW)
    store = await opened(datastore)
    if store.shared:
        await present(datastore)
    with pytest.raises(DatabaseLocked, match=r"in use by another|at work on"):
        await asyncio.to_thread(restore, database(datastore), file, force=True)
    await create(store, "goes-on")
    await store.close()


async def present(url: str) -> None:
    """Returns when a server has said that it is there."""
    with psycopg.connect(url, autocommit=True) as connection:
        count = (0,)
        while count == (0,):
            await asyncio.sleep(0.01)
            count = connection.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            ).fetchone() or (0,)


async def test_only_the_owner_can_read_a_backup(datastore: str, file: Path) -> None:
    await fill(datastore)
    backup(database(datastore), file, now=NOW)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir() if "backup" in path.name] == ["backup"]


@pytest.fixture
async def made(tmp_path: Path, file: Path) -> bytes:
    """A backup's bytes."""
    url = f"sqlite:///{tmp_path}/source"
    await fill(url)
    backup(database(url), file, now=NOW)
    return file.read_bytes()


@pytest.mark.parametrize("part", [0.2, 0.5, 0.95])
async def test_a_file_that_is_cut_short_is_refused(
    made: bytes, file: Path, tmp_path: Path, part: float
) -> None:
    file.write_bytes(made[: int(len(made) * part)])
    with pytest.raises(ArchiveError, match="damaged or cut short"):
        restore(database(f"sqlite:///{tmp_path}/target"), file, force=True)
    assert not (tmp_path / "target").exists()


async def test_a_file_without_its_last_lines_is_refused(made: bytes, file: Path) -> None:
    lines = gzip.decompress(made).splitlines(keepends=True)
    for kept in (lines[:-1], lines[:1], [*lines[:-2], lines[-1]], [*lines, lines[-1]]):
        file.write_bytes(gzip.compress(b"".join(kept)))
        with pytest.raises(ArchiveError, match="damaged or cut short"):
            archive.check(file)


async def test_a_file_with_a_wrong_byte_is_refused(made: bytes, file: Path) -> None:
    text = gzip.decompress(made)
    file.write_bytes(gzip.compress(text.replace(b"uid-c", b"uid-d")))
    with pytest.raises(ArchiveError, match="damaged or cut short"):
        archive.check(file)


async def test_a_backup_of_a_newer_version_is_refused(made: bytes, file: Path) -> None:
    text = gzip.decompress(made)
    file.write_bytes(gzip.compress(text.replace(b'"kubelingBackup":1', b'"kubelingBackup":2')))
    with pytest.raises(ArchiveError, match="made by a newer kubeling"):
        archive.check(file)


@pytest.mark.parametrize(
    "content", [b"", b"hello", gzip.compress(b"", mtime=0), gzip.compress(b"{}\n", mtime=0)]
)
def test_another_file_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ArchiveError):
        archive.check(file)


async def test_a_damaged_database_is_set_aside_when_forced(made: bytes, file: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"no database at all" * 1000)
    with pytest.raises(DatabaseUnusable):
        restore(database(f"sqlite:///{target}"), file, force=False)
    restore(database(f"sqlite:///{target}"), file, force=True)
    assert (tmp_path / "target.damaged").read_bytes() == b"no database at all" * 1000
    store = await opened(f"sqlite:///{target}")
    assert store.get("pods", "ns", "b") is not None
    await store.close()


def test_what_is_not_there_cannot_be_backed_up(tmp_path: Path, file: Path) -> None:
    with pytest.raises(DatabaseError, match="there is no database"):
        backup(database(f"sqlite:///{tmp_path}/none"), file, now=NOW)
    assert list(tmp_path.iterdir()) == []


async def test_a_place_that_cannot_be_written_is_named(datastore: str) -> None:
    await fill(datastore)
    with pytest.raises(ArchiveError, match="/proc/none/backup cannot be written: No such file"):
        backup(database(datastore), Path("/proc/none/backup"), now=NOW)
