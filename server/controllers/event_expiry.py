"""Deletes Events an hour after they last happened, by one timer per event. The key is the event."""

from contextlib import suppress
from datetime import datetime

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.resources import EVENTS
from kubeling.objects import meta
from kubeling.objects.errors import Conflict, NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller


def make(context: Context) -> Controller:
    events = context.client.informer(EVENTS)

    async def reconcile(key: str) -> Result:
        namespace, name = meta.split_key(key)
        event = events.get(namespace, name)
        if event is None:
            return DONE
        now = context.clock.now()
        remaining = context.settings.event_lifetime - (now - _last_seen(event, now)).total_seconds()
        if remaining > 0:
            return Result(requeue_after=remaining)
        await _delete(context, event)
        return DONE

    runner = ControllerRunner("event-expiry-controller", reconcile, clock=context.clock, workers=4)
    runner.watches(events)
    return runner


def _last_seen(event: Object, now: datetime) -> datetime:
    """The latest of the event's times; one in the future counts as now."""
    times = [
        meta.metadata(event).get("creationTimestamp"),
        event.get("eventTime"),
        event.get("lastTimestamp"),
        (event.get("series") or {}).get("lastObservedTime"),
    ]
    return min(now, max((meta.parse_timestamp(time) for time in times if time), default=now))


async def _delete(context: Context, event: Object) -> None:
    """Unless it has happened again in the meantime: then its change brings it back here."""
    unchanged = {"uid": meta.uid(event), "resourceVersion": meta.resource_version(event)}
    with suppress(NotFound, Conflict):
        await context.client.delete(
            EVENTS, meta.name(event), namespace=meta.namespace(event), preconditions=unchanged
        )
