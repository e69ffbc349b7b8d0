"""Finds the volumes that a pod's claims are bound to, and checks that the pod may use them.

What is found takes the place of the claim among the pod's volumes, as `name`, `persistentVolume`, `readOnly`.
"""

from typing import Protocol

from kubeling.client.errors import ConnectionLost
from kubeling.client.protocol import Client
from kubeling.client.resources import NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from kubeling.objects import meta, node_selection
from kubeling.objects.errors import ApiError
from kubeling.objects.meta import Object
from runtime.pods.cgroups.qos import all_containers
from runtime.volumes.errors import ClaimsNotReady


class PodClaims(Protocol):
    async def resolve(self, pod: Object) -> dict[str, Object]:
        """What takes the place of the volumes that are claims, by their names. Raises ClaimsNotReady."""


class Claims:
    """Asks the API each time: a node may read claims and volumes, but not watch them."""

    def __init__(self, client: Client, node_name: str) -> None:
        self._client = client
        self._node_name = node_name

    async def resolve(self, pod: Object) -> dict[str, Object]:
        found: dict[str, Object] = {}
        for volume in (pod.get("spec") or {}).get("volumes") or []:
            if is_claim(volume):
                try:
                    found[volume["name"]] = await self._resolved(pod, volume)
                except (_NotUsable, ApiError, ConnectionLost) as error:
                    raise ClaimsNotReady(volume["name"], error) from error
        return found

    async def _resolved(self, pod: Object, volume: Object) -> Object:
        space, claim_name = meta.namespace(pod), claim_of(pod, volume)
        claim = await self._claim(space, claim_name)
        if "ephemeral" in volume and not _is_owner(pod, claim):
            where = f"PVC {space}/{claim_name}"
            raise _NotUsable(f"{where} was not created for pod {meta.key(pod)} (pod is not owner)")
        try:
            found = await self._volume(claim)
        except _NotUsable as error:
            raise _NotUsable(f"error processing PVC {space}/{claim_name}: {error}") from error
        _check_mode(pod, volume, found)
        await self._check_node(found)
        read_only = bool((volume.get("persistentVolumeClaim") or {}).get("readOnly"))
        return {"name": volume["name"], "persistentVolume": found, "readOnly": read_only}

    async def _claim(self, space: str, name: str) -> Object:
        prefix = f"error processing PVC {space}/{name}: "
        try:
            claim = await self._client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace=space)
        except ApiError as error:
            raise _NotUsable(f"{prefix}failed to fetch PVC from API server: {error}") from error
        if meta.is_terminating(claim):
            raise _NotUsable(f"{prefix}PVC is being deleted")
        if (claim.get("status") or {}).get("phase") != "Bound":
            raise _NotUsable(f"{prefix}PVC is not bound")
        if not claim["spec"].get("volumeName"):
            raise _NotUsable(f"{prefix}PVC has empty pvc.Spec.VolumeName")
        return claim

    async def _volume(self, claim: Object) -> Object:
        name = claim["spec"]["volumeName"]
        try:
            volume = await self._client.get(PERSISTENT_VOLUMES, name)
        except ApiError as error:
            raise _NotUsable(f"failed to fetch PV {name} from API server: {error}") from error
        reference = volume["spec"].get("claimRef")
        if not reference:
            why = "it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim"
            raise _NotUsable(f"found PV object {name} but {why}")
        if reference.get("uid") != meta.uid(claim):
            why = f"its pv.Spec.ClaimRef.UID {reference.get('uid')} does not point to"
            why += f" claim.UID {meta.uid(claim)}"
            raise _NotUsable(f"found PV object {name} but {why}")
        return volume

    async def _check_node(self, volume: Object) -> None:
        required = (volume["spec"].get("nodeAffinity") or {}).get("required")
        if not required:
            return
        node = await self._client.get(NODES, self._node_name)
        if not node_selection.any_of(required)(meta.labels(node), self._node_name):
            what = f'MountVolume.NodeAffinity check failed for volume "{meta.name(volume)}"'
            raise _NotUsable(f"{what} : no matching NodeSelectorTerms")


class _NotUsable(Exception):
    """Why a claim cannot be used now."""


def is_claim(volume: Object) -> bool:
    return "persistentVolumeClaim" in volume or "ephemeral" in volume


def claim_of(pod: Object, volume: Object) -> str:
    """The name of the claim; that of an ephemeral volume is made for the pod."""
    if "ephemeral" in volume:
        return f"{meta.name(pod)}-{volume['name']}"
    return str(volume["persistentVolumeClaim"].get("claimName", ""))


def volume_mode(volume: Object) -> str:
    """Of a PersistentVolume."""
    return str(volume["spec"].get("volumeMode") or "Filesystem")


def _is_owner(pod: Object, claim: Object) -> bool:
    owners = meta.metadata(claim).get("ownerReferences") or []
    return any(each.get("controller") and each.get("uid") == meta.uid(pod) for each in owners)


def _check_mode(pod: Object, volume: Object, found: Object) -> None:
    name, mode = volume["name"], volume_mode(found)
    for field, wanted in (("volumeMounts", "Filesystem"), ("volumeDevices", "Block")):
        used = any(each["name"] == name for one in all_containers(pod) for each in one.get(field) or [])
        if used and mode != wanted:
            raise _NotUsable(f"volume {name} has volumeMode {mode}, but is specified in {field}")
