"""Follows the kinds that some quota counts, from the first quota that does.

So a cluster without quotas follows nothing on their account.
"""

from collections.abc import Callable

from kubeling.client import Client, Informer
from kubeling.client.protocol import Handler
from kubeling.objects.errors import GroupResource
from kubeling.objects.meta import Object

Changed = Callable[[GroupResource, str, Object, Object | None], None]
"""As an informer's handler, with the kind of the object before."""


class Monitor:
    def __init__(self, client: Client, changed: Changed) -> None:
        self._client = client
        self._changed = changed
        self._followed: dict[GroupResource, tuple[Informer, Handler]] = {}

    async def follow(self, resources: set[GroupResource]) -> list[tuple[GroupResource, Informer]]:
        """The synced informers of those kinds that are served."""
        unknown = resources - self._followed.keys()
        if unknown:
            await self._discover(unknown)
        found = [(each, self._followed[each][0]) for each in sorted(resources & self._followed.keys())]
        for _, informer in found:
            await informer.wait_synced()
        return found

    def forget(self, resource: GroupResource) -> None:
        """The kind is not served any more; should it come again it is another one."""
        if followed := self._followed.pop(resource, None):
            informer, handler = followed
            informer.remove_handler(handler)

    async def _discover(self, wanted: set[GroupResource]) -> None:
        for served in await self._client.discover():
            resource = served.group_resource
            if resource in self._followed:
                continue  # by another key's worker, meanwhile
            if resource in wanted and served.namespaced and "list" in served.verbs:
                informer = self._client.informer(served)
                handler = self._handler(resource)
                informer.add_handler(handler)
                self._followed[resource] = (informer, handler)

    def _handler(self, resource: GroupResource) -> Handler:
        return lambda kind, obj, old: self._changed(resource, kind, obj, old)
