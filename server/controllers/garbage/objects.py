"""Reading objects for the collector: what informers show, and else the server; writing what it decides.

Writes are tied to what was read, by uid and resourceVersion: the informers may lag behind.
"""

from collections.abc import Callable, Collection

from kubeling.client import MERGE_PATCH, STRATEGIC_PATCH, Client, Informer
from kubeling.client.resources import Resource
from kubeling.objects import meta
from kubeling.objects.errors import Conflict, NotFound, UnsupportedMediaType
from kubeling.objects.meta import Object
from server.controllers.garbage.graph import is_held
from server.controllers.garbage.identity import raw_references

ATTEMPTS = 5


class Objects:
    def __init__(self, client: Client, informer_of: Callable[[Resource], Informer | None]) -> None:
        self._client = client
        self._informer_of = informer_of

    async def find(self, resource: Resource, namespace: str, name: str, uid: str) -> Object | None:
        """The object of that uid; None when the server says that there is none. Read it only."""
        informer = self._informer_of(resource)
        seen = informer.get(namespace, name) if informer is not None and informer.synced else None
        if seen is not None and meta.uid(seen) == uid:
            return seen
        found = await self._live(resource, namespace, name)
        return found if found is not None and meta.uid(found) == uid else None

    async def delete(self, resource: Resource, obj: Object, policy: str) -> bool:
        """Delete it as it was read; says whether it was still there.

        Raises:
            Conflict: its owners have changed.
        """
        try:
            await self._delete(resource, obj, policy, {"resourceVersion": meta.resource_version(obj)})
        except NotFound:
            return False
        except Conflict:
            return await self._delete_changed(resource, obj, policy)
        return True

    async def drop_references(self, resource: Resource, obj: Object, uids: Collection[str]) -> Object:
        """Remove the object's references to owners of these uids."""
        gone = [{"$patch": "delete", "uid": uid} for uid in uids]
        kept = [each for each in raw_references(obj) if each.get("uid") not in uids]
        return await self._patch_references(resource, obj, gone, kept)

    async def unblock(self, resource: Resource, obj: Object) -> Object:
        """Let the object block none of its owners' deletion any more."""
        outcome = [_unblocked(each) for each in raw_references(obj)]
        changed = [each for each in outcome if "blockOwnerDeletion" in each]
        return await self._patch_references(resource, obj, changed, outcome)

    async def drop_finalizer(self, resource: Resource, obj: Object, finalizer: str) -> None:
        """Raises: Conflict, when others change it all the time."""
        latest: Object | None = obj
        for attempt in range(ATTEMPTS):
            if latest is None or meta.uid(latest) != meta.uid(obj) or not is_held(latest, finalizer):
                return
            try:
                await self._write_finalizers(resource, latest, finalizer)
            except NotFound:
                return
            except Conflict:
                if attempt == ATTEMPTS - 1:
                    raise
                latest = await self._live(resource, meta.namespace(obj), meta.name(obj))
            else:
                return

    async def _live(self, resource: Resource, namespace: str, name: str) -> Object | None:
        try:
            return await self._client.get(resource, name, namespace=namespace)
        except NotFound:
            return None

    async def _delete(self, resource: Resource, obj: Object, policy: str, tied: dict[str, str]) -> None:
        await self._client.delete(
            resource,
            meta.name(obj),
            namespace=meta.namespace(obj),
            preconditions={"uid": meta.uid(obj), **tied},
            propagation_policy=policy,
        )

    async def _delete_changed(self, resource: Resource, obj: Object, policy: str) -> bool:
        """What changed matters only if its owners did: an object that changes all the time must go, too."""
        latest = await self._live(resource, meta.namespace(obj), meta.name(obj))
        if latest is None or meta.uid(latest) != meta.uid(obj):
            return False
        if raw_references(latest) != raw_references(obj):
            raise Conflict(f"the owners of {resource} {meta.key(obj)} have changed")
        try:
            await self._delete(resource, obj, policy, {})
        except NotFound:
            return False
        return True

    async def _write_finalizers(self, resource: Resource, obj: Object, finalizer: str) -> None:
        kept = [each for each in meta.metadata(obj).get("finalizers") or () if each != finalizer]
        own = {"resourceVersion": meta.resource_version(obj), "finalizers": kept}
        await self._client.patch(resource, meta.name(obj), {"metadata": own}, namespace=meta.namespace(obj))

    async def _patch_references(
        self, resource: Resource, obj: Object, changes: list[Object], outcome: list[Object]
    ) -> Object:
        """`changes` strategically, where the kind knows that, else the whole `outcome`."""
        try:
            own: Object = {"uid": meta.uid(obj), "ownerReferences": changes}
            return await self._patch(resource, obj, own, STRATEGIC_PATCH)
        except UnsupportedMediaType:
            own = {"resourceVersion": meta.resource_version(obj), "ownerReferences": outcome}
            return await self._patch(resource, obj, own, MERGE_PATCH)

    async def _patch(self, resource: Resource, obj: Object, own: Object, content_type: str) -> Object:
        return await self._client.patch(
            resource,
            meta.name(obj),
            {"metadata": own},
            namespace=meta.namespace(obj),
            content_type=content_type,
        )


def _unblocked(reference: Object) -> Object:
    return {**reference, "blockOwnerDeletion": False} if reference.get("blockOwnerDeletion") else reference
