"""The current objects, in memory: per resource and namespace, found by name and listed in order.

The event loop alone changes it, between batches; the writer's thread reads single records while the loop
waits for its batch. History is in `history` and `log`.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from itertools import chain

from server.storage.record import Event, Key, Record


class _Namespace:
    """The records of one resource in one namespace. What is in order is made when first asked for."""

    __slots__ = ("_names", "_ordered", "_records")

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._names: list[str] | None = None
        self._ordered: tuple[Record, ...] | None = None

    def __len__(self) -> int:
        return len(self._records)

    def get(self, name: str) -> Record | None:
        return self._records.get(name)

    def put(self, record: Record) -> None:
        if self._names is not None and record.name not in self._records:
            insort(self._names, record.name)
        self._records[record.name] = record
        self._ordered = None

    def remove(self, name: str) -> None:
        del self._records[name]
        if self._names is not None:
            del self._names[bisect_left(self._names, name)]
        self._ordered = None

    def ordered(self) -> tuple[Record, ...]:
        if self._names is None:
            self._names = sorted(self._records)
        if self._ordered is None:
            self._ordered = tuple(map(self._records.__getitem__, self._names))
        return self._ordered


class _Resource:
    __slots__ = ("_namespaces", "_ordered")

    def __init__(self) -> None:
        self._namespaces: dict[str, _Namespace] = {}
        self._ordered: tuple[Record, ...] | None = None

    def count(self) -> int:
        return sum(map(len, self._namespaces.values()))

    def namespace(self, name: str) -> _Namespace | None:
        return self._namespaces.get(name)

    def put(self, record: Record) -> None:
        self._namespaces.setdefault(record.namespace, _Namespace()).put(record)
        self._ordered = None

    def remove(self, record: Record) -> None:
        namespace = self._namespaces[record.namespace]
        namespace.remove(record.name)
        if not namespace:
            del self._namespaces[record.namespace]
        self._ordered = None

    def ordered(self) -> tuple[Record, ...]:
        if self._ordered is None:
            parts = (self._namespaces[name].ordered() for name in sorted(self._namespaces))
            self._ordered = tuple(chain.from_iterable(parts))
        return self._ordered


class State:
    def __init__(self, records: Iterable[Record] = (), *, revision: int = 0) -> None:
        self._resources: dict[str, _Resource] = {}
        self.replace(records, revision=revision)

    def replace(self, records: Iterable[Record], *, revision: int) -> None:
        """Hold these objects and no others."""
        self.revision = revision
        self._resources = {}
        for record in records:
            self._put(record)

    def get(self, key: Key) -> Record | None:
        resource = self._resources.get(key.resource)
        namespace = resource and resource.namespace(key.namespace)
        return namespace.get(key.name) if namespace else None

    def list(self, resource: str, namespace: str | None = None) -> Sequence[Record]:
        """By (namespace, name); a snapshot that later changes do not touch."""
        found = self._resources.get(resource)
        if found is None:
            return ()
        if namespace is None:
            return found.ordered()
        part = found.namespace(namespace)
        return part.ordered() if part else ()

    def counts(self) -> dict[str, int]:
        """How many objects there are of each resource."""
        return {name: resource.count() for name, resource in self._resources.items()}

    def apply(self, events: Iterable[Event], *, revision: int) -> None:
        """Make the changes that were committed up to `revision`."""
        for event in events:
            if event.type == "DELETED":
                self._resources[event.record.resource].remove(event.record)
            else:
                self._put(event.record)
        self.revision = revision

    def _put(self, record: Record) -> None:
        self._resources.setdefault(record.resource, _Resource()).put(record)
