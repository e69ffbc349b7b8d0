"""Events go an hour after they last happened."""

from datetime import datetime, timedelta

from kubeling.client.resources import EVENTS
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.expiry.deadline import expiring


def make(context: Context) -> Controller:
    lifetime = timedelta(seconds=context.settings.event_lifetime)
    return expiring(
        context,
        "event-expiry-controller",
        EVENTS,
        context.client.informer(EVENTS),
        lambda event, now: _last_seen(event, now) + lifetime,
        workers=4,
    )


def _last_seen(event: Object, now: datetime) -> datetime:
    """The latest of the event's times; one in the future counts as now."""
    times = [
        meta.metadata(event).get("creationTimestamp"),
        event.get("eventTime"),
        event.get("lastTimestamp"),
        (event.get("series") or {}).get("lastObservedTime"),
    ]
    return min(now, max((meta.parse_timestamp(time) for time in times if time), default=now))
