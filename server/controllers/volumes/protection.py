"""Takes the protection from claims, volumes and attribute classes that are being deleted and not in use.

A claim is in use while a pod that has a node and has not ended names it, a volume while it is bound, an
attribute class while a claim or a volume names it. The finalizers come from admission. Each has a runner.
"""

from collections.abc import Callable

from kubeling.client import DONE, ControllerRunner, Informer, Result
from kubeling.client.index import Index
from kubeling.client.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, Resource
from kubeling.objects import meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.owned.pods import is_finished, node_of
from server.controllers.volumes.pod_claims import by_claim

_CLASSES = Resource(
    "storage.k8s.io", "v1", "volumeattributesclasses", "VolumeAttributesClass", namespaced=False
)
_CLASS_FIELD = "volumeAttributesClassName"


def make_claim_protection(context: Context) -> Controller:
    claims, pods = context.client.informer(PERSISTENT_VOLUME_CLAIMS), context.client.informer(PODS)

    users = Index.shared(pods, by_claim)

    def in_use(claim: Object) -> bool:
        return any(node_of(pod) and not is_finished(pod) for pod in users.get(meta.key(claim)))

    protection = _Protection(
        context, PERSISTENT_VOLUME_CLAIMS, claims, "kubernetes.io/pvc-protection", in_use
    )
    runner = protection.runner("persistentvolumeclaim-protection-controller")
    _follow(runner, pods, protection)
    return runner


def make_volume_protection(context: Context) -> Controller:
    volumes = context.client.informer(PERSISTENT_VOLUMES)
    protection = _Protection(
        context,
        PERSISTENT_VOLUMES,
        volumes,
        "kubernetes.io/pv-protection",
        lambda volume: (volume.get("status") or {}).get("phase") == "Bound",
    )
    return protection.runner("persistentvolume-protection-controller")


def make_class_protection(context: Context) -> Controller:
    users = [context.client.informer(each) for each in (PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES)]
    classes = context.client.informer(_CLASSES)

    def in_use(found: Object) -> bool:
        return any(meta.name(found) in _classes_of(each) for informer in users for each in informer.list())

    protection = _Protection(context, _CLASSES, classes, "kubernetes.io/vac-protection", in_use)
    runner = protection.runner("volumeattributesclass-protection-controller")
    for informer in users:
        _follow(runner, informer, protection)
    return runner


def _classes_of(obj: Object) -> set[str]:
    state = obj.get("status") or {}
    target = (state.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName")
    current = state.get("currentVolumeAttributesClassName")
    return {each for each in ((obj.get("spec") or {}).get(_CLASS_FIELD), current, target) if each}


class _Protection:
    def __init__(
        self,
        context: Context,
        resource: Resource,
        informer: Informer,
        finalizer: str,
        in_use: Callable[[Object], bool],
    ) -> None:
        self._context = context
        self._resource = resource
        self._informer = informer
        self._finalizer = finalizer
        self._in_use = in_use
        self._waiting: dict[str, None] = {}
        informer.add_handler(self._note)

    def runner(self, name: str) -> ControllerRunner:
        runner = ControllerRunner(name, self._reconcile, clock=self._context.clock)
        runner.watches(self._informer, lambda obj: meta.key(obj) if self.waits(obj) else None)
        return runner

    def waiting(self) -> list[str]:
        """The keys of the objects whose deletion waits for nobody to use them."""
        return list(self._waiting)

    def _note(self, kind: str, obj: Object, _: Object | None) -> None:
        if kind != "DELETED" and self.waits(obj):
            self._waiting[meta.key(obj)] = None
        else:
            self._waiting.pop(meta.key(obj), None)

    def waits(self, obj: Object) -> bool:
        return meta.is_terminating(obj) and self._finalizer in (obj["metadata"].get("finalizers") or ())

    async def _reconcile(self, key: str) -> Result:
        found = self._informer.get(*meta.split_key(key))
        if found is None or not self.waits(found) or self._in_use(found):
            return DONE
        left = [each for each in found["metadata"]["finalizers"] if each != self._finalizer]
        fresh = {**found, "metadata": {**found["metadata"], "finalizers": left}}
        try:
            await self._context.client.update(self._resource, fresh)
        except NotFound:
            return DONE
        return DONE


def _follow(runner: ControllerRunner, informer: Informer, protection: _Protection) -> None:
    """Look again at what waits whenever a user of it changes or goes."""
    runner.reads(informer)

    def changed(kind: str, obj: Object, old: Object | None) -> None:
        for key in protection.waiting():
            runner.queue.add(key)

    informer.add_handler(changed)
