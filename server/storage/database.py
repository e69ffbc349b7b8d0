"""What differs between databases, as one protocol: `sqlite` and `postgres`. All other SQL is in `log`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError

from server.storage.errors import DatabaseUnusable

Row = Sequence[object]
"""A row of the log, in the order of the table's columns."""


@dataclass(frozen=True, slots=True)
class Step:
    """Rows that lead the log of a cluster from one revision to another."""

    identity: str
    after: int
    revision: int
    rows: Sequence[Row]
    name: int
    """For `Database.was_committed`."""


class Listener(Protocol):
    """A connection on which other servers' commits are announced. Used on the event loop; never blocks."""

    def fileno(self) -> int:
        """Readable when `received` has something to say."""

    def received(self) -> Sequence[int]:
        """The revisions that other stores announced since the last call.

        Raises:
            ConnectionLost: announcements may have been missed from now on.
        """

    def close(self) -> None: ...


class Database(Protocol):
    """Called from worker threads; a connection is used by one thread at a time."""

    @property
    def shared(self) -> bool:
        """Whether other servers may use it at the same time; if not, `prepare` keeps them away."""

    def prepare(self) -> None:
        """Make sure that the database can be used; called once, first."""

    def check(self, connection: Connection) -> None:
        """Look for damage everywhere, as far as that takes seconds at most. Called outside transactions.

        Raises:
            DatabaseUnusable: there is some.
        """

    def attach(self) -> None:
        """Make sure that there is something to be read, perhaps beside a server; instead of `prepare`."""

    def set_aside(self) -> bool:
        """Put a damaged database out of the way, where that can be done; called after `release`."""

    def connect(self) -> Connection: ...

    def listen(self) -> Listener:
        """Begin to hear of other servers' commits; of a shared database only."""

    def take_turn(self, connection: Connection) -> None:
        """Wait until no other server has the turn to set the cluster up; of a shared database only."""

    def end_turn(self, connection: Connection) -> None:
        """Give it to the next; a lost connection does that, too."""

    def begin_migration(self, connection: Connection) -> None:
        """Start a transaction that keeps other servers from migrating; there may be no tables yet."""

    def begin_restoration(self, connection: Connection) -> None:
        """Start a transaction that may replace everything.

        Raises:
            DatabaseLocked: a server is at work on the database.
        """

    def begin_write(self, connection: Connection) -> None:
        """Start a transaction; it, or `log.lock_cluster`, takes the lock that orders all writers."""

    def begin_read(self, connection: Connection) -> None:
        """Start a transaction that sees one state of the database throughout."""

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Add rows to the log, and nothing else."""

    def append(self, connection: Connection, step: Step) -> None:
        """Add to the log, and announce that to other servers: part of a transaction that has the lock."""

    def commit(self, connection: Connection, step: Step) -> bool:
        """As `append`, but all in one call, with a transaction of its own.

        False, and nothing was written, if the log is not where the step begins.

        Raises:
            CommitInDoubt: the connection was lost meanwhile.
        """

    def was_committed(self, connection: Connection, step: Step) -> bool:
        """Whether the row of its last revision, which is retained, is the step's; asked under the lock."""

    def reclaim(self, connection: Connection) -> bool:
        """Return some space that deleted rows held, in a few milliseconds; whether there is more to do.

        Called outside transactions.
        """

    def checkpoint(self, connection: Connection) -> None:
        """Move what was logged ahead to its place, as far as nobody has to wait for that.

        Called outside transactions, on a connection that does not write.
        """

    def size(self, connection: Connection) -> int:
        """The bytes that the database takes. Called outside transactions."""

    def errors(self) -> AbstractContextManager[None]:
        """Translates errors of driver, SQLAlchemy and system to subclasses of DatabaseError."""

    def release(self) -> None:
        """Give up what `prepare` took; called once, after all connections are closed."""


_FORMS = "use sqlite:////path/to/file or postgresql://user@host/database"


def database(url: str) -> Database:
    """The database behind a datastore URL.

    Raises:
        DatabaseUnusable: no such kind of database is supported, or the URL is malformed.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        shown = url.partition("://")[0] + "://..." if "@" in url else url
        raise DatabaseUnusable(f"the datastore {shown!r} is not a URL: {_FORMS}") from error
    kind = parsed.drivername
    if kind in ("sqlite", "sqlite+pysqlite"):
        return _sqlite(parsed)
    if kind in ("postgresql", "postgres", "postgresql+psycopg"):
        return _postgres(parsed)
    shown = parsed.render_as_string(hide_password=True)
    raise DatabaseUnusable(f"the datastore {shown!r} is not supported: {_FORMS}")


def _sqlite(url: URL) -> Database:
    from server.storage.sqlite import SQLite

    if not url.database or url.database == ":memory:":
        raise DatabaseUnusable(f"the datastore {str(url)!r} names no file: {_FORMS}")
    return SQLite(url.database)


def _postgres(url: URL) -> Database:
    try:
        from server.storage.postgres import Postgres
    except ImportError as error:
        raise DatabaseUnusable(f"PostgreSQL's driver cannot be loaded: {error}") from error
    return Postgres(url)
