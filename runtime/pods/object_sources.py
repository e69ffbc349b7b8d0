"""Watches just the ConfigMaps and Secrets that pods of this node refer to, each once however many pods do.

Of trust bundles it watches all, once a pod refers to any.

`get` gives the object as last seen; a pod is told when one of its objects changes, appears or goes away.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kubeling.client.informer import CachedInformer
from kubeling.client.protocol import Client, Informer
from kubeling.client.resources import CLUSTER_TRUST_BUNDLES, CONFIGMAPS, SECRETS
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from runtime.pods.references import CONFIG_MAP, SECRET, TRUST_BUNDLES, Reference

RESOURCES = {CONFIG_MAP: CONFIGMAPS, SECRET: SECRETS, TRUST_BUNDLES: CLUSTER_TRUST_BUNDLES}


@dataclass(slots=True)
class _Source:
    informer: CachedInformer
    tasks: Tasks
    pods: set[str] = field(default_factory=set)


class ObjectSources:
    def __init__(
        self, client: Client, clock: Clock, tasks: Tasks, changed: Callable[[str], None] = lambda uid: None
    ) -> None:
        """`changed` is called with the uid of each pod that refers to an object that changed."""
        self._client = client
        self._clock = clock
        self._tasks = tasks
        self._sources: dict[Reference, _Source] = {}
        self.changed = changed

    def hold(self, pod_uid: str, references: Iterable[Reference]) -> None:
        """Watch these for the pod."""
        for reference in references:
            if reference not in self._sources:
                self._sources[reference] = self._watch(reference)
            self._sources[reference].pods.add(pod_uid)

    def release(self, pod_uid: str) -> None:
        """Stop watching what only this pod referred to."""
        for reference, source in list(self._sources.items()):
            source.pods.discard(pod_uid)
            if not source.pods:
                del self._sources[reference]
                self._tasks.start(source.tasks.stop(), name=f"unwatch-{reference.kind}-{reference.name}")

    async def get(self, references: Iterable[Reference]) -> dict[Reference, Object]:
        """Those of the held objects that exist; waits until the API has said so about each."""
        found: dict[Reference, Object] = {}
        for reference in references:
            source = self._sources.get(reference)
            if source is None:
                continue
            await source.informer.wait_synced()
            obj = shown(source.informer, reference)
            if obj is not None:
                found[reference] = obj
        return found

    async def stop(self) -> None:
        for source in self._sources.values():
            await source.tasks.stop()
        self._sources.clear()

    def _watch(self, reference: Reference) -> _Source:
        informer = CachedInformer(
            self._client,
            RESOURCES[reference.kind],
            clock=self._clock,
            namespace=reference.namespace or None,
            field_selector=f"metadata.name={reference.name}" if reference.name else "",
        )
        tasks = Tasks(f"watch-{reference.kind.lower()}-{reference.namespace}-{reference.name}")
        tasks.start(informer.run(tasks), name="informer")
        informer.add_handler(lambda kind, obj, old: self._tell(reference, informer))
        return _Source(informer, tasks)

    def _tell(self, reference: Reference, informer: CachedInformer) -> None:
        source = self._sources.get(reference)
        if source is not None and informer.synced:
            for pod_uid in source.pods:
                self.changed(pod_uid)


def shown(informer: Informer, reference: Reference) -> Object | None:
    """What the informer has of it; of trust bundles the list of all."""
    if reference.kind == TRUST_BUNDLES:
        return {"items": informer.list()}
    return informer.get(reference.namespace, reference.name)
