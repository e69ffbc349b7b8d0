"""The claims of a StatefulSet's pods: making them, and who owns them, so that they go or stay as it asks.

By persistentVolumeClaimRetentionPolicy a claim belongs to the set (whenDeleted: Delete), to a pod that is too
many (whenScaled: Delete), or to nobody; the garbage collector does the rest.
"""

import copy

from kubeling.client import Client, EventRecorder, Informer
from kubeling.client.resources import PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS
from kubeling.objects import meta
from kubeling.objects.errors import AlreadyExists, ApiError, Conflict
from kubeling.objects.meta import Object
from server.controllers.owned.ownership import owner_reference
from server.controllers.owned.pod_control import namespace_terminates
from server.controllers.stateful_set.identity import (
    claim_name,
    claim_templates,
    new_claim,
    ordinal_of,
    ordinals,
)


class Claims:
    def __init__(self, client: Client, claims: Informer, recorder: EventRecorder) -> None:
        self._client = client
        self._claims = claims
        self._recorder = recorder

    async def provide(self, set_: Object, pod: Object) -> None:
        """Make those that are missing.

        Raises:
            ApiError: one could not be made, or one is being deleted.
        """
        for template in claim_templates(set_):
            there = self._get(set_, template, pod)
            if there is None:
                await self._create(set_, template, pod)
            elif meta.is_terminating(there):
                raise Conflict(f"pvc {meta.name(there)} is being deleted")

    def provided(self, set_: Object, pod: Object) -> bool:
        return all(self._get(set_, each, pod) is not None for each in claim_templates(set_))

    def settled(self, set_: Object, pod: Object) -> bool:
        """Whether those that are there belong to whom they are to."""
        return all(owners_of(each, set_, pod) is None for each in self._there(set_, pod))

    def stale(self, set_: Object, pod: Object) -> bool:
        """Whether one belongs to an earlier pod of that name, and is about to follow it."""
        if _policy(set_, "whenScaled") == "Retain":
            return False
        return any(_is_of_predecessor(each, pod) for each in self._there(set_, pod))

    async def give_owners(self, set_: Object, pod: Object) -> None:
        for claim in self._there(set_, pod):
            if _has_other_controller(claim, set_, pod):
                self._note_controller(set_, claim)
            owners = owners_of(claim, set_, pod)
            if owners is not None:
                changed = copy.deepcopy(claim)
                changed["metadata"]["ownerReferences"] = owners
                await self._client.update(PERSISTENT_VOLUME_CLAIMS, changed)

    def _there(self, set_: Object, pod: Object) -> list[Object]:
        found = [self._get(set_, each, pod) for each in claim_templates(set_)]
        return [claim for claim in found if claim is not None]

    def _get(self, set_: Object, template: Object, pod: Object) -> Object | None:
        return self._claims.get(meta.namespace(set_), claim_name(set_, template, ordinal_of(pod)))

    async def _create(self, set_: Object, template: Object, pod: Object) -> None:
        claim = new_claim(set_, template, ordinal_of(pod))
        owners = owners_of(claim, set_, pod)
        if owners:
            claim["metadata"]["ownerReferences"] = owners
        names = f"Claim {meta.name(claim)}", f"Pod {meta.name(pod)} in StatefulSet {meta.name(set_)}"
        try:
            await self._client.create(PERSISTENT_VOLUME_CLAIMS, claim)
        except AlreadyExists:
            return
        except ApiError as error:
            if not namespace_terminates(error):
                said = f"create {names[0]} for {names[1]} failed error: {error}"
                self._recorder.event(set_, "Warning", "FailedCreate", said)
            raise
        said = f"create {names[0]} {names[1]} success"
        self._recorder.event(set_, "Normal", "SuccessfulCreate", said)

    def _note_controller(self, set_: Object, claim: Object) -> None:
        said = (
            f"PersistentVolumeClaim {meta.namespace(claim)}/{meta.name(claim)} has a conflicting"
            " OwnerReference that acts as a managing controller, the retention policy is ignored for this"
            " claim"
        )
        self._recorder.event(set_, "Warning", "ConflictingController", said)


def owners_of(claim: Object, set_: Object, pod: Object) -> list[Object] | None:
    """The owner references that the claim is to have; None when it has them."""
    there: list[Object] = meta.metadata(claim).get("ownerReferences") or []
    if _has_other_controller(claim, set_, pod):
        return None
    surplus = ordinal_of(pod) not in ordinals(set_) and _policy(set_, "whenScaled") == "Delete"
    by_set = not surplus and _policy(set_, "whenDeleted") == "Delete"
    wanted = [each for each in there if not (_is_of_set(each, set_) or _is_of_pod(each, pod))]
    if surplus:
        wanted.append(owner_reference(pod, PODS))
    elif by_set:
        wanted.append(owner_reference(set_, STATEFUL_SETS))
    return None if _same(wanted, there) else wanted


def _same(wanted: list[Object], there: list[Object]) -> bool:
    return sorted(map(_identity, wanted)) == sorted(map(_identity, there))


def _identity(reference: Object) -> tuple[str, bool]:
    return str(reference.get("uid")), bool(reference.get("controller"))


def _policy(set_: Object, when: str) -> str:
    policy = set_["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return str(policy.get(when) or "Retain")


def _has_other_controller(claim: Object, set_: Object, pod: Object) -> bool:
    controller = meta.controller_of(claim)
    return not (controller is None or _is_of_set(controller, set_) or _is_of_pod(controller, pod))


def _is_of_set(reference: Object, set_: Object) -> bool:
    return reference.get("uid") == meta.uid(set_)


def _is_of_pod(reference: Object, pod: Object) -> bool:
    """Of this pod or an earlier one of its name."""
    return reference.get("kind") == PODS.kind and reference.get("name") == meta.name(pod)


def _is_of_predecessor(claim: Object, pod: Object) -> bool:
    references: list[Object] = meta.metadata(claim).get("ownerReferences") or []
    of_name = [each for each in references if _is_of_pod(each, pod)]
    return bool(of_name) and all(each.get("uid") != meta.uid(pod) for each in of_name)
