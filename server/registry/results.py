"""What the registry's operations give back."""

from collections.abc import Sequence
from dataclasses import dataclass

from kubeling.objects.meta import Object
from server.storage import Record


@dataclass(frozen=True, slots=True)
class ListResult:
    records: Sequence[Record]
    revision: int
    """The list's resourceVersion."""
    continue_token: str = ""
    remaining: int | None = None
    """remainingItemCount; None when the list is complete or a selector makes it unknown."""


@dataclass(frozen=True, slots=True)
class UpdateResult:
    record: Record
    created: bool = False
    """The object did not exist and its kind allows creation by update: answer 201."""


@dataclass(frozen=True, slots=True)
class DeleteResult:
    record: Record
    """The object's last state; still stored when `removed` is false (finalizers, grace period)."""
    removed: bool
    status: Object | None = None
    """When not None, the body to answer with instead of the object."""


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """ADDED, MODIFIED, DELETED or BOOKMARK (whose record holds an object with only metadata)."""

    type: str
    record: Record
