"""The history of a StatefulSet or DaemonSet: its templates, each kept in a ControllerRevision.

As upstream's controller history: `kubectl rollout history` and `undo` read what is written here. A revision's
data is a strategic merge patch that puts the template back. A template that comes back takes its old revision
with it, under a new number.
"""

import copy
import json
from collections.abc import Iterable
from typing import NamedTuple

from kubeling.client import Client, Informer, Resource
from kubeling.client.index import Index, by_controller, orphans
from kubeling.client.resources import CONTROLLER_REVISIONS
from kubeling.objects import meta
from kubeling.objects.errors import AlreadyExists, NotFound
from kubeling.objects.meta import Object
from server.controllers.owned.ownership import Claim, Selects, owner_reference

HASH_LABEL = "controller.kubernetes.io/hash"
POD_LABEL = "controller-revision-hash"
"""On each pod, which revision it was made from."""
_LONGEST_PREFIX = 223


class Current(NamedTuple):
    """The revision of the owner's present template, and how many names have collided by now."""

    revision: Object
    collisions: int


class History:
    """The revisions of all owners of one kind. `label` is what a revision carries its hash in."""

    def __init__(self, client: Client, revisions: Informer, owners: Resource, *, label: str) -> None:
        self._client = client
        self._owners = owners
        self._label = label
        self._revisions = Index.shared(revisions, by_controller)

    async def claim(self, owner: Object, selects: Selects) -> list[Object]:
        """The owner's revisions, the oldest number first, with those that it adopts now."""
        candidates = self._revisions.get(meta.uid(owner))
        candidates += self._revisions.get(orphans(meta.namespace(owner)))
        claim = Claim(
            self._client,
            owner,
            owner_resource=self._owners,
            resource=CONTROLLER_REVISIONS,
            selects=selects,
        )
        return sorted(await claim.claim(candidates), key=_order)

    async def current(self, owner: Object, revisions: list[Object]) -> Current:
        """The one that says what the owner's template says; made, or numbered anew, where needed.

        `revisions` are the owner's in order.
        """
        data, collisions = snapshot(owner), int((owner.get("status") or {}).get("collisionCount") or 0)
        following = number(revisions[-1]) + 1 if revisions else 1
        equal = [each for each in revisions if each.get("data") == data]
        if not equal:
            return await self._create(owner, data, following, collisions)
        if revisions[-1].get("data") == data:
            return Current(revisions[-1], collisions)
        raised = {**copy.deepcopy(equal[-1]), "revision": following}
        return Current(await self._client.update(CONTROLLER_REVISIONS, raised), collisions)

    async def delete(self, revisions: Iterable[Object]) -> None:
        for each in revisions:
            try:
                await self._client.delete(
                    CONTROLLER_REVISIONS, meta.name(each), namespace=meta.namespace(each)
                )
            except NotFound:
                continue

    async def _create(self, owner: Object, data: Object, revision: int, collisions: int) -> Current:
        while True:
            made = self._draft(owner, data, revision, collisions)
            try:
                return Current(await self._client.create(CONTROLLER_REVISIONS, made), collisions)
            except AlreadyExists:
                there = await self._client.get(
                    CONTROLLER_REVISIONS, meta.name(made), namespace=meta.namespace(owner)
                )
            if there.get("data") == data and _belongs(there, owner):
                return Current(there, collisions)
            collisions += 1

    def _draft(self, owner: Object, data: Object, revision: int, collisions: int) -> Object:
        hashed = data_hash(data, collisions)
        template = owner["spec"]["template"]
        metadata: Object = {
            "name": f"{meta.name(owner)[:_LONGEST_PREFIX]}-{hashed}",
            "namespace": meta.namespace(owner),
            "labels": {**meta.labels(template), self._label: hashed},
            "ownerReferences": [owner_reference(owner, self._owners)],
        }
        if annotations := meta.annotations(owner):
            metadata["annotations"] = dict(annotations)
        return {
            "apiVersion": CONTROLLER_REVISIONS.api_version,
            "kind": CONTROLLER_REVISIONS.kind,
            "metadata": metadata,
            "data": json.loads(_encoded(data)),
            "revision": revision,
        }


def snapshot(owner: Object) -> Object:
    """The patch that puts the owner's template back; shared with the owner: never change it."""
    return {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}


def restored(owner: Object, revision: Object) -> Object:
    """The owner as it was with the revision's template; shared: never change it."""
    template = {**revision["data"]["spec"]["template"]}
    template.pop("$patch", None)
    return {**owner, "spec": {**owner["spec"], "template": template}}


def number(revision: Object) -> int:
    return int(revision.get("revision") or 0)


def data_hash(data: Object, collisions: int) -> str:
    """Upstream's: 32 bits of FNV-1 over the JSON and the count of collisions, in letters that are safe."""
    value = 2166136261
    for byte in _encoded(data) + str(collisions).encode():
        value = (value * 16777619 & 0xFFFFFFFF) ^ byte
    alphabet = meta.SUFFIX_ALPHABET
    return "".join(alphabet[ord(digit) % len(alphabet)] for digit in str(value))


def _encoded(data: Object) -> bytes:
    """As Go writes a map: keys in order, no blanks. kubectl compares the bytes."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _order(revision: Object) -> tuple[int, str, str]:
    return number(revision), str(meta.metadata(revision).get("creationTimestamp") or ""), meta.name(revision)


def _belongs(revision: Object, owner: Object) -> bool:
    controller = meta.controller_of(revision)
    return controller is None or controller.get("uid") == meta.uid(owner)
