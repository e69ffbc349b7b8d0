"""Puts the objects of a backup in the place of all that a database holds, in one transaction.

Revisions go on far beyond those of the backup and of the database: whoever remembers a revision from before,
even one that the backup never saw, is told that it is gone (410) and lists anew, instead of waiting for it.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from server.storage import archive, log
from server.storage.archive import Header
from server.storage.database import Database
from server.storage.errors import DatabaseUnusable
from server.storage.migrate import migrate
from server.storage.record import Event, Record

REVISION_STEP = 1_000_000_000
"""More than a cluster writes between a backup and its restoration, as etcd's operators choose it."""
CHUNK = 512


class Refused(Exception):
    """The database holds objects already."""


def restore(target: Database, path: Path, *, force: bool) -> tuple[Header, int]:
    """What the file was about, and the revision at which the cluster goes on.

    Without `force` only a database without objects is filled. With it, a damaged one is set aside.

    Raises:
        ArchiveError: the file is not a whole backup; nothing was touched.
        Refused: the database holds objects, and `force` was not given.
        DatabaseError: the database cannot be written, or a server is at work on it.
    """
    header, _ = archive.check(path)
    try:
        return header, _restored(target, path, header, force=force)
    except DatabaseUnusable:
        target.release()
        if not force or not target.set_aside():
            raise
    return header, _restored(target, path, header, force=force)


def _restored(target: Database, path: Path, header: Header, *, force: bool) -> int:
    try:
        with target.errors():
            target.prepare()
            with target.connect() as connection:
                target.check(connection)
                with connection.begin():
                    target.begin_restoration(connection)
                    revision = _replace(connection, target, path, header, force=force)
                while target.reclaim(connection):
                    pass
            return revision
    finally:
        target.release()


def _replace(connection: Connection, target: Database, path: Path, header: Header, *, force: bool) -> int:
    migrate(connection)
    before = log.require_cluster(connection)
    if before.revision and not force:
        raise Refused
    revision = max(before.revision, header.revision) + REVISION_STEP
    log.clear(connection)
    for chunk in _chunks(archive.records(path)):
        log.insert(connection, target, (Event("ADDED", record, None) for record in chunk))
    log.set_cluster(connection, log.Cluster(header.identity, revision, revision))
    return revision


def _chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    remaining = iter(records)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk
