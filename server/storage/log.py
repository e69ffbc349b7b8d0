"""The SQL on the two tables: the log of revisions and the row about the cluster. It works on every database.

Each function takes a connection that is in a transaction. What differs between databases is in `database`
and its implementations; the tables are made in `migrations`.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    and_,
    case,
    column,
    delete,
    false,
    func,
    select,
    table,
    tuple_,
    update,
)

from server.storage.database import Database, Row
from server.storage.errors import Compacted, DatabaseUnusable
from server.storage.hub import Scope
from server.storage.record import Event, EventType, Record

REVISIONS = table(
    "revisions",
    column("revision", BigInteger),
    column("resource", String),
    column("namespace", String),
    column("name", String),
    column("uid", String),
    column("created_revision", BigInteger),
    column("deleted", Boolean),
    column("body"),
)
CLUSTER = table(
    "cluster",
    column("id", Integer),
    column("identity", String),
    column("revision", BigInteger),
    column("compacted_revision", BigInteger),
)

READ_ROWS = 2000
"""How many rows are held at a time where they are only passed on."""
_NEWEST = select(func.coalesce(func.max(REVISIONS.c.revision), 0)).scalar_subquery()
# The cluster's own revision lags behind where only one server writes: that saves every commit a page.
_REVISION = case((CLUSTER.c.revision < _NEWEST, _NEWEST), else_=CLUSTER.c.revision)
_READ_CLUSTER = select(CLUSTER.c.identity, _REVISION, CLUSTER.c.compacted_revision)
_LOCK_CLUSTER = _READ_CLUSTER.with_for_update()


@dataclass(frozen=True, slots=True)
class Cluster:
    identity: str
    revision: int
    compacted: int


def read_cluster(connection: Connection) -> Cluster | None:
    row = connection.execute(_READ_CLUSTER).one_or_none()
    return Cluster(*row) if row else None


def make_cluster(connection: Connection) -> Cluster:
    """The cluster's row, made now if the database is new."""
    found = read_cluster(connection)
    if found:
        return found
    cluster = Cluster(identity=str(uuid.uuid4()), revision=0, compacted=0)
    row = {"id": 1, "identity": cluster.identity, "revision": 0, "compacted_revision": 0}
    connection.execute(CLUSTER.insert(), row)
    return cluster


def require_cluster(connection: Connection) -> Cluster:
    return _found(read_cluster(connection))


def _found(cluster: Cluster | None) -> Cluster:
    if cluster is None:
        raise DatabaseUnusable("the database has been emptied: restore a backup, or start with a new one")
    return cluster


def lock_cluster(connection: Connection) -> Cluster:
    """The cluster's row, which no other writer changes before this transaction has ended."""
    row = connection.execute(_LOCK_CLUSTER).one_or_none()
    return _found(Cluster(*row) if row else None)


def current_revision(connection: Connection) -> int:
    """The newest revision; outside a transaction."""
    revision = require_cluster(connection).revision
    connection.commit()
    return revision


def insert(connection: Connection, database: Database, events: Iterable[Event]) -> None:
    """Add rows, and nothing else."""
    database.insert(connection, rows(events))


def clear(connection: Connection) -> None:
    """Delete every row."""
    connection.execute(delete(REVISIONS))


def set_cluster(connection: Connection, cluster: Cluster) -> None:
    values = {"revision": cluster.revision, "compacted_revision": cluster.compacted}
    connection.execute(update(CLUSTER).values(identity=cluster.identity, **values))


def rows(events: Iterable[Event]) -> list[Row]:
    """In the order of the table's columns."""
    return [_row(event.record, event.type == "DELETED") for event in events]


def _row(record: Record, deleted: bool) -> Row:
    return (
        record.revision,
        record.resource,
        record.namespace,
        record.name,
        record.uid,
        record.created_revision,
        deleted,
        record.body,
    )


_RECORD = (
    REVISIONS.c.resource,
    REVISIONS.c.namespace,
    REVISIONS.c.name,
    REVISIONS.c.uid,
    REVISIONS.c.revision,
    REVISIONS.c.created_revision,
    REVISIONS.c.body,
)
_KEY = (REVISIONS.c.resource, REVISIONS.c.namespace, REVISIONS.c.name)


def newest(connection: Connection) -> list[Record]:
    """The current objects, in no order that is promised: sorting them here would carry the bodies along."""
    rows = _newest(None).execution_options(yield_per=READ_ROWS)
    return list(_records(connection.execute(rows)))


def each_newest(connection: Connection) -> Iterator[Record]:
    """The current objects, oldest revision first, without holding them all."""
    rows = _newest(None).order_by(REVISIONS.c.revision).execution_options(yield_per=READ_ROWS)
    yield from _records(connection.execute(rows))


def _records(rows: Iterable[Any]) -> Iterator[Record]:
    """What many records have in common is held once."""
    for resource, namespace, name, uid, revision, created, body in rows:
        first = revision if created == revision else created
        yield Record(intern(resource), intern(namespace), name, uid, revision, first, body)


