"""PostgreSQL 15 and later: its connections, locks, announcements and error codes.

Several servers may share a database. The row of `cluster` is the lock that orders their writers, and each
commit is announced to the others with NOTIFY. The SQL that works on every database is in `log`.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import psycopg
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from server.storage.database import Row
from server.storage.errors import (
    ConnectionLost,
    DatabaseError,
    DatabaseLocked,
    DatabaseUnavailable,
    DatabaseUnusable,
)

OLDEST_VERSION = 15
CHANNEL = "kubeling"
MIGRATION_LOCK, PRESENCE_LOCK, TURN_LOCK = 7_362_001, 7_362_002, 7_362_003
"""Advisory locks: held while migrating; shared by all servers at work; held while setting the cluster up."""
PRESENCE_SECONDS = 2
"""How long a server that has just ended may take to be gone."""
INSERTED_ROWS = (64, 16, 4, 1)
"""How many rows one statement inserts: some sizes only, so that the server finds each statement prepared."""

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

    def attach(self) -> None:
        self.prepare()

    def set_aside(self) -> bool:
        return False

    def connect(self) -> Connection:
        connection = self._engine.connect()
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

    def insert(self, connection: Connection, table: str, rows: Sequence[Row]) -> None:
        driver = _driver(connection)
        with driver.pipeline(), driver.cursor() as cursor:
            _insert(cursor, table, rows)

    def append(self, connection: Connection, rows: Sequence[Row], *, revision: int) -> int:
        driver, batch = _driver(connection), secrets.randbits(63)
        with driver.pipeline(), driver.cursor() as cursor:
            _insert(cursor, "revisions", [(*row, batch) for row in rows])
            cursor.execute("UPDATE cluster SET revision = %s", (revision,))
            cursor.execute("SELECT pg_notify(%s, %s)", (CHANNEL, f"{revision} {self._origin}"))
        return batch

    def was_committed(self, connection: Connection, batch: int, *, revision: int) -> bool:
        # Not pg_xact_status: after a crash, transactions that left no trace have their numbers used again.
        with _driver(connection).cursor() as cursor:
            row = cursor.execute("SELECT batch FROM revisions WHERE revision = %s", (revision,)).fetchone()
        return row is not None and row[0] == batch

    def reclaim(self, connection: Connection) -> bool:
        return False  # autovacuum's work

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


def _driver(connection: Connection) -> "psycopg.Connection[Any]":
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _insert(cursor: "psycopg.Cursor[Any]", table: str, rows: Sequence[Row]) -> None:
    start = 0
    while start < len(rows):
        size = next(size for size in INSERTED_ROWS if size <= len(rows) - start)
        row = f"({', '.join(['%b'] * len(rows[0]))})"
        values = tuple(chain.from_iterable(rows[start : start + size]))
        cursor.execute(f"INSERT INTO {table} VALUES {', '.join([row] * size)}", values)
        start += size
