"""Writes all current objects of a database, as of one revision, to a file; a server may be at work on it."""

from datetime import datetime
from pathlib import Path

from kubeling.version import VERSION
from server.storage import archive, log
from server.storage.archive import Header
from server.storage.database import Database
from server.storage.errors import DatabaseUnusable
from server.storage.migrate import at_head


def backup(source: Database, path: Path, *, now: datetime) -> tuple[Header, int]:
    """What the file is about, and how many objects it holds.

    Raises:
        DatabaseError: the database cannot be read.
        ArchiveError: the file cannot be written.
    """
    with source.errors():
        source.attach()
        with source.connect() as connection, connection.begin():
            source.begin_read(connection)
            if not at_head(connection):
                raise DatabaseUnusable(
                    "the database is empty or of an older kubeling: start the cluster once"
                )
            cluster = log.require_cluster(connection)
            header = Header(cluster.identity, cluster.revision, now.isoformat(timespec="seconds"), VERSION)
            return header, archive.write(path, header, log.each_newest(connection))
