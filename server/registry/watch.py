"""Watching a resource: initial events, selectors as enter and leave, bookmarks.

An object that comes to match a selector is ADDED to the watcher, one that ceases to match DELETED, whatever
happened to it in the store.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Self

import orjson

from kubeling.objects import errors
from server.registry.causes import forbidden, not_supported
from server.registry.environment import Environment
from server.registry.freshness import reached
from server.registry.kind import Kind, StoredForm
from server.registry.listing import revision_of
from server.registry.options import WatchOptions
from server.registry.results import WatchEvent
from server.registry.selection import Matches, matcher
from server.registry.translation import history_translated
from server.storage import Event, Record, Watch

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
LAST_BOOKMARK_SECONDS = 2.0
"""How long before the end of a watch its last bookmark comes."""


class WatchStream:
    """Batches of events for one watcher. One task iterates; `close` ends the iteration.

    The store's watch is opened on the first iteration, so that a revision that is gone is an error of the
    stream and not of the request, as upstream has it.
    """

    def __init__(self, env: Environment, kind: Kind, namespace: str, options: WatchOptions) -> None:
        """
        Raises:
            BadRequest, Invalid: the options are wrong.
        """
        _check(options)
        self._env = env
        self._kind = kind
        self._namespace = namespace or None
        self._options = options
        self._matches = matcher(kind, options.selection)
        self._since = revision_of(options.resource_version)
        self._watch: Watch | None = None
        self._closed = False
        self.direct: Callable[[list[WatchEvent]], bool] | None = None
        """If set, takes events on the spot while the consumer waits for a batch, which saves waking it.
        False when it cannot: then the batch comes."""
        self._ends_at = asyncio.get_running_loop().time() + options.lasts_seconds
        self._bookmark_at = self._next_bookmark()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[WatchEvent]:
        """
        Raises:
            Expired: the revision to start from is gone, or the watcher fell behind too far.
            Timeout: the revision to start from has not happened yet.
        """
        while not self._closed:
            with history_translated():
                batch = await (self._begin() if self._watch is None else self._next(self._watch))
            if batch:
                return batch
        raise StopAsyncIteration

    def close(self) -> None:
        self._closed = True
        if self._watch is not None:
            self._watch.close()

    async def _begin(self) -> list[WatchEvent]:
        store, initial = self._env.store, _wants_initial_events(self._options)
        await reached(store, self._env.clock, self._options.resource_version)
        since = store.revision if initial or not self._since else self._since
        if initial and self._since > store.revision:
            since = self._since
        self._watch = store.watch(self._kind.stored_in, namespace=self._namespace, since=since)
        if not initial:
            return []
        found = await self._env.seen(self._kind, store.list(self._kind.stored_in, self._namespace))
        events = [WatchEvent("ADDED", record) for record in found if self._selected(record)]
        if self._options.send_initial_events and self._options.bookmarks:
            events.append(self._bookmark(since, initial_events_end=True))
        return events

    async def _next(self, watch: Watch) -> list[WatchEvent]:
        if self.direct is not None:
            watch.divert(self._pass_on)
        try:
            async with asyncio.timeout_at(self._bookmark_at):
                batch = await anext(watch)
        except TimeoutError:
            self._bookmark_at = self._next_bookmark()
            return [self._bookmark(watch.revision)]
        except StopAsyncIteration:
            self._closed = True
            return []
        return self._seen(batch if self._kind.form is None else await self._converted(batch))

    async def _converted(self, batch: Sequence[Event]) -> list[Event]:
        """The events as the kind sees their objects; what was before is for those who select."""
        records = await self._env.seen(self._kind, [event.record for event in batch])
        if self._matches is None:
            return [Event(event.type, record, None) for event, record in zip(batch, records, strict=True)]
        previous = [event.previous for event in batch if event.previous is not None]
        before = iter(await self._env.seen(self._kind, previous))
        return [
            Event(event.type, record, next(before) if event.previous is not None else None)
            for event, record in zip(batch, records, strict=True)
        ]

    def _pass_on(self, events: Sequence[Event]) -> bool:
        if self._kind.form is not None:
            at_hand = _at_hand(self._kind.form, events, before=self._matches is not None)
            if at_hand is None:
                return False
            events = at_hand
        seen = self._seen(events)
        return not seen or (self.direct is not None and self.direct(seen))

    def _next_bookmark(self) -> float | None:
        """Once a period, and shortly before the end, so that the client resumes from as late as possible."""
        if not self._options.bookmarks:
            return None
        now = asyncio.get_running_loop().time()
        periodic, last = now + self._options.bookmark_seconds, self._ends_at - LAST_BOOKMARK_SECONDS
        return last if now < last < periodic else periodic

    def _seen(self, batch: Sequence[Event]) -> list[WatchEvent]:
        if self._matches is None:
            return [WatchEvent(event.type, event.record) for event in batch]
        found = (_transition(event, self._matches) for event in batch)
        return [event for event in found if event is not None]

    def _selected(self, record: Record) -> bool:
        return self._matches is None or self._matches(record)

    def _bookmark(self, revision: int, *, initial_events_end: bool = False) -> WatchEvent:
        return WatchEvent("BOOKMARK", _bookmark(self._kind, revision, initial_events_end=initial_events_end))


def _at_hand(form: StoredForm, events: Sequence[Event], *, before: bool) -> list[Event] | None:
    """The events as the kind sees their objects, with what was `before` or not, if that needs no waiting."""
    found = []
    for event in events:
        record = form.seen(event.record)
        was = event.previous if before else None
        previous = form.seen(was) if was is not None else None
        if record is None or (was is not None and previous is None):
            return None
        found.append(Event(event.type, record, previous))
    return found


def _transition(event: Event, matches: Matches) -> WatchEvent | None:
    was = event.previous is not None and matches(event.previous)
    if event.type == "DELETED":
        return WatchEvent("DELETED", event.record) if was or matches(event.record) else None
    now = matches(event.record)
    if now:
        return WatchEvent("MODIFIED" if was else "ADDED", event.record)
    return WatchEvent("DELETED", _departed(event)) if was else None


def _departed(event: Event) -> Record:
    """The object as it was while it matched, at the revision at which it ceased to."""
    found: Record | None = event.record.cache.get("departed")
    if found is None:
        previous = event.previous or event.record
        obj = previous.copy()
        obj["metadata"]["resourceVersion"] = str(event.record.revision)
        found = Record(
            resource=previous.resource,
            namespace=previous.namespace,
            name=previous.name,
            uid=previous.uid,
            revision=event.record.revision,
            created_revision=previous.created_revision,
            body=orjson.dumps(obj),
        )
        event.record.cache["departed"] = found
    return found


def _bookmark(kind: Kind, revision: int, *, initial_events_end: bool) -> Record:
    own: dict[str, object] = {"resourceVersion": str(revision)}
    if initial_events_end:
        own["annotations"] = {INITIAL_EVENTS_END: "true"}
    obj = {"kind": kind.kind, "apiVersion": kind.storage_api_version, "metadata": own}
    return Record(
        resource=kind.stored_in,
        namespace="",
        name="",
        uid="",
        revision=revision,
        created_revision=0,
        body=orjson.dumps(obj),
    )


def _wants_initial_events(options: WatchOptions) -> bool:
    if options.send_initial_events is not None:
        return options.send_initial_events
    return options.resource_version in ("", "0")


def _check(options: WatchOptions) -> None:
    causes, match, initial = [], options.resource_version_match, options.send_initial_events
    if initial is not None and match != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        causes.append(forbidden("resourceVersionMatch", why))
    if match and initial is None:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        causes.append(forbidden("resourceVersionMatch", why))
    if match not in ("", "NotOlderThan"):
        causes.append(not_supported("resourceVersionMatch", match, ("NotOlderThan",)))
    if match and options.continue_token:
        causes.append(forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for continue"))
    if causes:
        raise errors.invalid("ListOptions", "", causes, group="meta.k8s.io")
