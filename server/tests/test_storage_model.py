"""Random histories: the store against a dictionary and a list, which is what it is meant to look like.

Limits are small, so that watches live from memory, log and both, overflow, and are overtaken by compaction.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from server.storage import Event, Limits, Store, Watch
from server.storage.errors import Compacted, KeyExists, KeyNotFound, RevisionConflict, WatchOverflow
from server.tests.private_postgres import PrivatePostgres

LIMITS = Limits(recent_events=4, watch_queue=6, batch=3)


class Place(NamedTuple):
    resource: str
    namespace: str
    name: str


class Past(NamedTuple):
    """One event, as the model remembers it."""

    revision: int
    kind: str
    place: Place
    value: int
    before: int | None


@dataclass
class Model:
    current: dict[Place, tuple[int, int]] = field(default_factory=dict)
    """Revision and value of each object."""
    past: list[Past] = field(default_factory=list)

    @property
    def revision(self) -> int:
        return len(self.past)

    def write(self, verb: str, place: Place, expectation: str) -> tuple[int | None, type[Any]]:
        """The revision to send as expected, and the type of the answer; the model moves on with it."""
        held = self.current.get(place)
        right = held[0] if held else 0
        expected = {"right": right, "wrong": right + 1000, "any": None}[expectation]
        if verb == "create":
            if held:
                return None, KeyExists
        elif held is None:
            return expected, KeyNotFound
        elif expectation == "wrong":
            return expected, RevisionConflict
        self._happen(verb, place, before=held[1] if held else None)
        return expected, object

    def _happen(self, verb: str, place: Place, *, before: int | None) -> None:
        revision = self.revision + 1
        value = before if verb == "delete" and before is not None else revision
        kind = {"create": "ADDED", "update": "MODIFIED", "delete": "DELETED"}[verb]
        self.past.append(Past(revision, kind, place, value, before))
        if verb == "delete":
            del self.current[place]
        else:
            self.current[place] = (revision, value)

    def events(self, resource: str, namespace: str | None, *, after: int, through: int) -> list[Past]:
        return [
            past
            for past in self.past[after:through]
            if past.place.resource == resource and namespace in (None, past.place.namespace)
        ]

    def objects_at(self, resource: str, namespace: str | None, revision: int) -> list[tuple[Place, int]]:
        found: dict[Place, int] = {}
        for past in self.events(resource, namespace, after=0, through=revision):
            if past.kind == "DELETED":
                del found[past.place]
            else:
                found[past.place] = past.value
        return sorted(found.items())


class Follower:
    """A client's watch: it resumes from its last revision whenever the store ends it."""

    def __init__(self, resource: str, namespace: str | None, since: int) -> None:
        self.scope = (resource, namespace)
        self.reached = since
        self._watch: Watch | None = None

    async def follow(self, store: Store, model: Model) -> None:
        """Read up to now; what comes must be what the model says came."""
        while self.reached < store.revision:
            start = self.reached
            try:
                batch = await self._next(store)
            except Compacted:
                assert start < store.compacted_revision
                self.reached = store.revision
                self.rest()
            except WatchOverflow:
                self.rest()
            else:
                expected = model.events(*self.scope, after=start, through=self.reached)
                assert [_past(event) for event in batch] == expected

    async def _next(self, store: Store) -> Sequence[Event]:
        if self._watch is None:
            self._watch = store.watch(self.scope[0], namespace=self.scope[1], since=self.reached)
        batch = await _next_or_nothing(self._watch, until=store.revision)
        self.reached = self._watch.revision
        return batch

    def rest(self) -> None:
        if self._watch is not None:
            self._watch.close()
        self._watch = None


async def _next_or_nothing(watch: Watch, *, until: int) -> Sequence[Event]:
    """The next batch, or nothing as soon as the watch has come so far without one."""
    batch = asyncio.ensure_future(anext(watch))  # noqa: TID251
    while not batch.done() and watch.revision < until:  # noqa: ASYNC110 (no one tells of progress alone)
        await asyncio.sleep(0)
    if not batch.done():
        batch.cancel()
        return ()
    return await batch


def _past(event: Event) -> Past:
    record, before = event.record, event.previous
    place = Place(record.resource, record.namespace, record.name)
    value = before.obj["value"] if before is not None else None
    return Past(event.revision, event.type, place, record.obj["value"], value)


