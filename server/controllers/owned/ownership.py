"""Adopting what an owner's selector selects and nobody owns; releasing what it selects no more.

Upstream's ControllerRefManager: nothing is adopted by an owner that is being deleted, and the owner is asked
of the server once before the first adoption, since the cache may show one that has been replaced. The writes
are patches that name the uid, so that they never touch another object of the same name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kubeling.client import STRATEGIC_PATCH, Client, Resource
from kubeling.objects import meta
from kubeling.objects.errors import ApiError, Invalid, NotFound
from kubeling.objects.meta import Object

Selects = Callable[[Mapping[str, str]], bool]


def owner_reference(owner: Object, resource: Resource) -> Object:
    """The reference of a controller, which blocks the owner's deletion in the foreground."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": meta.name(owner),
        "uid": meta.uid(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


class Claim:
    """One owner's claim to objects of `resource`. Make one for each reconcile.

    What is adopted gets the `finalizers`, and loses them when it is released.
    """

    def __init__(
        self,
        client: Client,
        owner: Object,
        *,
        owner_resource: Resource,
        resource: Resource,
        selects: Selects,
        finalizers: Sequence[str] = (),
    ) -> None:
        self._client = client
        self._owner = owner
        self._owner_resource = owner_resource
        self._resource = resource
        self._selects = selects
        self._finalizers = list(finalizers)
        self._may_adopt: bool | None = None

    async def claim(
        self, candidates: Iterable[Object], *, also: Callable[[Object], bool] = lambda _: True
    ) -> list[Object]:
        """Those of the candidates that are the owner's by now. `also` restricts what may be adopted or kept.

        Raises:
            ApiError: an adoption or a release failed for another reason than that the object is gone; the
                first, after all were tried.
        """
        uid, ours, first = meta.uid(self._owner), list[Object](), None
        for each in candidates:
            controller = meta.controller_of(each)
            if controller is not None and controller.get("uid") != uid:
                continue
            wanted = self._selects(meta.labels(each)) and also(each)
            try:
                if await self._is_ours(each, owned=controller is not None, wanted=wanted):
                    ours.append(each)
            except ApiError as error:
                first = first or error
        if first is not None:
            raise first
        return ours

    async def _is_ours(self, obj: Object, *, owned: bool, wanted: bool) -> bool:
        """By now: adopt what is wanted and not owned, release what is owned and not wanted."""
        if owned == wanted:
            return wanted
        if meta.is_terminating(self._owner):
            return False
        if not wanted:
            await self._release(obj)
            return False
        return not meta.is_terminating(obj) and await self._adopt(obj)

    async def _adopt(self, obj: Object) -> bool:
        if not await self._owner_stands():
            return False
        reference = owner_reference(self._owner, self._owner_resource)
        metadata: Object = {"uid": meta.uid(obj), "ownerReferences": [reference]}
        if self._finalizers:
            metadata["finalizers"] = self._finalizers
        patch = {"metadata": metadata}
        try:
            await self._patch(obj, patch)
        except NotFound:
            return False
        return True

    async def _release(self, obj: Object) -> None:
        gone = {"$patch": "delete", "uid": meta.uid(self._owner)}
        metadata: Object = {"uid": meta.uid(obj), "ownerReferences": [gone]}
        if self._finalizers:
            metadata["$deleteFromPrimitiveList/finalizers"] = self._finalizers
        patch = {"metadata": metadata}
        try:
            await self._patch(obj, patch)
        except (NotFound, Invalid):
            return  # it is gone, or another of its name is there, or the reference is gone already

    async def _owner_stands(self) -> bool:
        if self._may_adopt is None:
            self._may_adopt = await self._ask()
        return self._may_adopt

    async def _ask(self) -> bool:
        try:
            fresh = await self._client.get(
                self._owner_resource, meta.name(self._owner), namespace=meta.namespace(self._owner)
            )
        except NotFound:
            return False
        return meta.uid(fresh) == meta.uid(self._owner) and not meta.is_terminating(fresh)

    async def _patch(self, obj: Object, patch: Mapping[str, Any]) -> None:
        await self._client.patch(
            self._resource,
            meta.name(obj),
            patch,
            namespace=meta.namespace(obj),
            content_type=STRATEGIC_PATCH,
        )
