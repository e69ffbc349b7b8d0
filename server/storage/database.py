"""What differs between databases, as one protocol; `sqlite` implements it. All other SQL is in `log`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError

from server.storage.errors import DatabaseUnusable


class Database(Protocol):
    """Called from worker threads; a connection is used by one thread at a time."""

    def prepare(self) -> None:
        """Make sure that the database can be connected to; called once, first."""

    def connect(self) -> Connection: ...

    def begin_write(self, connection: Connection) -> None:
        """Start a transaction that holds the lock which orders all writers, those of other processes too."""

    def begin_read(self, connection: Connection) -> None:
        """Start a transaction that sees one state of the database throughout."""

    def insert(self, connection: Connection, table: str, rows: Sequence[Sequence[object]]) -> None:
        """Insert whole rows, in as few calls of the driver as can be.

        Each call gives up Python's interpreter lock and must get it back from a busy event loop.
        """

    def reclaim(self, connection: Connection) -> bool:
        """Return some space that deleted rows held, in a few milliseconds; whether there is more to do.

        Called outside transactions.
        """

    def errors(self) -> AbstractContextManager[None]:
        """Translates errors of driver, SQLAlchemy and system to subclasses of DatabaseError."""

    def release(self) -> None:
        """Give up what `prepare` took; called once, after all connections are closed."""


def database(url: str) -> Database:
    """The database behind a datastore URL.

    Raises:
        DatabaseUnusable: no such kind of database is supported, or the URL is malformed.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseUnusable(
            f"the datastore {url!r} is not a URL such as sqlite:////path/to/file"
        ) from error
    if parsed.get_backend_name() != "sqlite":
        shown = parsed.render_as_string(hide_password=True)
        raise DatabaseUnusable(f"the datastore {shown!r} is not supported: use sqlite:////path/to/file")
    return _sqlite(parsed)


def _sqlite(url: URL) -> Database:
    from server.storage.sqlite import SQLite

    if not url.database or url.database == ":memory:":
        raise DatabaseUnusable(f"the datastore {str(url)!r} names no file: use sqlite:////path/to/file")
    return SQLite(url.database)
