"""Deletes objects of one resource at their deadlines, by one timer for each. The key is the object.

What changes at the last moment stays: its change brings it back here.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from kubeling.client import DONE, ControllerRunner, Informer, Resource, Result
from kubeling.objects import meta
from kubeling.objects.errors import Conflict, NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller

Deadline = Callable[[Object, datetime], datetime | None]
"""When an object is to go, given what time it is now; None: it stays as it is."""


def expiring(
    context: Context,
    name: str,
    resource: Resource,
    informer: Informer,
    deadline: Deadline,
    *,
    workers: int = 1,
) -> Controller:
    async def reconcile(key: str) -> Result:
        found = informer.get(*meta.split_key(key))
        now = context.clock.now()
        when = deadline(found, now) if found is not None and not meta.is_terminating(found) else None
        if found is None or when is None:
            return DONE
        if when > now:
            return Result(requeue_after=(when - now).total_seconds())
        await _delete(context, resource, found)
        return DONE

    runner = ControllerRunner(name, reconcile, clock=context.clock, workers=workers)
    runner.watches(informer)
    return runner


async def _delete(context: Context, resource: Resource, found: Object) -> None:
    unchanged = {"uid": meta.uid(found), "resourceVersion": meta.resource_version(found)}
    with suppress(NotFound, Conflict):
        await context.client.delete(
            resource, meta.name(found), namespace=meta.namespace(found), preconditions=unchanged
        )
