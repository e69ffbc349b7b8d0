"""What is particular to PostgreSQL: servers that share a database, and a database that goes away."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from kubeling.objects.clock import FakeClock, SystemClock
from kubeling.objects.meta import Object
from server.storage import Event, Limits, Record, Store, Watch
from server.storage.errors import (
    CommitInDoubt,
    Compacted,
    DatabaseUnavailable,
    DatabaseUnusable,
    KeyExists,
    KeyNotFound,
    RevisionConflict,
    StorageError,
    WatchOverflow,
    WriteInDoubt,
)
from server.storage.postgres import Postgres
from server.tests.private_postgres import Missing, PrivatePostgres, missing, private_postgres

OpenStore = Callable[..., Awaitable[Store]]


@pytest.fixture
def datastore(postgres: PrivatePostgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture
def database(datastore: str) -> str:
    """The database's name."""
    return datastore.partition("?")[0].rpartition("/")[2]


@pytest.fixture
async def stores(datastore: str) -> AsyncIterator[tuple[Store, Store]]:
    async with AsyncExitStack() as opened:
        pair = []
        for _ in range(2):
            store = await Store.open(datastore, clock=SystemClock())
            opened.push_async_callback(store.close)
            pair.append(store)
        yield pair[0], pair[1]


@pytest.fixture(scope="module")
def mortal() -> Iterator[PrivatePostgres]:
    """A server that may be killed."""
    try:
        with private_postgres() as server:
            yield server
    except Missing as why:
        missing(why)


def counter(name: str, value: int = 0) -> Object:
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "value": value}


async def create(store: Store, name: str) -> Record:
    return await store.create("counters", "ns", name, counter(name))


async def update(store: Store, name: str, value: int, *, expected: int | None = None) -> Record:
    return await store.update("counters", "ns", name, counter(name, value), expected=expected)


async def events_until(watch: Watch, revision: int) -> list[Event]:
    found: list[Event] = []
    async with asyncio.timeout(30):
        while watch.revision < revision:
            found += await anext(watch)
    return found


def seen(events: list[Event]) -> list[tuple[str, str, int]]:
    return [(event.type, event.record.name, event.revision) for event in events]


# Several servers


async def test_each_server_sees_the_other_s_writes_on_its_watches(stores: tuple[Store, Store]) -> None:
    a, b = stores
    async with b.watch("counters", since=0) as watch:
        await create(a, "x")
        assert seen(await events_until(watch, 1)) == [("ADDED", "x", 1)]
        await a.delete("counters", "ns", "x", expected=1)
        assert seen(await events_until(watch, 2)) == [("DELETED", "x", 2)]
        assert b.get("counters", "ns", "x") is None


async def test_writes_of_both_are_decided_in_one_order(stores: tuple[Store, Store]) -> None:
    a, b = stores
    await create(a, "x")
    with pytest.raises(KeyExists):
        await create(b, "x")
    await update(b, "x", 1, expected=1)
    with pytest.raises(RevisionConflict, match="expected revision 1, found 2"):
        await update(a, "x", 2, expected=1)
    await a.delete("counters", "ns", "x", expected=2)
    with pytest.raises(KeyNotFound):
        await update(b, "x", 3)


async def test_concurrent_increments_through_two_servers_all_count(stores: tuple[Store, Store]) -> None:
    await create(stores[0], "x")

    async def increment(store: Store) -> None:
        while True:
            await store.fresh()
            held = store.get("counters", "ns", "x")
            assert held is not None
            try:
                await update(store, "x", held.obj["value"] + 1, expected=held.revision)
            except RevisionConflict:
                continue
            return

    watches = [store.watch("counters", since=0) for store in stores]
    await asyncio.gather(*(increment(stores[number % 2]) for number in range(60)))
    histories = [[event.record.obj["value"] for event in await events_until(watch, 61)] for watch in watches]
    assert histories == [list(range(61))] * 2
    for watch in watches:
        watch.close()


