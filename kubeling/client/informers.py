"""The informers of one client: each asked for once, run in the background, stopped together."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from kubeling.client.protocol import Informer
from kubeling.client.resources import Resource
from kubeling.objects.tasks import Tasks


class RunnableInformer(Informer, Protocol):
    async def run(self, tasks: Tasks) -> None:
        """Keep current until cancelled."""
        ...


Make = Callable[[Resource, str | None, str, bool], RunnableInformer]
"""From a resource, a namespace, a field selector, and whether the metadata are enough."""
_Key = tuple[Resource, str | None, str, bool]


class Informers:
    """Shared informers by resource, namespace and field selector."""

    def __init__(self, owner: str, make: Make) -> None:
        self._make = make
        self._made: dict[_Key, RunnableInformer] = {}
        self._running: dict[_Key, asyncio.Task[None]] = {}
        self._tasks = Tasks(owner)

    def get(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        field_selector: str = "",
        metadata_only: bool = False,
    ) -> Informer:
        """Where whole objects are held already, nobody who wants only the metadata gets an informer more."""
        key = (resource, namespace, field_selector, False)
        if metadata_only and key not in self._made:
            key = (resource, namespace, field_selector, True)
        if key not in self._made:
            informer = self._made[key] = self._make(*key)
            name = f"informers-{resource}"
            self._running[key] = self._tasks.start(informer.run(self._tasks), name=name)
        return self._made[key]

    def drop(self, resource: Resource) -> None:
        """Stop those of a resource and forget them."""
        for key in [each for each in self._made if each[0] == resource]:
            del self._made[key]
            self._running.pop(key).cancel()

    async def close(self) -> None:
        await self._tasks.stop()
