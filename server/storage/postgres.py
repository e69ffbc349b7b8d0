"""PostgreSQL 15 and later: its connections, locks, announcements and error codes.

Several servers may share a database. The row of `cluster` is the lock that orders their writers, and each
commit is announced to the others with NOTIFY. The SQL that works on every database is in `log`.
"""

import secrets
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from server.storage.database import Row, Step
from server.storage.errors import (
    CommitInDoubt,
    ConnectionLost,
    DatabaseError,
    DatabaseLocked,
    DatabaseUnavailable,
    DatabaseUnusable,
)
from server.storage.insertion import COLUMNS, PADDING, padded

OLDEST_VERSION = 15
CHANNEL = "kubeling"
MIGRATION_LOCK, PRESENCE_LOCK, TURN_LOCK = 7_362_001, 7_362_002, 7_362_003
"""Advisory locks: held while migrating; shared by all servers at work; held while setting the cluster up."""
PRESENCE_SECONDS = 2
"""How long a server that has just ended may take to be gone."""
_BIGINT = struct.Struct("!q")

CONNECT_SECONDS = 5
_SESSION = {
    # A writer that has stopped, or whose machine is gone, must not hold the lock against all others.
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "10s",
    "jit": "off",
    "bytea_output": "hex",
}
_ARGUMENTS: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "kubeling",
    "client_encoding": "utf8",
    # A server that vanished without a word is noticed within 20 s.
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 4,
    "tcp_user_timeout": 20_000,
}

_CLASSES: dict[str, tuple[type[DatabaseError], str]] = {
    "08": (ConnectionLost, "the connection failed"),
    "57P": (ConnectionLost, "its server stops or starts"),
    "53100": (DatabaseUnavailable, "the disk is full"),
    "53": (DatabaseUnavailable, "its server has no room"),
    "58": (DatabaseUnavailable, "reading or writing it failed"),
    "25P03": (ConnectionLost, "the transaction took too long"),
    "25006": (DatabaseUnavailable, "it cannot be written at the moment"),
    "55P03": (DatabaseLocked, "another process holds a lock on it"),
    "40": (DatabaseUnavailable, "another process was in the way"),
    "XX00": (DatabaseUnusable, "it is damaged"),
    "42501": (DatabaseUnusable, "this user may not use it"),
    "42": (DatabaseUnusable, "its tables are not kubeling's"),
}
_HOPELESS = ("does not exist", "authentication failed", "no pg_hba.conf entry", "no password supplied")
"""What a server says to a connection that will not succeed by waiting."""


