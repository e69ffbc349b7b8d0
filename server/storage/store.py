"""The store: the package's face. It wires log, state, hub, writer and compaction together.

Reads are answered from memory at once; history comes from the log. Everything is called on one event loop.
Higher meaning (kinds, validation, selectors, resourceVersion rules of the API) is the registry's.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Self

from sqlalchemy import Connection

from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from server.storage import log
from server.storage.checkpoint import Checkpoints
from server.storage.commit import Batch, Committing, Create, Delete, Reload, Update
from server.storage.compaction import Compaction
from server.storage.database import Database, database
from server.storage.errors import Compacted, DatabaseError, FutureRevision
from server.storage.follow import Follower
from server.storage.freshness import Freshness
from server.storage.hub import Hub, Scope
from server.storage.lane import Lane
from server.storage.limits import DEFAULT_LIMITS, Limits
from server.storage.migrate import at_head, migrate
from server.storage.newest import Newest
from server.storage.outage import Outage
from server.storage.record import Event, Key, Record
from server.storage.state import State
from server.storage.usage import Usage
from server.storage.watch import Watch
from server.storage.writer import Writer

REPLAY_CHUNK = 500


class Store:
    """Objects by (resource, namespace, name), every change at its own revision: 1, 2, 3, without gaps.

    A write is durable when its call returns, and every read after that sees it. An object given to a write
    must not be changed by the caller until the call has returned; the store does not change it.
    """

    def __init__(
        self,
        opened: "_Opened",
        *,
        database: Database,
        lanes: "Lanes",
        clock: Clock,
        limits: Limits,
    ) -> None:
        cluster = opened.cluster
        self.cluster_id = cluster.identity
        self.shared = database.shared
        """Whether other servers write to the database, so that readers must ask for `fresh` state."""
        self._lanes = lanes
        self._database = database
        self._limits = limits
        self._state = State(opened.records, revision=cluster.revision)
        self._newest = Newest()
        self._hub = Hub(revision=cluster.revision, clock=clock, limits=limits)
        self._compaction = Compaction(
            lanes.writing, database, clock, compacted=cluster.compacted, limits=limits
        )
        self._compaction.committed(cluster.revision, garbage=opened.garbage)
        self._checkpoints = Checkpoints(lanes.asking, database)
        self._outage = outage = Outage()
        self._writer = Writer(
            lanes.writing,
            Committing(database, self._state, identity=cluster.identity),
            applied=self._applied,
            reloaded=self._reloaded,
            outage=outage,
            clock=clock,
            limits=limits,
            revision=cluster.revision,
        )
        self._tasks = Tasks("storage")
        self._running = self._tasks.start(self._writer.run(self._tasks), name="writer")
        self._freshness = Freshness(lanes.asking, self._writer.reach)
        if self.shared:
            follower = Follower(
                database, clock, outage, reach=self._writer.reach, fresh=self._freshness.fresh
            )
            self._tasks.start(self._freshness.run(), name="freshness")
            self._tasks.start(follower.run(), name="follower")

    @classmethod
    async def open(cls, url: str, *, clock: Clock, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Connect, bring the schema up to date, and read the current objects.

        Raises:
            DatabaseError: the datastore is unsupported, damaged, not accessible, in use by another server,
                or written by a newer kubeling.
        """
        chosen = database(url)
        lanes = Lanes.of(chosen)
        try:
            opened = await _open(chosen, lanes)
            return cls(opened, database=chosen, lanes=lanes, clock=clock, limits=limits)
        except BaseException:
            await lanes.close()
            chosen.release()
            raise

    @property
    def revision(self) -> int:
        """The newest revision."""
        return self._state.revision

    @property
    def idle(self) -> bool:
        """Whether no write waits or is under way."""
        return self._writer.idle

    @property
    def failing(self) -> bool:
        """Whether the database failed when it was needed last."""
        return self._outage.lasts

    @property
    def compacted_revision(self) -> int:
        """The oldest revision whose state can be listed and after which events can be watched."""
        return self._compaction.compacted

    async def fresh(self) -> None:
        """Wait until reads show all that any server had acknowledged by now: for linearizable reads.

        Needed only while the store is `shared`; otherwise they always do.

        Raises:
            DatabaseError: the database does not say.
            StoreClosed: the store has been closed.
        """
        if self.shared:
            await self._freshness.fresh()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """While one server sets the cluster up, others that start wait: each finds what the one before made.

        Raises:
            DatabaseError: the turn did not come, or the database does not answer.
        """
        if not self.shared:
            yield
            return
        await self._lanes.asking.direct(self._database.take_turn)
        try:
            yield
        finally:
            await self._lanes.asking.direct(self._database.end_turn)

    def get(self, resource: str, namespace: str, name: str) -> Record | None:
        return self._state.get(Key(resource, namespace, name))

    def list(self, resource: str, namespace: str | None = None) -> Sequence[Record]:
        """The current objects by (namespace, name); later writes do not change the answer."""
        return self._state.list(resource, namespace)

    def changes(self, resource: str, *, after: int) -> Sequence[Event] | None:
        """What has happened to a resource since a revision, oldest first; None: it is not remembered."""
        history = self._hub.history(resource)
        return history.after(after) if after >= history.floor else None

    async def list_at(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        revision: int,
        after: tuple[str, str] | None = None,
        limit: int = 0,
    ) -> tuple[Sequence[Record], int]:
        """Up to `limit` (0: all) objects as they were at `revision`, and how many more there were.

        `after` is the (namespace, name) of the last object of the chunk before.

        Raises:
            Compacted, FutureRevision: that state is not, or not yet, known.
            DatabaseError: the log cannot be read.
        """
        self._check_known(revision)
        scope = Scope(resource, namespace)
        history = self._hub.history(resource)
        if history.newest <= revision:
            return _chunk(self._state.list(resource, namespace), after=after, limit=limit)
        return await self._lanes.reading.read(
            partial(log.list_at, scope=scope, revision=revision, after=after, limit=limit)
        )

    async def create(self, resource: str, namespace: str, name: str, obj: Object) -> Record:
        """Add an object.

        Raises:
            KeyExists: there is one of that name.
            InvalidObject, QueueFull, StoreClosed, DatabaseError: as all writes.
        """
        return await self._writer.submit(Create(Key(resource, namespace, name), obj=obj))

    async def update(
        self, resource: str, namespace: str, name: str, obj: Object, *, expected: int | None
    ) -> Record:
        """Replace an object that is at the revision `expected` (None: at any).

        Raises:
            KeyNotFound, RevisionConflict: it is not there, or at another revision.
            InvalidObject, QueueFull, StoreClosed, DatabaseError: as all writes.
        """
        return await self._writer.submit(Update(Key(resource, namespace, name), obj=obj, expected=expected))

    async def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        expected: int | None,
        obj: Object | None = None,
    ) -> Record:
        """Remove an object that is at the revision `expected` (None: at any); its final state.

        That state is `obj`, or the current one, at the deletion's own revision.

        Raises:
            As `update`.
        """
        return await self._writer.submit(Delete(Key(resource, namespace, name), obj=obj, expected=expected))

    def watch(self, resource: str, *, namespace: str | None = None, since: int) -> Watch:
        """Every event after the revision `since`, in order; the caller closes the watch.

        Raises:
            Compacted, FutureRevision: the events since then are not, or not yet, known.
        """
        self._check_known(since)
        scope = Scope(resource, namespace)
        return Watch(self._hub, self._read_log, scope, since=since, bound=self._limits.watch_queue)

    async def compact(self, revision: int | None = None) -> None:
        """Forget history up to a revision (None: all of it) now, rather than when it is due.

        Raises:
            DatabaseError: it stopped half-way, which harms nothing.
        """
        await self._compaction.compact(self.revision if revision is None else revision)

    async def usage(self) -> Usage:
        """What the store takes and holds now."""
        try:
            size = await self._lanes.asking.direct(self._database.size)
        except DatabaseError:
            size = None
        counts = self._state.counts()
        return Usage(self.cluster_id, size, self.revision, self.compacted_revision, counts)

    async def close(self) -> None:
        """Commit what waits, end all watches, let go of the database. May be called more than once."""
        self._writer.close()
        await self._running
        await self._compaction.stop()
        await self._checkpoints.stop()
        self._freshness.close()
        await self._tasks.stop()
        self._hub.close()
        await self._lanes.close()
        self._database.release()

    def _applied(self, batch: Batch) -> None:
        self._state.apply(batch.events, revision=batch.revision)
        self._hub.publish(batch.events, revision=batch.revision)
        self._newest.add(batch.events)
        garbage = any(event.type != "ADDED" for event in batch.events)
        self._compaction.seen(batch.compacted)
        self._compaction.committed(batch.revision, garbage=garbage)
        self._checkpoints.committed(batch.events)

    def _reloaded(self, found: Reload) -> None:
        self._state.replace(found.records, revision=found.cluster.revision)
        self._hub.restart(revision=found.cluster.revision)
        self._compaction.seen(found.cluster.compacted)
        self._compaction.committed(found.cluster.revision, garbage=True)

    def _check_known(self, revision: int) -> None:
        if revision > self.revision:
            raise FutureRevision(requested=revision, current=self.revision)
        if revision < self.compacted_revision:
            raise Compacted(requested=revision, compacted=self.compacted_revision)

    async def _read_log(self, scope: Scope, *, after: int, through: int) -> tuple[Sequence[Event], int]:
        read = partial(log.events, scope=scope, after=after, through=through, limit=REPLAY_CHUNK)
        return await self._lanes.reading.read(read)