@dataclass
class Run:
    """One history in the making, on one database."""

    url: str
    store: Store
    model: Model = field(default_factory=Model)
    followers: list[Follower] = field(default_factory=list)

    async def write(self, *wishes: tuple[str, Place, str]) -> None:
        """All at once: they are decided in the order given."""
        model, calls, kinds = self.model, [], []
        for verb, place, expectation in wishes:
            value = model.revision + 1
            expected, kind = model.write(verb, place, expectation)
            calls.append(_call(self.store, verb, place, value, expected))
            kinds.append(kind)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for answer, kind in zip(answers, kinds, strict=True):
            assert isinstance(answer, kind)
            assert kind is not object or not isinstance(answer, Exception), answer
        assert self.store.revision == model.revision

    async def watch(self, resource: str, namespace: str | None, fraction: float) -> None:
        self.followers.append(Follower(resource, namespace, self._retained(fraction)))

    async def follow(self, number: int) -> None:
        for follower in self.followers[number % 2 :: 2]:
            await follower.follow(self.store, self.model)

    async def compact(self, fraction: float) -> None:
        await self.store.compact(self._retained(fraction))

    async def restart(self) -> None:
        for follower in self.followers:
            follower.rest()
        await self.store.close()
        self.store = await Store.open(self.url, clock=FakeClock(), limits=LIMITS)

    async def list_at(self, resource: str, namespace: str | None, fraction: float, limit: int) -> None:
        revision, after, found = self._retained(fraction), None, []
        expected = self.model.objects_at(resource, namespace, revision)
        while True:
            chunk, left = await self.store.list_at(
                resource, namespace, revision=revision, after=after, limit=limit
            )
            found += [(Place(*record.key), record.obj["value"]) for record in chunk]
            assert left == len(expected) - len(found)
            if not left:
                break
            after = (chunk[-1].namespace, chunk[-1].name)
        assert found == expected

    def check_current(self) -> None:
        for resource in RESOURCES:
            held = [(Place(*record.key), record.revision) for record in self.store.list(resource)]
            wanted = [(key, rev) for key, (rev, _) in self.model.current.items() if key.resource == resource]
            assert held == sorted(wanted)

    def _retained(self, fraction: float) -> int:
        oldest, newest = self.store.compacted_revision, self.store.revision
        return oldest + round((newest - oldest) * fraction)


def _call(store: Store, verb: str, place: Place, value: int, expected: int | None) -> Any:
    obj: Object = {"metadata": {"name": place.name}, "value": value}
    if verb == "create":
        return store.create(*place, obj)
    if verb == "update":
        return store.update(*place, obj, expected=expected)
    return store.delete(*place, expected=expected)


RESOURCES = ("pods", "leases")
resources = st.sampled_from(RESOURCES)
namespaces = st.sampled_from(["a", "b"])
scopes = st.tuples(resources, st.none() | namespaces)
fractions = st.floats(0, 1)
places = st.builds(Place, resources, namespaces, st.sampled_from(["x", "y", "z"]))
verbs = st.sampled_from(["create", "update", "update", "delete"])
wishes = st.tuples(verbs, places, st.sampled_from(["right", "right", "any", "wrong"]))
steps = st.one_of(
    st.lists(wishes, min_size=1, max_size=8).map(lambda several: ("write", tuple(several))),
    st.lists(wishes, min_size=8, max_size=20).map(lambda several: ("write", tuple(several))),
    st.tuples(scopes, fractions).map(lambda drawn: ("watch", (*drawn[0], drawn[1]))),
    st.integers(0, 1).map(lambda number: ("follow", (number,))),
    fractions.map(lambda fraction: ("compact", (fraction,))),
    st.tuples(scopes, fractions, st.integers(1, 4)).map(lambda drawn: ("list_at", (*drawn[0], *drawn[1:]))),
    st.just(("restart", ())),
)


History = list[tuple[str, tuple[Any, ...]]]
histories = st.lists(steps, min_size=5, max_size=40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories)
def test_any_history_looks_as_the_model_says(history: History) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_play(history, f"sqlite:///{directory}/database"))


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(history=histories)
def test_any_history_looks_as_the_model_says_on_postgresql(
    postgres: PrivatePostgres, history: History
) -> None:
    with postgres.database() as url:
        asyncio.run(_play(history, url))


async def _play(history: History, url: str) -> None:
    run = Run(url, await Store.open(url, clock=FakeClock(), limits=LIMITS))
    try:
        for step, drawn in history:
            await getattr(run, step)(*drawn)
            run.check_current()
        for number in (0, 1):
            await run.follow(number)
    finally:
        for follower in run.followers:
            follower.rest()
        await run.store.close()
