"""Makes the claims of pods' generic ephemeral volumes: `POD-VOLUME`, owned by the pod. The key is the pod."""

import copy

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.resources import PERSISTENT_VOLUME_CLAIMS, PODS
from kubeling.objects import meta
from kubeling.objects.errors import AlreadyExists, ApiError
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.owned.ownership import owner_reference
from server.controllers.owned.pod_control import namespace_terminates

WORKERS = 10


def make(context: Context) -> Controller:
    ephemeral = EphemeralVolumes(context)
    return ephemeral.runner


class EphemeralVolumes:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._recorder = context.recorder("ephemeral_volume")
        self._pods = context.client.informer(PODS)
        self._claims = context.client.informer(PERSISTENT_VOLUME_CLAIMS)
        self.runner = ControllerRunner(
            "ephemeral-volume-controller", self._reconcile, clock=context.clock, workers=WORKERS
        )
        self.runner.watches(self._pods, lambda pod: meta.key(pod) if _ephemeral(pod) else None)
        self._claims.add_handler(self._claim_changed)
        self.runner.reads(self._claims)

    def _claim_changed(self, kind: str, claim: Object, _: Object | None) -> None:
        """One that is gone is made again, while its pod is there."""
        owner = meta.controller_of(claim)
        if kind == "DELETED" and owner is not None and owner.get("kind") == "Pod":
            self.runner.queue.add(f"{meta.namespace(claim)}/{owner['name']}")

    async def _reconcile(self, key: str) -> Result:
        pod = self._pods.get(*meta.split_key(key))
        if pod is None or meta.is_terminating(pod):
            return DONE
        for volume in _ephemeral(pod):
            await self._provide(pod, volume)
        return DONE

    async def _provide(self, pod: Object, volume: Object) -> None:
        name = f"{meta.name(pod)}-{volume['name']}"
        claim = self._claims.get(meta.namespace(pod), name)
        if claim is not None:
            self._check(pod, volume, claim)
            return
        try:
            await self._client.create(PERSISTENT_VOLUME_CLAIMS, _claim(pod, volume, name))
        except AlreadyExists:
            raise
        except ApiError as error:
            if namespace_terminates(error):
                return
            self._say(pod, volume, f"create PVC {meta.namespace(pod)}/{name}: {error}")
            raise

    def _check(self, pod: Object, volume: Object, claim: Object) -> None:
        """A claim of that name that is not the pod's keeps it from starting; the user has to see to it."""
        owner = meta.controller_of(claim) or {}
        if owner.get("uid") != meta.uid(pod):
            why = f"PVC {meta.key(claim)} was not created for pod {meta.key(pod)} (pod is not owner)"
            self._say(pod, volume, why)

    def _say(self, pod: Object, volume: Object, why: str) -> None:
        self._recorder.event(pod, "Warning", "FailedBinding", f"ephemeral volume {volume['name']}: {why}")


def _ephemeral(pod: Object) -> list[Object]:
    return [each for each in (pod.get("spec") or {}).get("volumes") or () if each.get("ephemeral")]


def _claim(pod: Object, volume: Object, name: str) -> Object:
    template = volume["ephemeral"].get("volumeClaimTemplate") or {}
    given = template.get("metadata") or {}
    metadata: Object = {k: copy.deepcopy(given[k]) for k in ("labels", "annotations") if given.get(k)}
    metadata |= {"name": name, "namespace": meta.namespace(pod)}
    metadata["ownerReferences"] = [owner_reference(pod, PODS)]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": copy.deepcopy(template.get("spec") or {}),
    }
