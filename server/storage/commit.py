"""Decides and commits one batch of writes, and catches up: what runs inside the writer's transactions.

The compare-and-swaps are decided against the state in memory, brought up to what other processes wrote and
to what the batch itself wrote before. Memory is not touched: the event loop applies the outcome after the
commit.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from sys import intern

import orjson
from sqlalchemy import Connection

from kubeling.objects.meta import Object
from server.storage import log
from server.storage.database import Database, Step
from server.storage.errors import (
    CommitInDoubt,
    DatabaseUnusable,
    InvalidObject,
    KeyExists,
    KeyNotFound,
    RevisionConflict,
    StorageError,
)
from server.storage.record import Event, Key, Record
from server.storage.state import State


@dataclass(slots=True, eq=False)
class Write:
    """One caller's wish."""

    key: Key
    done: asyncio.Future[Record] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def decide(self, current: Record | None, *, revision: int) -> Event:
        """What happens at `revision`, given the object as it then is.

        Raises:
            StorageError: nothing does; this is the caller's answer.
        """
        raise NotImplementedError

    def resolve(self, outcome: Record | StorageError) -> None:
        """Answer the caller, unless it was cancelled."""
        if self.done.done():
            return
        if isinstance(outcome, StorageError):
            self.done.set_exception(outcome)
        else:
            self.done.set_result(outcome)


@dataclass(slots=True, eq=False, kw_only=True)
class Create(Write):
    obj: Object

    def decide(self, current: Record | None, *, revision: int) -> Event:
        if current is not None:
            raise KeyExists(f"{_shown(self.key)} exists")
        return Event("ADDED", _record(self.key, self.obj, revision=revision, created=revision), None)


@dataclass(slots=True, eq=False, kw_only=True)
class Update(Write):
    obj: Object
    expected: int | None

    def decide(self, current: Record | None, *, revision: int) -> Event:
        found = _expected(self.key, current, self.expected)
        record = _record(self.key, self.obj, revision=revision, created=found.created_revision)
        return Event("MODIFIED", record, found)


@dataclass(slots=True, eq=False, kw_only=True)
class Delete(Write):
    obj: Object | None
    expected: int | None

    def decide(self, current: Record | None, *, revision: int) -> Event:
        found = _expected(self.key, current, self.expected)
        final = self.obj if self.obj is not None else found.copy()
        record = _record(self.key, final, revision=revision, created=found.created_revision)
        return Event("DELETED", record, found)


def _expected(key: Key, current: Record | None, expected: int | None) -> Record:
    if current is None:
        raise KeyNotFound(f"{_shown(key)} does not exist")
    if expected is not None and expected != current.revision:
        raise RevisionConflict(expected=expected, actual=current.revision)
    return current


def _shown(key: Key) -> str:
    return " ".join((key.resource, "/".join(filter(None, key[1:]))))


def _record(key: Key, obj: Object, *, revision: int, created: int) -> Record:
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        raise InvalidObject(f"{_shown(key)} has no metadata")
    own = {**metadata, "resourceVersion": str(revision)}
    numbered = {**obj, "metadata": own}
    try:
        body = orjson.dumps(numbered)
    except orjson.JSONEncodeError as error:
        raise InvalidObject(f"{_shown(key)} cannot be encoded: {error}") from error
    own.pop("managedFields", None)
    uid, namespace = str(metadata.get("uid") or ""), intern(key.namespace)
    return Record(key.resource, namespace, key.name, uid, revision, created, body, fresh=numbered)


class Overtaken(Exception):
    """The events between memory and the log have been compacted: memory must be read anew (`reload`)."""


@dataclass(slots=True)
class Batch:
    """What one transaction did: the events to apply, and each caller's answer."""

    revision: int
    compacted: int
    events: list[Event] = field(default_factory=list)
    outcomes: list[tuple[Write, Record | StorageError]] = field(default_factory=list)
    step: Step | None = None
    """What was written, if anything was."""

    @property
    def caught_up_to(self) -> int:
        """Up to where others had written."""
        return self.step.after if self.step is not None else self.revision


