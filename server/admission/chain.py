"""Admission control: the plug-ins in their order, behind the registry's Admission protocol.

Every write passes twice: before validation, where plug-ins may change the object, and after it, where they
may only refuse. Both hooks may do their work at once or give back what is to be awaited: a call to a webhook,
a reservation of quota. The first that refuses ends it.

A plug-in says which writes it cares about and changes or refuses them; it reads other objects from the store
and writes none. Which plug-ins a kind of write concerns is asked once and remembered.
"""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from server.registry.admission import Attributes
from server.registry.kind import Kind
from server.storage.record import Record

_MOST_REMEMBERED = 4096
"""Custom kinds come and go: what is remembered of them must not grow for ever."""


class Objects(Protocol):
    """What plug-ins read: the store, or a fake of it."""

    def get(self, resource: str, namespace: str, name: str) -> Record | None: ...


class Listed(Objects, Protocol):
    """Stored objects that can be listed as well."""

    def list(self, resource: str, namespace: str | None = None) -> Sequence[Record]: ...


class Plugin:
    """One check or defaulting step. The hooks do nothing unless overridden; each may be `async`."""

    def concerns(self, kind: Kind, operation: str, subresource: str) -> bool:
        """Whether writes of this sort are shown to the hooks. The answer must always be the same."""
        return True

    def mutate(self, attributes: Attributes) -> Awaitable[None] | None:
        """Change `attributes.obj` in place, or refuse with an ApiError: at once, or in what is given back."""
        return None

    def validate(self, attributes: Attributes) -> Awaitable[None] | None:
        """Refuse with an ApiError, or do nothing: at once, or in what is given back."""
        return None


_Sort = tuple[Kind, str, str]


class Chain:
    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._mutating = _Stage([each for each in plugins if type(each).mutate is not Plugin.mutate])
        self._validating = _Stage([each for each in plugins if type(each).validate is not Plugin.validate])

    async def mutate(self, attributes: Attributes) -> None:
        for plugin in self._mutating.plugins_for(attributes):
            rest = plugin.mutate(attributes)
            if rest is not None:
                await rest

    async def validate(self, attributes: Attributes) -> None:
        for plugin in self._validating.plugins_for(attributes):
            rest = plugin.validate(attributes)
            if rest is not None:
                await rest


class _Stage:
    """The plug-ins that have one of the hooks, by the sort of write that they are concerned with."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._plugins = plugins
        self._by_sort: dict[_Sort, tuple[Plugin, ...]] = {}

    def plugins_for(self, attributes: Attributes) -> tuple[Plugin, ...]:
        sort = (attributes.kind, attributes.operation, attributes.subresource)
        found = self._by_sort.get(sort)
        if found is None:
            if len(self._by_sort) >= _MOST_REMEMBERED:
                self._by_sort.clear()
            found = self._by_sort[sort] = tuple(each for each in self._plugins if each.concerns(*sort))
        return found


def is_new_pod(attributes: Attributes) -> bool:
    """Whether a pod itself is being created: what most plug-ins are about."""
    return (
        attributes.operation == "CREATE"
        and attributes.kind.plural == "pods"
        and not attributes.kind.group
        and not attributes.subresource
    )
