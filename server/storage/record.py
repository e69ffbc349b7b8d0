"""What storage hands out: records (an object at one revision) and events (what happened at one revision)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

import orjson

from kubeling.objects.meta import Object

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
    _labels: Mapping[str, str] | None = field(default=None, repr=False)

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

    def parsed(self) -> Object:
        """The object for a look at it: `obj` if that is there already, else a parse that is not kept."""
        return self._obj if self._obj is not None else self.copy()

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels; the parsed object is not kept on their account."""
        if self._labels is None:
            self._labels = self.parsed().get("metadata", {}).get("labels") or {}
        return self._labels

    def copy(self) -> Object:
        """A fresh parse, the caller's own."""
        return cast(Object, orjson.loads(self.body))


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