@dataclass(slots=True)
class Reload:
    """The whole state, for a store that was out of touch for longer than history is kept."""

    cluster: log.Cluster
    records: Sequence[Record]


class Committing:
    """The writer's transactions on one database and the state in memory."""

    def __init__(self, database: Database, state: State, *, identity: str) -> None:
        self._database = database
        self._state = state
        self._identity = identity

    def try_commit(self, connection: Connection, writes: Sequence[Write]) -> Batch | None:
        """Decide the writes by what memory holds and insert what they did, in a transaction of its own.

        None, and nothing was written, if memory does not hold all, or may not, and has a say in it.

        Raises:
            CommitInDoubt: the database was lost meanwhile; its result is the batch.
        """
        batch = Batch(self._state.revision, 0)
        self._decide(batch, writes)
        if self._database.shared and len(batch.events) < len(writes):
            return None
        if batch.step is None:
            return batch
        try:
            return batch if self._database.commit(connection, batch.step) else None
        except CommitInDoubt as doubt:
            raise CommitInDoubt(str(doubt), batch) from doubt

    def commit(self, connection: Connection, writes: Sequence[Write]) -> Batch:
        """Catch up with others, decide the writes and insert what they did, in the caller's transaction.

        Raises:
            Overtaken: nothing was written.
        """
        batch = self._caught_up(connection, log.lock_cluster(connection))
        self._decide(batch, writes)
        if batch.step is not None:
            self._database.append(connection, batch.step)
        return batch

    def _decide(self, batch: Batch, writes: Sequence[Write]) -> None:
        """Add what the writes do, in their order and with gap-free revisions, to what others did."""
        reached, others = batch.revision, len(batch.events)
        changed = {event.record.key: _after(event) for event in batch.events}
        for write in writes:
            current = changed[write.key] if write.key in changed else self._state.get(write.key)
            try:
                event = write.decide(current, revision=batch.revision + 1)
            except StorageError as refusal:
                batch.outcomes.append((write, refusal))
                continue
            batch.revision += 1
            batch.events.append(event)
            batch.outcomes.append((write, event.record))
            changed[write.key] = _after(event)
        if batch.revision > reached:
            rows = log.rows(batch.events[others:])
            batch.step = Step(self._identity, reached, batch.revision, rows, secrets.randbits(63))

    def catch_up(self, connection: Connection) -> Batch:
        """What others have done, without a lock; memory is applied in order all the same.

        Raises:
            Overtaken: history does not reach back so far.
        """
        return self._caught_up(connection, log.require_cluster(connection))

    def reload(self, connection: Connection) -> Reload:
        """Everything, in a transaction that sees one state."""
        cluster = log.require_cluster(connection)
        self._check(cluster)
        return Reload(cluster, log.newest(connection))

    def was_committed(self, connection: Connection, batch: Batch) -> bool | None:
        """What became of a batch whose connection was lost; None: history no longer shows it."""
        if batch.step is None:
            return True
        if log.lock_cluster(connection).compacted >= batch.revision:
            return None
        return self._database.was_committed(connection, batch.step)

    def _caught_up(self, connection: Connection, cluster: log.Cluster) -> Batch:
        self._check(cluster)
        batch = Batch(cluster.revision, cluster.compacted)
        reached = self._state.revision
        if cluster.revision == reached:
            return batch
        if reached < cluster.compacted:
            raise Overtaken
        missed = cluster.revision - reached
        found, _ = log.events(connection, None, after=reached, through=cluster.revision, limit=missed)
        batch.events += found
        return batch

    def _check(self, cluster: log.Cluster) -> None:
        """
        Raises:
            DatabaseUnusable: this is not the database that memory was read from.
        """
        if cluster.identity != self._identity or cluster.revision < self._state.revision:
            raise DatabaseUnusable(
                "the database has been replaced by another, or by an older state of itself, while this server"
                " was running: start it again"
            )


def _after(event: Event) -> Record | None:
    return None if event.type == "DELETED" else event.record
