"""Binds claims and volumes to each other and keeps them so. A key is `claim:NAMESPACE/NAME` or `volume:NAME`.

One worker, so that no two claims are given the same volume. How claims fare is in `claims`; volumes here:

 no claimRef, or one that only names a claim ──> Available
 its claim names it ──────────────────────────> Bound
 its claim is gone ───────────────────────────> Released, then reclaimed
"""

from collections.abc import Iterable

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.index import Index
from kubeling.client.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES
from kubeling.objects import meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from kubeling.objects.volume_claims import BIND_COMPLETED, class_of, modes_differ
from server.controllers.context import Context, Controller
from server.controllers.volumes.binding import WARNING, Binding
from server.controllers.volumes.claims import Claims
from server.controllers.volumes.pod_claims import by_claim
from server.controllers.volumes.reclaim import PROVISIONED_BY, Reclaim, recycled_by

_CLAIM, _VOLUME = "claim:", "volume:"


def make(context: Context) -> Controller:
    return Binder(context).runner


class Binder:
    def __init__(self, context: Context) -> None:
        client = context.client
        self._client = client
        self._claims = client.informer(PERSISTENT_VOLUME_CLAIMS)
        self._volumes = client.informer(PERSISTENT_VOLUMES)
        self._classes = client.informer(STORAGE_CLASSES)
        pods = client.informer(PODS)
        self._by_claim = Index(self._volumes, _claim_of)
        self._free = Index(self._volumes, _free_class)
        self._unbound = Index(self._claims, _unbound_class)
        self._binding = Binding(client, context.recorder("persistentvolume-controller"))
        self._reclaim = Reclaim(client, self._binding, pods)
        self._sync = Claims(
            self._binding,
            volumes=self._volumes,
            classes=self._classes,
            pods_of=Index.shared(pods, by_claim),
            candidates=self._candidates,
        )
        self.runner = ControllerRunner("persistentvolume-controller", self._reconcile, clock=context.clock)
        self._claims.add_handler(self._claim_changed)
        self._volumes.add_handler(self._volume_changed)
        self._classes.add_handler(self._class_changed)
        pods.add_handler(self._pod_changed)
        for informer in (self._claims, self._volumes, self._classes, pods):
            self.runner.reads(informer)

    def _candidates(self, claim: Object) -> list[Object]:
        """Those that are reserved for it, and all of its class that nobody has claimed."""
        return [*self._by_claim.get(meta.key(claim)), *self._free.get(class_of(claim))]

    def _claim_changed(self, kind: str, claim: Object, _: Object | None) -> None:
        if kind != "DELETED":
            self.runner.queue.add(_CLAIM + meta.key(claim))
            return
        for volume in self._by_claim.get(meta.key(claim)):
            self.runner.queue.add(_VOLUME + meta.name(volume))

    def _volume_changed(self, kind: str, volume: Object, _: Object | None) -> None:
        if kind != "DELETED":
            self.runner.queue.add(_VOLUME + meta.name(volume))
        if kind != "DELETED" and not volume["spec"].get("claimRef"):
            self._queue_unbound(class_of(volume))
        for key in _claim_of(volume):
            self.runner.queue.add(_CLAIM + key)

    def _class_changed(self, kind: str, storage_class: Object, _: Object | None) -> None:
        self._queue_unbound(meta.name(storage_class))
        self._queue_unbound("")

    def _pod_changed(self, kind: str, pod: Object, _: Object | None) -> None:
        name = recycled_by(pod)
        if name is not None and self._volumes.get("", name) is not None:
            self.runner.queue.add(_VOLUME + name)

    def _queue_unbound(self, storage_class: str) -> None:
        for claim in self._unbound.get(storage_class):
            self.runner.queue.add(_CLAIM + meta.key(claim))

    async def _reconcile(self, key: str) -> Result:
        if key.startswith(_CLAIM):
            claim = self._claims.get(*meta.split_key(key.removeprefix(_CLAIM)))
            if claim is not None:
                await self._sync.sync(claim)
        else:
            volume = self._volumes.get("", key.removeprefix(_VOLUME))
            if volume is not None:
                await self._sync_volume(volume)
        return DONE

    async def _sync_volume(self, volume: Object) -> None:
        reference = volume["spec"].get("claimRef") or {}
        if not reference.get("uid"):
            await self._binding.set_volume_phase(volume, "Available")
            return
        claim = self._claims.get(str(reference.get("namespace")), str(reference.get("name")))
        if claim is None or meta.uid(claim) != reference["uid"]:
            claim = await self._ask(reference)
        if claim is None:
            await self._release(volume)
        elif not claim["spec"].get("volumeName"):
            self._hand_over(volume, claim)
        elif claim["spec"]["volumeName"] == meta.name(volume):
            await self._binding.set_volume_phase(volume, "Bound")
        elif _is_provisioned(volume) and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            await self._release(volume)  # it was made for a claim that found another one meanwhile
        else:
            await self._binding.unbind(volume)

    async def _ask(self, reference: Object) -> Object | None:
        """Before a volume is given up, the server is asked: what is known here may be old."""
        try:
            claim = await self._client.get(
                PERSISTENT_VOLUME_CLAIMS, reference["name"], namespace=reference["namespace"]
            )
        except NotFound:
            return None
        return claim if meta.uid(claim) == reference["uid"] else None

    async def _release(self, volume: Object) -> None:
        phase = (volume.get("status") or {}).get("phase")
        if phase not in ("Released", "Failed"):
            volume = await self._binding.set_volume_phase(volume, "Released")
        await self._reclaim.reclaim(volume)

    def _hand_over(self, volume: Object, claim: Object) -> None:
        """The volume names the claim, the claim not yet the volume: its own turn settles that."""
        if modes_differ(volume, claim):
            message = (
                f'Cannot bind PersistentVolume to requested PersistentVolumeClaim "{meta.name(claim)}"'
                " due to incompatible volumeMode."
            )
            self._binding.recorder.event(volume, WARNING, "VolumeMismatch", message)
            return
        self.runner.queue.add(_CLAIM + meta.key(claim))


def _claim_of(volume: Object) -> Iterable[str]:
    reference = volume["spec"].get("claimRef")
    return (f"{reference.get('namespace')}/{reference.get('name')}",) if reference else ()


def _free_class(volume: Object) -> Iterable[str]:
    return () if volume["spec"].get("claimRef") else (class_of(volume),)


def _unbound_class(claim: Object) -> Iterable[str]:
    if BIND_COMPLETED in meta.annotations(claim):
        return ()
    return (class_of(claim),)


def _is_provisioned(volume: Object) -> bool:
    return PROVISIONED_BY in meta.annotations(volume)
