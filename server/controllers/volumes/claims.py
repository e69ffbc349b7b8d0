"""One claim: finds it a volume, asks for one to be made, or says what has become of the one it had.

not bound ─ names a volume ──> that one, once it is there and fits
          ─ names none ──────> the best match; else wait for a pod, ask a provisioner, or wait
bound ──────────────────────> checked: a volume that is gone or another's makes the claim Lost
"""

from collections.abc import Callable

from kubeling.client import Informer
from kubeling.client.index import Index
from kubeling.objects import meta
from kubeling.objects.errors import Conflict, NotFound
from kubeling.objects.meta import Object
from kubeling.objects.volume_claims import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    SELECTED_NODE,
    class_of,
    is_for,
)
from server.controllers.owned.pods import node_of
from server.controllers.volumes.binding import NORMAL, WARNING, Binding
from server.controllers.volumes.classes import default_class, has_class, waits_for_consumer
from server.controllers.volumes.matching import best_match, mismatch

PROVISIONERS = ("volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner")
_IN_TREE = "kubernetes.io/"

Candidates = Callable[[Object], list[Object]]
"""The volumes that come into question for a claim."""


class Claims:
    def __init__(
        self,
        binding: Binding,
        *,
        volumes: Informer,
        classes: Informer,
        pods_of: Index,
        candidates: Candidates,
    ) -> None:
        self._binding = binding
        self._volumes = volumes
        self._classes = classes
        self._pods_of = pods_of
        self._candidates = candidates

    async def sync(self, claim: Object) -> None:
        if BIND_COMPLETED in meta.annotations(claim):
            await self._check_bound(claim)
        elif claim["spec"].get("volumeName"):
            await self._bind_requested(claim)
        else:
            await self._find(claim)

    async def _find(self, claim: Object) -> None:
        storage_class = self._class(claim)
        delayed = waits_for_consumer(storage_class)
        volume = best_match(claim, self._candidates(claim), delayed=delayed)
        if volume is not None:
            await self._binding.bind(volume, claim)
            return
        if await self._took_default_class(claim):
            return  # its change brings it here again
        if delayed and SELECTED_NODE not in meta.annotations(claim):
            self._say_waiting(claim)
        elif class_of(claim):
            claim = await self._provision(claim, storage_class)
        else:
            message = "no persistent volumes available for this claim and no storage class is set"
            self._say(claim, NORMAL, "FailedBinding", message)
        await self._binding.set_claim_status(claim, "Pending", None)

    def _class(self, claim: Object) -> Object | None:
        name = class_of(claim)
        return self._classes.get("", name) if name else None

    async def _took_default_class(self, claim: Object) -> bool:
        """A claim that was made before there was a default class gets it now."""
        found = default_class(self._classes.list()) if not has_class(claim) else None
        if found is None:
            return False
        await self._binding.update_claim(claim, spec={"storageClassName": meta.name(found)}, annotations={})
        return True

    def _say_waiting(self, claim: Object) -> None:
        reason, message = "WaitForFirstConsumer", "waiting for first consumer to be created before binding"
        waiting = sorted(meta.name(pod) for pod in self._pods_of.get(meta.key(claim)) if not node_of(pod))
        if waiting:
            plural = "pods" if len(waiting) > 1 else "pod"
            reason, message = (
                "WaitForPodScheduled",
                f"waiting for {plural} {','.join(waiting)} to be scheduled",
            )
        self._say(claim, NORMAL, reason, message)

    async def _provision(self, claim: Object, storage_class: Object | None) -> Object:
        """Tell who is to make a volume. Nothing is made here: provisioners are programs of their own."""
        if storage_class is None:
            missing = NotFound(f'storageclass.storage.k8s.io "{class_of(claim)}" not found')
            self._say(claim, WARNING, "ProvisioningFailed", str(missing))
            return claim
        provisioner = str(storage_class.get("provisioner"))
        if provisioner.startswith(_IN_TREE):
            message = f"no volume plugin matched name: {provisioner}"
            self._say(claim, WARNING, "ProvisioningFailed", message)
            return claim
        annotations = dict.fromkeys(PROVISIONERS, provisioner)
        claim = await self._binding.update_claim(claim, annotations=annotations)
        self._say(
            claim,
            NORMAL,
            "ExternalProvisioning",
            f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or"
            " manually by the system administrator. If volume creation is delayed, please verify that the"
            " provisioner is running and correctly registered.",
        )
        return claim

    async def _bind_requested(self, claim: Object) -> None:
        name = claim["spec"]["volumeName"]
        volume = self._volumes.get("", name)
        if volume is None:
            await self._binding.set_claim_status(claim, "Pending", None)
        elif is_for(volume, claim):
            await self._binding.bind(volume, claim)
        elif volume["spec"].get("claimRef"):
            await self._refuse_taken(claim, name)
        elif why := mismatch(volume, claim):
            self._say(claim, WARNING, "VolumeMismatch", f'Cannot bind to requested volume "{name}": {why}')
            await self._binding.set_claim_status(claim, "Pending", None)
        else:
            await self._binding.bind(volume, claim)

    async def _refuse_taken(self, claim: Object, name: str) -> None:
        if BOUND_BY_CONTROLLER in meta.annotations(claim):
            raise Conflict(f"claim {meta.key(claim)} is bound to the volume {name}, which is another claim's")
        self._say(claim, WARNING, "FailedBinding", f'volume "{name}" already bound to a different claim.')
        await self._binding.set_claim_status(claim, "Pending", None)

    async def _check_bound(self, claim: Object) -> None:
        name = claim["spec"].get("volumeName")
        volume = self._volumes.get("", name) if name else None
        if not name:
            message = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
            await self._binding.lose_claim(claim, "ClaimLost", message)
        elif volume is None:
            message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
            await self._binding.lose_claim(claim, "ClaimLost", message)
        elif not volume["spec"].get("claimRef") or volume["spec"]["claimRef"].get("uid") == meta.uid(claim):
            await self._binding.bind(volume, claim)
        else:
            message = "Two claims are bound to the same volume, this one is bound incorrectly"
            await self._binding.lose_claim(claim, "ClaimMisbound", message)

    def _say(self, claim: Object, kind: str, reason: str, message: str) -> None:
        self._binding.recorder.event(claim, kind, reason, message)
