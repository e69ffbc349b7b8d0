"""Finding an informer's objects by something else than their names: by their owner, their node, a label.

An index is fed by the informer's handlers, so it shows what the handlers have been told: like any cache it
may lag behind a write. Whoever counts on its own writes keeps account of them.
"""

from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

from kubeling.client.protocol import Informer
from kubeling.objects import meta
from kubeling.objects.meta import Object

KeysOf = Callable[[Object], Iterable[str]]


class Index:
    """The objects of an informer by each of the keys that `keys_of` gives them; shared: never change them.

    Make it before the handlers that read it are added: handlers are called in the order in which they came.
    """

    def __init__(self, informer: Informer, keys_of: KeysOf) -> None:
        self._informer = informer
        self._keys_of = keys_of
        self._keys: dict[tuple[str, str], tuple[str, ...]] = {}
        """The keys under which each object, by namespace and name, is filed."""
        self._found: dict[str, dict[tuple[str, str], None]] = {}
        """Where the objects of each key are, in the order in which they came; the informer holds them."""
        informer.add_handler(self._changed)

    @staticmethod
    def shared(informer: Informer, keys_of: KeysOf) -> "Index":
        """The one index of this informer by `keys_of`, for all who ask."""
        made = _SHARED.setdefault(informer, {})
        if keys_of not in made:
            made[keys_of] = Index(informer, keys_of)
        return made[keys_of]

    def get(self, key: str) -> list[Object]:
        """In the order in which they came; those that are gone by now are left out."""
        found = (self._informer.get(*place) for place in self._found.get(key, ()))
        return [obj for obj in found if obj is not None]

    def keys(self) -> Iterable[str]:
        """Every key under which there is something."""
        return self._found.keys()

    def _changed(self, kind: str, obj: Object, _: Object | None) -> None:
        place = (meta.namespace(obj), meta.name(obj))
        keys = tuple(self._keys_of(obj)) if kind != "DELETED" else ()
        for key in self._keys.pop(place, ()):
            if key not in keys:
                self._drop(key, place)
        for key in keys:
            self._found.setdefault(key, {})[place] = None
        if keys:
            self._keys[place] = keys

    def _drop(self, key: str, place: tuple[str, str]) -> None:
        filed = self._found[key]
        del filed[place]
        if not filed:
            del self._found[key]


_SHARED: WeakKeyDictionary[Informer, dict[KeysOf, Index]] = WeakKeyDictionary()


def by_controller(obj: Object) -> Iterable[str]:
    """Filed under the uid of the owner that controls it; what nobody controls under `orphans`."""
    owner = meta.controller_of(obj)
    return (str(owner["uid"]),) if owner is not None else (orphans(meta.namespace(obj)),)


def orphans(namespace: str) -> str:
    """The key of a namespace's objects that no owner controls, in an index `by_controller`."""
    return f"{namespace}/orphan"


def by_node(pod: Object) -> Iterable[str]:
    """Pods under the name of the node that they are bound to."""
    node = (pod.get("spec") or {}).get("nodeName")
    return (str(node),) if node else ()
