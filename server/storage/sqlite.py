"""SQLite: its files, locks, pragmas and error codes. The SQL that works on every database is in `log`."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from server.storage.database import Listener, Row, Step
from server.storage.errors import DatabaseError, DatabaseLocked, DatabaseUnavailable, DatabaseUnusable
from server.storage.insertion import COLUMNS, padded

BUSY_SECONDS = 5.0
KEPT_FREE_PAGES = 256
"""Free pages that stay in the file for the next writes, so that it does not shrink and grow in turns."""
RECLAIMED_PAGES = 512
WAL_PAGES = 4000
"""Beyond this a commit copies the rest of the write-ahead log into the database, so that it begins anew."""
WAL_BYTES = 4096 * WAL_PAGES
"""The size to which its file is cut back after a burst."""
FULL_BYTES = 128 * 1024
"""With less room on its disk, whatever SQLite fails at is for want of room."""

_PRAGMAS = ("synchronous=FULL", f"wal_autocheckpoint={WAL_PAGES}", f"journal_size_limit={WAL_BYTES}")
_MEANINGS: dict[str, tuple[type[DatabaseError], str]] = {
    "BUSY": (DatabaseLocked, "another process holds a lock on it"),
    "LOCKED": (DatabaseLocked, "another process holds a lock on it"),
    "NOTADB": (DatabaseUnusable, "it is not a database"),
    "CORRUPT": (DatabaseUnusable, "it is damaged"),
    "FORMAT": (DatabaseUnusable, "it is damaged"),
    "READONLY": (DatabaseUnusable, "it cannot be written"),
    "CANTOPEN": (DatabaseUnusable, "it cannot be opened"),
    "PERM": (DatabaseUnusable, "access to it is denied"),
    "FULL": (DatabaseUnavailable, "the disk is full"),
    "IOERR": (DatabaseUnavailable, "reading or writing it failed"),
}


class SQLite:
    """One file (`-wal`, `-shm` and `-lock` beside it), readable by its owner alone, for one store at a time.

    Only one, because SQLite tells nobody of another process's writes: a second server would serve old state.
    """

    shared = False

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._lock: int | None = None
        self._file = (0, 0)
        """Device and inode."""
        self._engine = create_engine(
            URL.create("sqlite+pysqlite", database=path),
            poolclass=NullPool,
            # Transactions are begun and ended here, not by the driver's own rules.
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False, "isolation_level": None},
        )

    def prepare(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._take_lock()
        # SQLite gives -wal and -shm the mode of the database, so that one must be right from the first byte.
        for path in (self._path, self._beside("-wal"), self._beside("-shm")):
            self._make_private(path, create=path == self._path)
        self._file = os.stat(self._path)[1:3]
        with self.connect() as connection:
            connection.exec_driver_sql(
                "PRAGMA auto_vacuum=INCREMENTAL"
            )  # in effect only before the first table
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")

    def check(self, connection: Connection) -> None:
        ((damage,),) = _driver(connection).execute("PRAGMA integrity_check(1)").fetchall()
        if damage != "ok":
            raise DatabaseUnusable(f"the database {self._path}: it is damaged ({damage})")

    def attach(self) -> None:
        if not self._path.exists():
            raise DatabaseUnusable(f"there is no database {self._path}")

    def set_aside(self) -> bool:
        for suffix in ("", "-wal", "-shm"):
            file = self._beside(suffix)
            if file.exists():
                file.rename(f"{file}.damaged")
        return True

    def connect(self) -> Connection:
        connection = self._engine.connect()
        for pragma in _PRAGMAS:
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        connection.commit()
        return connection

    def listen(self) -> Listener:
        raise NotImplementedError("nobody else writes")

    def take_turn(self, connection: Connection) -> None:
        raise NotImplementedError("there are no others")

    def end_turn(self, connection: Connection) -> None:
        raise NotImplementedError("there are no others")

    def begin_migration(self, connection: Connection) -> None:
        self.begin_write(connection)

    def begin_restoration(self, connection: Connection) -> None:
        self.begin_write(connection)

    def begin_write(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def begin_read(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        _insert(_driver(connection), rows)

    def append(self, connection: Connection, step: Step) -> None:
        _insert(_driver(connection), step.rows)

    def commit(self, connection: Connection, step: Step) -> bool:
        # One statement is a transaction. Its lock, and that rows' revisions are unique, make up for the rest.
        if os.stat(self._path)[1:3] != self._file:
            raise DatabaseUnusable(f"the database {self._path} was put there anew while in use: start again")
        try:
            _insert(_driver(connection), step.rows)
        except sqlite3.IntegrityError:
            return False
        return True

    def was_committed(self, connection: Connection, step: Step) -> bool:
        raise NotImplementedError("no connection to a file is ever lost")

    def checkpoint(self, connection: Connection) -> None:
        _driver(connection).execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def size(self, connection: Connection) -> int:
        files = (self._path, self._beside("-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def reclaim(self, connection: Connection) -> bool:
        free = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
        connection.commit()
        excess = min(free - KEPT_FREE_PAGES, RECLAIMED_PAGES)
        if excess <= 0:
            return False
        # Frees one page a step, and only executescript steps through to the end.
        _driver(connection).executescript(f"PRAGMA incremental_vacuum({excess})")
        return True

    @contextmanager
    def errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._translated(error.orig) from error
        except (sqlite3.Error, OSError) as error:
            raise self._translated(error) from error

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    def _take_lock(self) -> None:
        lock = os.open(self._beside("-lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise DatabaseLocked(f"the database {self._path} is in use by another kubeling server") from error
        self._lock = lock

    def _make_private(self, path: Path, *, create: bool) -> None:
        if create or path.exists():
            file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            os.fchmod(file, 0o600)
            os.close(file)

    def _translated(self, error: BaseException | None) -> DatabaseError:
        if isinstance(error, OSError):
            return DatabaseUnusable(f"the database {self._path} cannot be opened: {error.strerror}")
        name = getattr(error, "sqlite_errorname", "")
        kind, meaning = _MEANINGS.get(
            name.removeprefix("SQLITE_").partition("_")[0], (DatabaseUnavailable, "")
        )
        if name.startswith("SQLITE_IOERR") and self._is_disk_full():
            meaning = "the disk is full"
        return kind(f"the database {self._path}: {meaning or 'it failed'} ({error})")

    def _is_disk_full(self) -> bool:
        """SQLite does not always say so, as when it is the file of its index that cannot grow."""
        try:
            free = os.statvfs(self._path.parent)
        except OSError:
            return False
        return free.f_bavail * free.f_frsize < FULL_BYTES


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


_ROW = f"({', '.join('?' * COLUMNS)})"


@cache
def _statement(size: int) -> str:
    values = ", ".join([_ROW] * size)
    return f"INSERT INTO revisions SELECT * FROM (VALUES {values}) WHERE column1 > 0"


def _insert(driver: sqlite3.Connection, rows: Sequence[Row]) -> None:
    for values, size in padded(rows):
        driver.execute(_statement(size), values)