async def test_a_fresh_read_sees_what_another_server_has_acknowledged(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = stores
    await deafen(b, monkeypatch)
    for number in range(50):
        record = await create(a, f"x{number}")
        await b.fresh()
        assert b.revision >= record.revision
        assert b.get("counters", "ns", f"x{number}") is not None


async def test_one_question_answers_all_who_wait(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    ask = stores[0]._lanes.asking.direct

    async def counted(work: Any) -> Any:
        nonlocal asked
        asked += 1
        return await ask(work)

    monkeypatch.setattr(stores[0]._lanes.asking, "direct", counted)
    await asyncio.gather(*(stores[0].fresh() for _ in range(100)))
    assert asked == 1


async def deafen(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on it hears of no other server's commits."""
    monkeypatch.setattr("server.storage.postgres.PostgresListener.received", lambda _: ())
    await store.fresh()


async def test_announcements_that_are_lost_are_made_up_for(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = stores
    await deafen(b, monkeypatch)
    watch = b.watch("counters", since=0)
    await create(a, "x")
    assert (await create(b, "y")).revision == 2
    assert seen(await events_until(watch, 2)) == [("ADDED", "x", 1), ("ADDED", "y", 2)]
    watch.close()


async def test_after_losing_its_listening_connection_a_server_asks_what_it_missed(
    stores: tuple[Store, Store], postgres: PrivatePostgres, database: str
) -> None:
    a, b = stores
    watch = b.watch("counters", since=0)
    await create(a, "x")
    await events_until(watch, 1)
    postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{database}' AND query LIKE '%advisory_lock_shared%'"
    )
    await create(a, "y")
    assert seen(await events_until(watch, 2)) == [("ADDED", "y", 2)]
    watch.close()


async def test_a_server_that_history_has_left_behind_reads_everything_anew(
    datastore: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.storage.postgres.PostgresListener.received", lambda _: ())
    a = await Store.open(datastore, clock=FakeClock())
    b = await Store.open(datastore, clock=FakeClock())
    await create(a, "gone")
    await b.fresh()
    watch = b.watch("counters", since=1)
    await a.delete("counters", "ns", "gone", expected=1)
    await create(a, "x")
    await update(a, "x", 1)
    await a.compact()
    assert (await create(b, "y")).revision == 5
    assert [record.name for record in b.list("counters")] == ["x", "y"]
    assert b.compacted_revision == 4
    with pytest.raises(WatchOverflow):
        await anext(watch)
    watch.close()
    await a.close()
    await b.close()


async def test_compaction_by_one_server_is_known_to_the_other(stores: tuple[Store, Store]) -> None:
    a, b = stores
    await create(a, "x")
    await update(a, "x", 1)
    await a.compact()
    await create(b, "y")
    with pytest.raises(Compacted):
        await b.list_at("counters", revision=1)


async def test_two_servers_may_compact_at_once(stores: tuple[Store, Store], datastore: str) -> None:
    a, b = stores
    await create(a, "x")
    await asyncio.gather(*(update(a, "x", value) for value in range(700)))
    await b.fresh()
    writes = (update(store, "x", value) for value in range(20) for store in stores)
    await asyncio.gather(a.compact(701), b.compact(701), *writes)
    async with b.watch("counters", since=701) as watch:
        assert [event.revision for event in await events_until(watch, 741)] == list(range(702, 742))


async def test_servers_that_start_at_once_on_an_empty_database_agree(datastore: str) -> None:
    opened = await asyncio.gather(*(Store.open(datastore, clock=FakeClock()) for _ in range(6)))
    assert len({store.cluster_id for store in opened}) == 1
    assert (await create(opened[0], "x")).revision == 1
    for store in opened:
        await store.close()


async def test_servers_set_the_cluster_up_one_after_the_other(stores: tuple[Store, Store]) -> None:
    under_way = 0

    async def set_up(store: Store) -> None:
        nonlocal under_way
        async with store.turn():
            under_way += 1
            assert under_way == 1
            await store.fresh()
            if store.get("counters", "ns", "x") is None:
                await create(store, "x")
            under_way -= 1

    await asyncio.gather(*(set_up(store) for store in stores))


# A database that goes away


async def test_a_connection_that_was_closed_meanwhile_costs_nobody_a_write(
    stores: tuple[Store, Store], postgres: PrivatePostgres, database: str
) -> None:
    await create(stores[0], "x")
    postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    assert (await create(stores[0], "y")).revision == 2
    await stores[1].fresh()
    assert stores[1].revision == 2


@pytest.mark.parametrize("alone", [True, False], ids=["in one call", "under the lock"])
async def test_a_commit_that_happened_is_acknowledged_though_its_connection_broke(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    stores[0]._writer._alone = alone
    break_next_commit(monkeypatch, before=False)
    assert (await create(stores[0], "x")).revision == 1
    assert (await create(stores[1], "y")).revision == 2
    assert [record.name for record in stores[1].list("counters")] == ["x", "y"]


@pytest.mark.parametrize("alone", [True, False], ids=["in one call", "under the lock"])
async def test_a_commit_that_did_not_happen_is_done_again(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    stores[0]._writer._alone = alone
    break_next_commit(monkeypatch, before=True)
    assert (await create(stores[0], "x")).revision == 1
    with pytest.raises(KeyExists):
        await create(stores[1], "x")


def break_next_commit(monkeypatch: pytest.MonkeyPatch, *, before: bool) -> None:
    """The connection of the next commit dies, before or after the database took it."""
    armed = True

    def breaking(commit: Callable[..., Any], applies: Callable[..., bool]) -> Callable[..., Any]:
        def broken(connection: "psycopg.Connection[Any]", *arguments: Any, **options: Any) -> Any:
            nonlocal armed
            if not armed or not applies(connection, *arguments):
                return commit(connection, *arguments, **options)
            armed = False
            if before:
                os.kill(connection.info.backend_pid, signal.SIGTERM)
            commit(connection, *arguments, **options)
            connection.close()
            raise psycopg.OperationalError("the connection is lost")

        return broken

    commit, execute = psycopg.Connection.commit, psycopg.Cursor.execute
    monkeypatch.setattr(psycopg.Connection, "commit", breaking(commit, has_written))

    def executed(cursor: "psycopg.Cursor[Any]", *arguments: Any, **options: Any) -> Any:
        def called(_: object, *arguments: Any, **options: Any) -> Any:
            return execute(cursor, *arguments, **options)

        return breaking(called, commits)(cursor.connection, *arguments, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", executed)


def commits(_: "psycopg.Connection[Any]", statement: Any, *_arguments: Any) -> bool:
    return str(statement).startswith("WITH moved")


def has_written(connection: "psycopg.Connection[Any]") -> bool:
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
        return False
    row = connection.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL").fetchone()
    return bool(row and row[0])


async def test_a_write_takes_the_lock_only_when_another_server_was_faster(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    await deafen(stores[0], monkeypatch)
    ways: list[str] = []
    for way in ("commit", "append"):
        note_calls(monkeypatch, way, ways)
    await create(stores[1], "x")
    assert ways == ["commit"]
    assert [(await create(stores[0], name)).revision for name in "abc"] == [2, 3, 4]
    assert ways == ["commit", "commit", "append", "append", "commit"]


def note_calls(monkeypatch: pytest.MonkeyPatch, way: str, calls: list[str]) -> None:
    call = getattr(Postgres, way)

    def noted(*arguments: Any) -> Any:
        calls.append(way)
        return call(*arguments)

    monkeypatch.setattr(Postgres, way, noted)


async def test_what_cannot_be_known_is_said_to_be_unknown(
    mortal: PrivatePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mortal.database() as url:
        store = await Store.open(url, clock=SystemClock(), limits=replace(Limits(), doubt_seconds=0.3))
        await create(store, "x")

        def killed(*_: Any) -> bool:
            mortal.stop(kill=True)
            raise CommitInDoubt("the connection is lost", None)

        monkeypatch.setattr(Postgres, "commit", killed)
        with pytest.raises(WriteInDoubt, match="may have happened, or not"):
            await create(store, "y")
        with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
            await create(store, "z")
        monkeypatch.undo()
        mortal.start()
        await store.fresh()
        assert (await create(store, "y")).revision == store.revision == 2
        await store.close()


async def test_while_the_database_is_away_reads_of_known_state_go_on(mortal: PrivatePostgres) -> None:
    with mortal.database() as url:
        store = await Store.open(url, clock=SystemClock())
        await create(store, "x")
        watch = store.watch("counters", since=0)
        mortal.stop(kill=True)
        with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
            await store.fresh()
        assert store.get("counters", "ns", "x") is not None
        assert seen(await events_until(watch, 1)) == [("ADDED", "x", 1)]
        mortal.start()
        await create(store, "y")
        assert seen(await events_until(watch, 2)) == [("ADDED", "y", 2)]
        watch.close()
        await store.close()


async def test_a_database_that_was_replaced_meanwhile_is_not_written(
    stores: tuple[Store, Store], postgres: PrivatePostgres, database: str
) -> None:
    await create(stores[0], "x")
    postgres.execute("DELETE FROM revisions", database=database)
    postgres.execute("UPDATE cluster SET revision = 0", database=database)
    with pytest.raises(DatabaseUnusable, match="replaced by another, or by an older state"):
        await create(stores[0], "y")


class Load:
    """Writers that count up, each its own object, through two servers, whatever becomes of the database."""

    def __init__(self, stores: tuple[Store, Store]) -> None:
        self.stores = stores
        self.acknowledged: dict[str, int] = {}
        self.failures = 0
        self.stopping = False

    async def write(self, number: int) -> None:
        store, name = self.stores[number % 2], f"w{number}"
        await create(store, name)
        value = 0
        while not self.stopping:
            value += 1
            try:
                await update(store, name, value)
                self.acknowledged[name] = value
            except DatabaseUnavailable:
                self.failures += 1
                await asyncio.sleep(0.01)


async def record_values(watch: Watch, found: dict[str, list[int]]) -> None:
    async for batch in watch:
        for event in batch:
            found.setdefault(event.record.name, []).append(event.record.obj["value"])


@pytest.mark.timeout(180)
@pytest.mark.parametrize("violence", ["backends", "server"])
async def test_nothing_is_lost_or_repeated_when_the_database_is_killed(
    mortal: PrivatePostgres, violence: str
) -> None:
    with mortal.database() as url:
        name = url.partition("?")[0].rpartition("/")[2]
        stores = (await Store.open(url, clock=SystemClock()), await Store.open(url, clock=SystemClock()))
        load = Load(stores)
        histories: list[dict[str, list[int]]] = [{}, {}]
        watches = [store.watch("counters", since=0) for store in stores]
        async with asyncio.TaskGroup() as group:
            for watch, history in zip(watches, histories, strict=True):
                group.create_task(record_values(watch, history))
            writers = [group.create_task(load.write(number)) for number in range(8)]
            for _ in range(4):
                await asyncio.sleep(0.4)
                await asyncio.to_thread(kill, mortal, name, violence)
            await asyncio.sleep(0.4)
            await asyncio.to_thread(mortal.wait)
            load.stopping = True
            await asyncio.wait(writers)
            await settle(stores)
            for watch in watches:
                watch.close()
        assert load.failures
        check(load, histories)
        for store in stores:
            await store.close()


def kill(server: PrivatePostgres, database: str, violence: str) -> None:
    if violence == "server":
        server.stop(kill=True)
        server.start()
    else:
        server.kill_backends(database)


async def settle(stores: tuple[Store, Store]) -> None:
    """Both have seen everything, and their watches too."""
    async with asyncio.timeout(30):
        for store in stores:
            while True:
                try:
                    await store.fresh()
                    break
                except StorageError:
                    await asyncio.sleep(0.05)
    await asyncio.sleep(0.05)


def check(load: Load, histories: list[dict[str, list[int]]]) -> None:
    assert histories[0] == histories[1]
    for name, value in load.acknowledged.items():
        for history in histories:
            values = history[name]
            assert values[-1] >= value, "an acknowledged write is missing"
            assert values == sorted(set(values)), "an event came twice, or out of order"
        record = load.stores[0].get("counters", "ns", name)
        assert record is not None
        assert record.obj["value"] == histories[0][name][-1]
