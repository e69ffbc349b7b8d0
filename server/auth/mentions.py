"""An index of one resource by names that its objects mention, kept up with the store.

Nothing is told of writes: each question first takes over what the store has changed since the last one, so an
answer is never older than the store. Objects are found by their text and may mention a name elsewhere than
where it counts: whoever asks looks again.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from server.storage.record import Event, Record

Mentioned = Callable[[bytes], Iterable[bytes]]
"""From an object's JSON, the names under which it is to be found."""
_Place = tuple[str, str]


class Objects(Protocol):
    """The store, or a fake of it."""

    @property
    def revision(self) -> int: ...

    def list(self, resource: str, namespace: str | None = None) -> Sequence[Record]: ...

    def changes(self, resource: str, *, after: int) -> Sequence[Event] | None: ...


class Mentions:
    def __init__(self, objects: Objects, resource: str, mentioned: Mentioned) -> None:
        self._objects = objects
        self._resource = resource
        self._mentioned = mentioned
        self._revision = -1
        self._names: dict[_Place, frozenset[bytes]] = {}
        self._records: dict[bytes, dict[_Place, Record]] = {}

    def of(self, name: bytes) -> Iterable[Record]:
        """The objects that mention the name; to be gone through at once."""
        self._catch_up()
        return self._records.get(name, {}).values()

    def _catch_up(self) -> None:
        revision = self._objects.revision
        if revision == self._revision:
            return
        went_back = revision < self._revision
        changes = None if went_back else self._objects.changes(self._resource, after=self._revision)
        if changes is None:
            self._names, self._records = {}, {}
            for record in self._objects.list(self._resource):
                self._put(record)
        for event in changes or ():
            self._remove((event.record.namespace, event.record.name))
            if event.type != "DELETED":
                self._put(event.record)
        self._revision = revision

    def _put(self, record: Record) -> None:
        names = frozenset(self._mentioned(record.body))
        if names:
            place = (record.namespace, record.name)
            self._names[place] = names
            for name in names:
                self._records.setdefault(name, {})[place] = record

    def _remove(self, place: _Place) -> None:
        for name in self._names.pop(place, ()):
            found = self._records[name]
            del found[place]
            if not found:
                del self._records[name]
