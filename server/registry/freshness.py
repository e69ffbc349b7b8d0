"""How fresh a request wants its answer: on a database that servers share, the most recent state is asked for.

On a database of its own the server always has it, and waits only for a revision that nobody has seen yet.
"""

from kubeling.objects.clock import Clock
from server.registry.listing import revision_of
from server.registry.translation import history_translated, too_large
from server.storage import Store
from server.storage.errors import FutureRevision

LONGEST_WAIT = 3.0
"""Seconds that a read waits for a revision of the future, as upstream does."""
_STEP = 0.05


async def caught_up(store: Store) -> None:
    """Wait until the store has all that was acknowledged when this was called.

    Raises:
        ServiceUnavailable: the database does not answer.
    """
    if store.shared:
        with history_translated():
            await store.fresh()


async def reached(store: Store, clock: Clock, resource_version: str) -> None:
    """Wait until the store has what a read at a resourceVersion may expect: "0" is content with anything.

    Raises:
        BadRequest: it is no resourceVersion.
        ServiceUnavailable: the database does not answer.
        Timeout: it is of the future, and that did not come within a few seconds.
    """
    revision = revision_of(resource_version)
    if resource_version != "0" and (not revision or revision > store.revision):
        await caught_up(store)
    ends = clock.monotonic() + LONGEST_WAIT
    while revision > store.revision:
        if clock.monotonic() >= ends:
            raise too_large(FutureRevision(requested=revision, current=store.revision))
        await clock.sleep(_STEP)