@dataclass(frozen=True)
class Lanes:
    """The connections of one store."""

    writing: Lane
    reading: Lane
    asking: Lane
    """For short questions that must not wait for the others."""

    @classmethod
    def of(cls, chosen: Database) -> Self:
        return cls(*(Lane(chosen, name=f"storage-{name}") for name in ("writer", "reader", "questions")))

    async def close(self) -> None:
        for lane in (self.writing, self.reading, self.asking):
            await lane.close()


class _Opened:
    """What is read at start-up, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.cluster = log.require_cluster(connection)
        self.records = log.newest(connection)
        self.garbage = log.has_garbage(connection, live=len(self.records))


async def _open(chosen: Database, lanes: Lanes) -> _Opened:
    await lanes.writing.prepare()
    if not await lanes.reading.read(at_head):
        await lanes.writing.migrate(migrate)
    # A writer's transaction shows whether it can be written at all.
    read = lanes.reading.read if chosen.shared else lanes.writing.write
    opened, _ = await asyncio.gather(read(_Opened), lanes.asking.direct(chosen.check))
    return opened


def _chunk(
    records: Sequence[Record], *, after: tuple[str, str] | None, limit: int
) -> tuple[Sequence[Record], int]:
    start = 0 if after is None else bisect_right(records, after, key=_place)
    chunk = records[start : start + limit] if limit else records[start:]
    return chunk, len(records) - start - len(chunk)


def _place(record: Record) -> tuple[str, str]:
    return (record.namespace, record.name)
