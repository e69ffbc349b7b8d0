"""What storage hands out: records (an object at one revision) and events (what happened at one revision)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

import orjson

from kubeling.objects.meta import Object
from server.storage.labels import shared

EventType = Literal["ADDED", "MODIFIED", "DELETED"]


class Key(NamedTuple):
    resource: str
    """`pods`, `deployments.apps`"""
    namespace: str
    """"" when cluster-scoped"""
    name: str


@dataclass(slots=True, eq=False)
class Record:
    """One object as it was at one revision. Never changed once made; identity matters: caches hang on it."""

    resource: str
    namespace: str
    name: str
    uid: str
    revision: int
    created_revision: int
    body: bytes = field(repr=False)
    """The object as JSON; metadata.resourceVersion is `str(revision)`."""
    _cache: dict[str, Any] | None = field(default=None, repr=False)
    _obj: Object | None = field(default=None, repr=False)
    _lean: Object | None = field(default=None, repr=False)
    _labels: Mapping[str, str] | None = field(default=None, repr=False)
    fresh: Object | None = field(default=None, repr=False)
    """`lean`, ready made, for those who look soon after the write; the store takes it away again."""

    @property
    def key(self) -> Key:
        return Key(self.resource, self.namespace, self.name)

    @property
    def cache(self) -> dict[str, Any]:
        """For layers above: whatever they derive from the record, under a key of their own."""
        if self._cache is None:
            self._cache = {}
        return self._cache

    @property
    def obj(self) -> Object:
        """The parsed object, shared by all who ask: read it only. `copy` gives one to change."""
        if self._obj is None:
            self._obj = self.copy()
        return self._obj

    @property
    def lean(self) -> Object:
        """The object without managedFields, which are half of it and say nothing to who acts on it.

        Shared by all who ask, and kept: read it only.
        """
        if self._lean is None:
            self._lean = self.fresh or _without_owners(self.parsed())
        return self._lean

    def parsed(self) -> Object:
        """The object for a look, perhaps without managedFields: one that is there, else one not kept."""
        return self._lean or self.fresh or self._obj or self.copy()

    def forget(self) -> None:
        """Keep the body alone: the record has become history."""
        self._obj = self._lean = self.fresh = self._cache = None

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels; the parsed object is not kept on their account."""
        if self._labels is None:
            self._labels = shared(self.parsed().get("metadata", {}).get("labels") or {})
        return self._labels

    def copy(self) -> Object:
        """A fresh parse, the caller's own."""
        return cast(Object, orjson.loads(self.body))


def _without_owners(obj: Object) -> Object:
    metadata = obj.get("metadata") or {}
    return {**obj, "metadata": {name: value for name, value in metadata.items() if name != "managedFields"}}


@dataclass(slots=True, frozen=True)
class Event:
    """One revision of one key."""

    type: EventType
    record: Record
    """The state after; for DELETED the final state, at the deletion's revision."""
    previous: Record | None
    """The state before; None for ADDED."""

    @property
    def revision(self) -> int:
        return self.record.revision
