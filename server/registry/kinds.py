"""Which kinds are served: those that are built in, and those that CustomResourceDefinitions bring and take.

Whoever keeps something that was made from the kinds, such as a discovery document, keeps `generation` with it
and makes it anew when that has moved.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from server.registry.index import BUILT_IN
from server.registry.kind import Kind

T = TypeVar("T")
Listener = Callable[[Sequence[Kind]], None]


class Kinds:
    def __init__(self, kinds: Iterable[Kind] = BUILT_IN) -> None:
        self.generation = 0
        """Counts the changes."""
        self._all = tuple(kinds)
        self._listeners: list[Listener] = []
        self._index()

    def lookup(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind that is served under /apis/GROUP/VERSION/PLURAL (/api/v1/PLURAL for group "")."""
        return self._by_plural.get((group, version, plural))

    def lookup_kind(self, group: str, version: str, kind: str) -> Kind | None:
        """The kind of an object with that apiVersion and kind."""
        return self._by_kind.get((group, version, kind))

    def serves_version(self, group: str, version: str) -> bool:
        """Whether any kind is served in that version of the group."""
        return (group, version) in self._versions

    def all(self) -> tuple[Kind, ...]:
        """Every kind, in the order of discovery: core first, then group by group."""
        return self._all

    def add(self, *kinds: Kind) -> None:
        """Serve kinds, in the place of those that had the same group and plural, if any.

        A custom resource is a kind of its own in each of its versions, the preferred one first.
        """
        replaced = {kind.resource for kind in kinds}
        self._change([*(each for each in self._all if each.resource not in replaced), *kinds])

    def remove(self, *kinds: Kind) -> None:
        """Serve kinds no longer; nothing happens to those that are not served."""
        self._change([each for each in self._all if each not in kinds])

    def on_removal(self, listener: "Listener") -> None:
        """Have the listener called with the kinds that are served no longer, or anew as other kinds."""
        self._listeners.append(listener)

    def off_removal(self, listener: "Listener") -> None:
        """Call the listener no more, if it is called at all."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def ended(self, watches: Mapping[T, Kind]) -> list[T]:
        """Of watches, each on a kind, those on custom kinds that are served no longer, or that show their
        objects in another form now. (A kind that is about to go is another one with the same form.)"""
        forms = {id(kind.form) for kind in self._all}
        return [each for each, kind in watches.items() if id(kind.form) not in forms]

    def _change(self, kinds: Iterable[Kind]) -> None:
        before, self._all = self._all, tuple(kinds)
        self.generation += 1
        self._index()
        if gone := [each for each in before if each not in self._all]:
            for listener in self._listeners:
                listener(gone)

    def _index(self) -> None:
        served = [(kind, version) for kind in self._all for version in kind.versions]
        self._by_plural = {(kind.group, version, kind.plural): kind for kind, version in served}
        self._by_kind = {(kind.group, version, kind.kind): kind for kind, version in served}
        self._versions = {(kind.group, version) for kind, version in served}