class Postgres:
    """One database of a server that is reached by libpq's ways: parameters of the URL, its environment."""

    shared = True

    def __init__(self, url: URL) -> None:
        self._shown = url.set(drivername="postgresql").render_as_string(hide_password=True)
        self._origin = secrets.token_hex(8)
        """Marks our own announcements."""
        self._engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            connect_args=_ARGUMENTS,
            use_native_hstore=False,
            # Transactions are begun here, not by the driver's own rules.
            isolation_level="AUTOCOMMIT",
        )

    def prepare(self) -> None:
        with self.connect() as connection:
            version, encoding = connection.exec_driver_sql(
                "SELECT current_setting('server_version_num')::int / 10000,"
                " current_setting('server_encoding')"
            ).one()
        if version < OLDEST_VERSION:
            raise self._unusable(f"PostgreSQL {version} is too old, {OLDEST_VERSION} or later is needed")
        if encoding != "UTF8":
            raise self._unusable(f"its encoding is {encoding}, and must be UTF8")

    def check(self, connection: Connection) -> None:
        pass  # its own affair; damage that it finds while reading is an error

    def attach(self) -> None:
        self.prepare()

    def set_aside(self) -> bool:
        return False

    def connect(self) -> Connection:
        connection = self._engine.connect()
        _driver(connection).adapters.register_dumper(int, _Integer)
        # Commits are durable, though the server's own configuration should say otherwise.
        settings = [f"set_config('{name}', '{value}', false)" for name, value in _SESSION.items()]
        durable = (
            "CASE current_setting('synchronous_commit')"
            " WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END"
        )
        connection.exec_driver_sql(f"SELECT {', '.join(settings)}, {durable}")
        connection.commit()
        return connection

    def listen(self) -> "PostgresListener":
        with self.errors():
            connection = self.connect()
            connection.exec_driver_sql(f"LISTEN {CHANNEL}")
            connection.exec_driver_sql(f"SELECT pg_advisory_lock_shared({PRESENCE_LOCK})")
            connection.commit()
            return PostgresListener(self, connection, ignored=self._origin)

    def take_turn(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({TURN_LOCK})")
        connection.commit()

    def end_turn(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_unlock({TURN_LOCK})")
        connection.commit()

    def begin_migration(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")

    def begin_restoration(self, connection: Connection) -> None:
        self.begin_migration(connection)
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PRESENCE_SECONDS}s'")
        try:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({PRESENCE_LOCK})")
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise
            text = f"a kubeling server is at work on the database {self._shown}: stop it first"
            raise DatabaseLocked(text) from error

    def begin_write(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def begin_read(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        driver = _driver(connection)
        with driver.pipeline(), driver.cursor() as cursor:
            _insert(cursor, rows, name=0)

    def append(self, connection: Connection, step: Step) -> None:
        driver = _driver(connection)
        with driver.pipeline(), driver.cursor() as cursor:
            _insert(cursor, step.rows, name=step.name)
            cursor.execute("UPDATE cluster SET revision = %b", (step.revision,), prepare=True)
            cursor.execute("SELECT pg_notify(%b, %b)", (CHANNEL, self._announcement(step)), prepare=True)

    def commit(self, connection: Connection, step: Step) -> bool:
        driver = _driver(connection)
        ((values, size),) = _padded(step.rows, step.name)
        driver.pgconn.consume_input()  # fails if the connection ended before: then nothing is in doubt
        place = (step.revision, step.after, step.identity)
        told = (CHANNEL, self._announcement(step))
        try:
            with self.errors(), driver.cursor() as cursor:
                cursor.execute(_commit_statement(size), (*place, *values, *told), prepare=True)
                return cursor.rowcount == 1
        except ConnectionLost as error:
            raise CommitInDoubt(str(error), step) from error

    def _announcement(self, step: Step) -> str:
        return f"{step.revision} {self._origin}"

    def was_committed(self, connection: Connection, step: Step) -> bool:
        # Not pg_xact_status: after a crash, transactions that left no trace have their numbers used again.
        with _driver(connection).cursor() as cursor:
            asked = "SELECT batch FROM revisions WHERE revision = %b"
            row = cursor.execute(asked, (step.revision,)).fetchone()
        return row is not None and row[0] == step.name

    def reclaim(self, connection: Connection) -> bool:
        return False  # autovacuum's work

    def checkpoint(self, connection: Connection) -> None:
        pass  # its own affair

    def size(self, connection: Connection) -> int:
        found = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
        connection.commit()
        return int(found)

    @contextmanager
    def errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self.translated(error.orig) from error
        except (psycopg.Error, OSError) as error:
            raise self.translated(error) from error

    def release(self) -> None:
        self._engine.dispose()

    def translated(self, error: BaseException | None) -> DatabaseError:
        code = getattr(error, "sqlstate", None) or ""
        text = " ".join(str(error).split())
        if not code and isinstance(error, psycopg.OperationalError | OSError):
            if any(words in text for words in _HOPELESS):
                return self._unusable(text)
            return ConnectionLost(f"the database {self._shown} cannot be reached: {text}")
        for length in (5, 4, 3, 2):
            if code[:length] in _CLASSES:
                kind, meaning = _CLASSES[code[:length]]
                return kind(f"the database {self._shown}: {meaning} ({text})")
        return DatabaseUnavailable(f"the database {self._shown}: it failed ({text})")

    def _unusable(self, why: str) -> DatabaseUnusable:
        return DatabaseUnusable(f"the database {self._shown} cannot be used: {why}")


class PostgresListener:
    def __init__(self, database: Postgres, connection: Connection, *, ignored: str) -> None:
        self._database = database
        self._connection = connection
        self._wire = _driver(connection).pgconn
        self._ignored = ignored

    def fileno(self) -> int:
        return self._wire.socket

    def received(self) -> Sequence[int]:
        with self._database.errors():
            self._wire.consume_input()
        found = []
        while notice := self._wire.notifies():
            revision, _, origin = notice.extra.decode().partition(" ")
            if origin != self._ignored:
                found.append(int(revision))
        return found

    def close(self) -> None:
        self._connection.invalidate()
        self._connection.close()


class _Integer(Dumper):
    """Every int is a bigint: by their values, as the driver would have it, statements have many forms."""

    format, oid = Format.BINARY, psycopg.postgres.types["int8"].oid

    def dump(self, obj: int) -> bytes:
        return _BIGINT.pack(obj)


def _driver(connection: Connection) -> "psycopg.Connection[Any]":
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _padded(rows: Sequence[Row], name: int) -> Iterator[tuple[list[object], int]]:
    return padded([(*row, name) for row in rows], padding=(*PADDING, name))


_ROW = f"({', '.join(['%b'] * (COLUMNS + 1))})"


@cache
def _insert_statement(size: int) -> str:
    return f"INSERT INTO revisions SELECT * FROM (VALUES {', '.join([_ROW] * size)}) v WHERE column1 > 0"


@cache
def _commit_statement(size: int) -> str:
    """All or nothing: the cluster's row is locked and moved on first."""
    return (
        "WITH moved AS (UPDATE cluster SET revision = %b WHERE revision = %b AND identity = %b RETURNING 1),"
        f" added AS ({_insert_statement(size)} AND EXISTS (SELECT FROM moved))"
        " SELECT pg_notify(%b, %b) FROM moved"
    )


def _insert(cursor: "psycopg.Cursor[Any]", rows: Sequence[Row], *, name: int) -> None:
    for values, size in _padded(rows, name):
        cursor.execute(_insert_statement(size), values, prepare=True)
