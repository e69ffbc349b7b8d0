"""Records Events about objects, in the background: the caller is never held up and never fails.

Waiting events are bounded: when QUEUE_SIZE wait - the server is away - new ones are dropped and the log says
so once. An event that the server refuses is dropped, one that it could not be asked about is tried again.
"""

import logging
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from kubeling.client.backoff import Backoff
from kubeling.client.errors import ConnectionLost
from kubeling.client.event_correlation import Correlated, Correlator
from kubeling.client.protocol import Client
from kubeling.client.resources import EVENTS
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError, NotFound
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks

logger = logging.getLogger(__name__)

QUEUE_SIZE = 1000
SENDERS = 16
"""How many events, of different objects, are sent at the same time."""
TRIES = 12
NO_ANNOTATIONS: Mapping[str, str] = {}
NORMAL, WARNING = "Normal", "Warning"


class _Happened(NamedTuple):
    """An event without its times and count, the name it gets if it is new, and when it happened."""

    event: Object
    name: str
    at: datetime


class EventRecorder:
    """Events of one component, which describes itself as upstream's does.

    With `instance` the events have the form of events.k8s.io/v1, as the scheduler's: eventTime, action and a
    series. Without it that of core/v1, as the kubelet's: source, first and last timestamp, count.
    """

    def __init__(
        self,
        client: Client,
        component: str,
        *,
        clock: Clock,
        host: str = "",
        instance: str = "",
        senders: int = SENDERS,
    ) -> None:
        self._client = client
        self._component = component
        self._clock = clock
        self._host = host
        self._instance = instance
        self._correlator = Correlator()
        self._waiting: dict[str, deque[_Happened]] = {}
        """By the object: events of one are sent one after the other."""
        self._ready: deque[str] = deque()
        """The objects of which an event can be sent."""
        self._count = 0
        self._tasks = Tasks(f"events-{component}")
        self._senders = 0
        self._most_senders = senders
        self._closed = False
        self._dropping = False
        self._last_nanoseconds = 0

    def event(
        self,
        obj: Mapping[str, Any],
        kind: str,
        reason: str,
        message: str,
        *,
        field_path: str = "",
        action: str = "",
        host: str = "",
        annotations: Mapping[str, str] = NO_ANNOTATIONS,
    ) -> None:
        """Record that something happened to `obj`; `kind` is Normal or Warning, `host` where, if not here.

        `annotations` are the event's own.
        """
        if self._closed:
            return
        if self._count >= QUEUE_SIZE:
            self._note_drop(reason)
            return
        event = self._draft(_reference(obj, field_path), kind, reason, message, host=host or self._host)
        if action:
            event["action"] = action
        if annotations:
            event["metadata"]["annotations"] = dict(annotations)
        now = self._clock.now()
        self._enqueue(meta.uid(obj) or meta.key(obj), _Happened(event, self._name(meta.name(obj), now), now))

    def _enqueue(self, key: str, happened: _Happened) -> None:
        self._count += 1
        if key in self._waiting:
            self._waiting[key].append(happened)
            return
        self._waiting[key] = deque((happened,))
        self._ready.append(key)
        if self._senders < self._most_senders:
            self._senders += 1
            self._tasks.start(self._send_all(), name="sender")

    async def close(self) -> None:
        """Stop at once; what was not sent is lost."""
        self._closed = True
        await self._tasks.stop()

    def _draft(self, involved: Object, kind: str, reason: str, message: str, *, host: str) -> Object:
        source = {"component": self._component} if not self._instance else {}
        if host and source:
            source["host"] = host
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": involved.get("namespace") or "default"},
            "involvedObject": involved,
            "reason": reason,
            "message": message[:1024],
            "type": kind,
            "source": source,
            "reportingComponent": self._component,
            "reportingInstance": self._instance or host,
        }

    async def _send_all(self) -> None:
        try:
            while self._ready:
                key = self._ready.popleft()
                try:
                    await self._send(self._waiting[key][0])
                finally:
                    self._sent(key)
        finally:
            self._senders -= 1

    def _sent(self, key: str) -> None:
        self._count -= 1
        self._dropping = self._dropping and self._count > 0
        waiting = self._waiting[key]
        waiting.popleft()
        if waiting:
            self._ready.append(key)
        else:
            del self._waiting[key]

    async def _send(self, happened: _Happened) -> None:
        correlated = self._correlator.correlate(happened.event, new_name=happened.name, now=happened.at)
        if correlated is None:
            return
        backoff = Backoff(initial=0.05, factor=2, limit=10)
        for _ in range(TRIES):
            try:
                await self._write(happened, correlated)
            except ConnectionLost:
                await self._clock.sleep(backoff.next())
            except ApiError as error:
                logger.debug("the event %s is refused: %s", happened.name, error)
                return
            else:
                return
        logger.warning("an event is lost, the server is away: %s", happened.event["message"])

    async def _write(self, happened: _Happened, correlated: Correlated) -> None:
        event = happened.event | {"message": correlated.message} | self._times(happened, correlated)
        namespace, name = meta.namespace(event), correlated.seen.name
        if correlated.seen.count > 1:
            try:
                patch = self._times(happened, correlated) | (
                    {"message": correlated.message} if correlated.combined else {}
                )
                await self._client.patch(EVENTS, name, patch, namespace=namespace)
                return
            except NotFound:
                pass  # it has expired: it begins anew under its old name
        event["metadata"] = {**event["metadata"], "name": name, "namespace": namespace}
        await self._client.create(EVENTS, event)

    def _times(self, happened: _Happened, correlated: Correlated) -> Object:
        seen = correlated.seen
        if not self._instance:
            first, last = meta.timestamp(seen.first), meta.timestamp(happened.at)
            return {"firstTimestamp": first, "lastTimestamp": last, "count": seen.count}
        times: Object = {"eventTime": meta.micro_timestamp(seen.first)}
        if seen.count > 1:
            times["series"] = {"count": seen.count, "lastObservedTime": meta.micro_timestamp(happened.at)}
        return times

    def _name(self, involved: str, now: datetime) -> str:
        """`<object>.<nanoseconds in hex>`, never the same twice; the object's name is cut where too long."""
        nanoseconds = int(now.timestamp() * 1_000_000) * 1000
        self._last_nanoseconds = max(nanoseconds, self._last_nanoseconds + 1)
        suffix = f".{self._last_nanoseconds:x}"
        return involved[: 253 - len(suffix)] + suffix

    def _note_drop(self, reason: str) -> None:
        if not self._dropping:
            logger.warning("%d events wait to be sent: dropping new ones, first %s", QUEUE_SIZE, reason)
        self._dropping = True


def _reference(obj: Mapping[str, Any], field_path: str) -> Object:
    reference = {
        "kind": str(obj.get("kind", "")),
        "namespace": meta.namespace(obj),
        "name": meta.name(obj),
        "uid": meta.uid(obj),
        "apiVersion": str(obj.get("apiVersion", "")),
        "resourceVersion": meta.resource_version(obj),
        "fieldPath": field_path,
    }
    return {name: value for name, value in reference.items() if value}
