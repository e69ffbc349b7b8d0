"""Tells when the last of what was left in a namespace is gone, so that nobody has to look again and again."""

from collections.abc import Callable, Mapping, Sequence

from kubeling.client import Client, Informer, Resource
from kubeling.objects import meta
from kubeling.objects.meta import Object


class Leftovers:
    """`gone` is called with the namespace."""

    def __init__(self, client: Client, gone: Callable[[str], None]) -> None:
        self._client = client
        self._gone = gone
        self._waiting: dict[str, set[str]] = {}
        """Namespace → the uids of what is left in it."""
        self._followed: dict[Resource, Informer] = {}

    def wait(self, namespace: str, left: Mapping[Resource, Sequence[Object]]) -> None:
        """From now on, wait for these in the place of those of before."""
        uids = self._waiting[namespace] = set()
        for resource, objects in left.items():
            informer = self._follow(resource)
            uids |= {meta.uid(each) for each in objects if not _is_gone(informer, each)}
        if not uids:
            self._end(namespace)

    def forget(self, namespace: str) -> None:
        self._waiting.pop(namespace, None)

    def _follow(self, resource: Resource) -> Informer:
        informer = self._client.informer(resource, metadata_only=True)
        if self._followed.get(resource) is not informer:
            self._followed[resource] = informer
            informer.add_handler(self._changed)
        return informer

    def _changed(self, kind: str, obj: Object, _: Object | None) -> None:
        waiting = self._waiting.get(meta.namespace(obj))
        if kind != "DELETED" or not waiting:
            return
        waiting.discard(meta.uid(obj))
        if not waiting:
            self._end(meta.namespace(obj))

    def _end(self, namespace: str) -> None:
        self.forget(namespace)
        self._gone(namespace)


def _is_gone(informer: Informer, obj: Object) -> bool:
    if not informer.synced:
        return False
    seen = informer.get(meta.namespace(obj), meta.name(obj))
    return seen is None or meta.uid(seen) != meta.uid(obj)
