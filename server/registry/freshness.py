"""How fresh a request wants its answer: on a database that servers share, the most recent state is asked for.

On a database of its own the server always has it, and nothing here waits.
"""

from server.registry.listing import revision_of
from server.registry.translation import history_translated
from server.storage import Store


async def caught_up(store: Store, resource_version: str = "") -> None:
    """Wait until the store has what a read at a resourceVersion may expect: "0" is content with anything.

    Raises:
        ServiceUnavailable: the database does not answer.
    """
    if not store.shared or resource_version == "0":
        return
    revision = revision_of(resource_version)
    if not revision or revision > store.revision:
        with history_translated():
            await store.fresh()
