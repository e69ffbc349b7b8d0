"""Kinds whose objects are not stored but made when asked for: ComponentStatuses, metrics."""

from collections.abc import Awaitable, Callable, Sequence

from kubeling.objects import meta
from kubeling.objects.errors import not_found
from kubeling.objects.meta import Object
from server.registry.environment import unstored
from server.registry.kind import Kind
from server.registry.options import Selection
from server.registry.results import ListResult
from server.registry.selection import matcher
from server.storage import Record

Computed = Callable[[str], Awaitable[Sequence[Object]]]
"""Makes all objects of a kind in a namespace ("": in all) as they are now, in the order of a list."""


async def computed_object(kind: Kind, make: Computed, namespace: str, name: str) -> Record:
    """
    Raises:
        NotFound: there is none of that name.
    """
    for obj in await make(namespace):
        if meta.name(obj) == name:
            return unstored(kind, obj)
    raise not_found(kind.resource, name)


async def computed_list(
    kind: Kind, make: Computed, namespace: str, selection: Selection, *, revision: int
) -> ListResult:
    """
    Raises:
        BadRequest: the selection names a field that the kind does not offer.
    """
    matches = matcher(kind, selection)
    records = [unstored(kind, obj) for obj in await make(namespace)]
    return ListResult([each for each in records if matches is None or matches(each)], revision)
