"""The writes that tie a claim and a volume together, and those that say how they are.

Each is a compare-and-swap of what was read, left out where nothing would change; what is stored is returned.
"""

from collections.abc import Mapping

from kubeling.client import Client, EventRecorder
from kubeling.client.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from kubeling.objects import meta
from kubeling.objects.meta import Object
from kubeling.objects.volume_claims import BIND_COMPLETED, BOUND_BY_CONTROLLER, is_for, reference_to

NORMAL, WARNING = "Normal", "Warning"


class Binding:
    def __init__(self, client: Client, recorder: EventRecorder) -> None:
        self._client = client
        self.recorder = recorder

    async def bind(self, volume: Object, claim: Object) -> None:
        """Both ways, in the order in which a crash in between does no harm."""
        volume = await self._bind_volume(volume, claim)
        volume = await self.set_volume_phase(volume, "Bound")
        claim = await self._bind_claim(claim, volume)
        await self.set_claim_status(claim, "Bound", volume)

    async def unbind(self, volume: Object) -> None:
        """The claim is another volume's; one that the user has reserved stays reserved by name."""
        spec = dict(volume["spec"])
        if BOUND_BY_CONTROLLER in meta.annotations(volume):
            spec.pop("claimRef", None)
            annotations = {k: v for k, v in meta.annotations(volume).items() if k != BOUND_BY_CONTROLLER}
            volume = {**volume, "metadata": {**volume["metadata"], "annotations": annotations}}
        else:
            spec["claimRef"] = {k: v for k, v in (spec.get("claimRef") or {}).items() if k != "uid"}
        fresh = await self._client.update(PERSISTENT_VOLUMES, {**volume, "spec": spec})
        await self.set_volume_phase(fresh, "Available")

    async def set_volume_phase(self, volume: Object, phase: str, message: str = "") -> Object:
        """The message goes with the phase: while that stays, what others say in it stays, too."""
        status = volume.get("status") or {}
        if status.get("phase") == phase:
            return volume
        fresh = {k: v for k, v in status.items() if k != "message"} | {"phase": phase}
        if message:
            fresh["message"] = message
        return await self._client.update(
            PERSISTENT_VOLUMES, {**volume, "status": fresh}, subresource="status"
        )

    async def fail_volume(self, volume: Object, reason: str, message: str) -> None:
        """Phase Failed, and an event if that is new."""
        before = volume
        fresh = await self.set_volume_phase(volume, "Failed", message)
        if fresh is not before:
            self.recorder.event(fresh, WARNING, reason, message)

    async def set_claim_status(self, claim: Object, phase: str, volume: Object | None) -> Object:
        """With what the volume offers; a claim that is bound already keeps its capacity, which may differ."""
        status = claim.get("status") or {}
        fresh = {k: v for k, v in status.items() if k not in ("accessModes", "capacity")} | {"phase": phase}
        if volume is not None:
            fresh |= _offer(volume, status)
        if fresh == status:
            return claim
        whole = {**claim, "status": fresh}
        return await self._client.update(PERSISTENT_VOLUME_CLAIMS, whole, subresource="status")

    async def lose_claim(self, claim: Object, reason: str, message: str) -> None:
        """The claim has lost its volume, which an event says once."""
        if (claim.get("status") or {}).get("phase") != "Lost":
            await self.set_claim_status(claim, "Lost", None)
            self.recorder.event(claim, WARNING, reason, message)

    async def update_claim(
        self, claim: Object, *, spec: Mapping[str, object] | None = None, annotations: Mapping[str, str]
    ) -> Object:
        """With these fields of the spec and these annotations, if it does not have them."""
        wanted = {**claim["spec"], **(spec or {})}
        noted = {**meta.annotations(claim), **annotations}
        if wanted == claim["spec"] and noted == meta.annotations(claim):
            return claim
        metadata = {**claim["metadata"], "annotations": noted} if noted else claim["metadata"]
        fresh = {**claim, "spec": wanted, "metadata": metadata}
        return await self._client.update(PERSISTENT_VOLUME_CLAIMS, fresh)

    async def _bind_volume(self, volume: Object, claim: Object) -> Object:
        reference = volume["spec"].get("claimRef")
        if reference and is_for(volume, claim) and reference.get("uid"):
            return volume
        metadata = dict(volume["metadata"])
        if not reference:
            metadata["annotations"] = {**meta.annotations(volume), BOUND_BY_CONTROLLER: "yes"}
        spec = {**volume["spec"], "claimRef": reference_to(claim)}
        return await self._client.update(PERSISTENT_VOLUMES, {**volume, "spec": spec, "metadata": metadata})

    async def _bind_claim(self, claim: Object, volume: Object) -> Object:
        annotations = {BIND_COMPLETED: "yes"}
        if claim["spec"].get("volumeName") != meta.name(volume):
            annotations[BOUND_BY_CONTROLLER] = "yes"
        return await self.update_claim(claim, spec={"volumeName": meta.name(volume)}, annotations=annotations)


def _offer(volume: Object, status: Object) -> Object:
    spec = volume["spec"]
    kept = status.get("phase") == "Bound" and status.get("capacity")
    found: Object = {
        "accessModes": spec.get("accessModes") or [],
        "capacity": kept or spec.get("capacity") or {},
    }
    if spec.get("volumeAttributesClassName") and status.get("phase") != "Bound":
        found["currentVolumeAttributesClassName"] = spec["volumeAttributesClassName"]
    return found