def _newest(where: ColumnElement[bool] | None) -> Select[Any]:
    """The newest row of each key among those that `where` selects, tombstones left out."""
    heads = select(func.max(REVISIONS.c.revision)).group_by(*_KEY)
    if where is not None:
        heads = heads.where(where)
    return select(*_RECORD).where(REVISIONS.c.revision.in_(heads), REVISIONS.c.deleted == false())


def has_garbage(connection: Connection, *, live: int) -> bool:
    """Whether there are rows besides the `live` objects' newest."""
    return connection.execute(select(func.count()).select_from(REVISIONS)).scalar_one() > live


def list_at(
    connection: Connection, scope: Scope, *, revision: int, after: tuple[str, str] | None, limit: int
) -> tuple[list[Record], int]:
    """Up to `limit` (0: all) objects as they were at a revision, following a key, and how many remain.

    Raises:
        Compacted: that state is no longer in the log.
    """
    _check_retained(connection, revision)
    where = and_(REVISIONS.c.resource == scope.resource, REVISIONS.c.revision <= revision)
    if scope.namespace is not None:
        where &= REVISIONS.c.namespace == scope.namespace
    if after is not None:
        where &= tuple_(REVISIONS.c.namespace, REVISIONS.c.name) > after
    rows = _newest(where)
    chunk = rows.order_by(*_KEY).limit(limit or None)
    records = list(_records(connection.execute(chunk)))
    if len(records) < limit or not limit:
        return records, 0
    total = connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one()
    return records, total - len(records)


_BEFORE = REVISIONS.alias("before")
_OLDER = REVISIONS.alias("older")


def events(
    connection: Connection, scope: Scope | None, *, after: int, through: int, limit: int
) -> tuple[Sequence[Event], int]:
    """Up to `limit` events of a scope (None: of everything), and the revision up to which they are complete.

    Raises:
        Compacted: some of them are no longer in the log.
    """
    _check_retained(connection, after)
    rows = connection.execute(_events(scope, after=after, through=through).limit(limit)).all()
    found = [_event(tuple(row)) for row in rows]
    return found, found[-1].revision if len(found) == limit else through


def _events(scope: Scope | None, *, after: int, through: int) -> Select[Any]:
    now = REVISIONS
    same_key = and_(*(_OLDER.c[part.name] == part for part in _KEY))
    newest_older = (
        select(func.max(_OLDER.c.revision))
        .where(same_key, _OLDER.c.revision < now.c.revision, now.c.created_revision != now.c.revision)
        .scalar_subquery()
    )
    rows = (
        select(now.c.deleted, *_RECORD, *(_BEFORE.c[part.name] for part in _RECORD))
        .join_from(now, _BEFORE, _BEFORE.c.revision == newest_older, isouter=True)
        .where(now.c.revision > after, now.c.revision <= through)
        .order_by(now.c.revision)
    )
    if scope is not None:
        # Concatenated, so that no planner prefers the index by key, and sorting, to the range of revisions.
        rows = rows.where(now.c.resource.concat("") == scope.resource)
        if scope.namespace is not None:
            rows = rows.where(now.c.namespace.concat("") == scope.namespace)
    return rows


def _event(row: Sequence[Any]) -> Event:
    width = len(_RECORD)
    record = Record(*row[1 : width + 1])
    previous = Record(*row[width + 1 :]) if row[width + 1] is not None else None
    kind: EventType = "DELETED" if row[0] else "MODIFIED" if previous else "ADDED"
    return Event(kind, record, previous)


def _check_retained(connection: Connection, revision: int) -> None:
    compacted = require_cluster(connection).compacted
    if revision < compacted:
        raise Compacted(requested=revision, compacted=compacted)


def compact(connection: Connection, *, through: int, width: int) -> int:
    """Forget history up to `through`, but at most `width` revisions of it; the compacted revision then.

    A revision supersedes the rows of its key before it, and a tombstone also itself. That the compacted
    revision moves in the same transaction makes an interrupted compaction resume where it stopped.
    """
    cluster = lock_cluster(connection)
    low = cluster.compacted
    high = min(low + width, through)
    if high <= low:
        return low
    later = REVISIONS.alias("later")
    same_key = and_(*(_OLDER.c[part.name] == later.c[part.name] for part in _KEY))
    superseded = (
        select(_OLDER.c.revision)
        .join_from(later, _OLDER, and_(same_key, _OLDER.c.revision < later.c.revision))
        .where(later.c.revision > low, later.c.revision <= high)
    )
    tombstones = select(later.c.revision).where(
        later.c.revision > low, later.c.revision <= high, later.c.deleted != false()
    )
    doomed = superseded.union_all(tombstones)
    connection.execute(delete(REVISIONS).where(REVISIONS.c.revision.in_(doomed)))
    connection.execute(update(CLUSTER).values(compacted_revision=high, revision=cluster.revision))
    return high
