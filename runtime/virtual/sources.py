"""The ConfigMaps and Secrets that pods of all virtual nodes refer to, out of one watch of each kind.

A kind is watched from when the first pod refers to an object of it.
"""

from collections.abc import Callable, Iterable

from kubeling.client.protocol import Client, Informer
from kubeling.objects import meta
from kubeling.objects.meta import Object
from runtime.pods.object_sources import RESOURCES, shown
from runtime.pods.references import TRUST_BUNDLES, Reference


class SharedSources:
    """Implements `PodSources`."""

    def __init__(self, client: Client, changed: Callable[[str], None]) -> None:
        """`changed` is called with the uid of each pod that refers to an object that changed."""
        self._client = client
        self._changed = changed
        self._informers: dict[str, Informer] = {}
        self._pods: dict[Reference, set[str]] = {}
        self._held: dict[str, tuple[Reference, ...]] = {}

    def hold(self, pod_uid: str, references: Iterable[Reference]) -> None:
        held = self._held.get(pod_uid, ())
        fresh = tuple(dict.fromkeys(each for each in references if each not in held))
        if fresh:
            self._held[pod_uid] = (*held, *fresh)
            for reference in fresh:
                self._pods.setdefault(reference, set()).add(pod_uid)
                self._informer(reference.kind)

    def release(self, pod_uid: str) -> None:
        for reference in self._held.pop(pod_uid, ()):
            pods = self._pods[reference]
            pods.discard(pod_uid)
            if not pods:
                del self._pods[reference]

    async def get(self, references: Iterable[Reference]) -> dict[Reference, Object]:
        found: dict[Reference, Object] = {}
        for reference in references:
            informer = self._informer(reference.kind)
            if not informer.synced:
                await informer.wait_synced()
            obj = shown(informer, reference)
            if obj is not None:
                found[reference] = obj
        return found

    async def stop(self) -> None:
        """The informers are the client's."""

    def _informer(self, kind: str) -> Informer:
        if kind not in self._informers:
            informer = self._informers[kind] = self._client.informer(RESOURCES[kind])

            def tell(_: str, obj: Object, __: Object | None) -> None:
                reference = Reference(kind, meta.namespace(obj), meta.name(obj))
                if kind == TRUST_BUNDLES:
                    reference = Reference(kind, "", "")
                for pod_uid in list(self._pods.get(reference, ())):
                    self._changed(pod_uid)

            informer.add_handler(tell)
        return self._informers[kind]
