"""Admission control: the plug-ins in their order, behind the registry's Admission protocol.

A plug-in says which writes it cares about and changes or refuses them; it reads other objects from the
store and writes none.
"""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from server.registry.admission import Attributes
from server.storage.record import Record


class Objects(Protocol):
    """What plug-ins read: the store, or a fake of it."""

    def get(self, resource: str, namespace: str, name: str) -> Record | None: ...


class Plugin:
    """One check or defaulting step. Both hooks do nothing unless overridden."""

    def mutate(self, attributes: Attributes) -> Awaitable[None] | None:
        """Change `attributes.obj` in place, or refuse with an ApiError: at once, or in what is given back."""
        return None

    def validate(self, attributes: Attributes) -> None:
        """Refuse with an ApiError, or do nothing."""


class Chain:
    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._mutating = [plugin for plugin in plugins if type(plugin).mutate is not Plugin.mutate]
        self._validating = [plugin for plugin in plugins if type(plugin).validate is not Plugin.validate]

    async def mutate(self, attributes: Attributes) -> None:
        for plugin in self._mutating:
            rest = plugin.mutate(attributes)
            if rest is not None:
                await rest

    async def validate(self, attributes: Attributes) -> None:
        for plugin in self._validating:
            plugin.validate(attributes)


def is_new_pod(attributes: Attributes) -> bool:
    """Whether a pod itself is being created: what most plug-ins are about."""
    return (
        attributes.operation == "CREATE"
        and attributes.kind.plural == "pods"
        and not attributes.kind.group
        and not attributes.subresource
    )
