"""Removes the tracking finalizer from pods, and remembers of which until the cache shows it."""

from collections.abc import Sequence
from contextlib import suppress

from kubeling.client import STRATEGIC_PATCH, Client, ConnectionLost
from kubeling.client.resources import PODS
from kubeling.objects import meta
from kubeling.objects.errors import ApiError, Invalid, NotFound
from kubeling.objects.meta import Object
from server.controllers.job.tracked import TRACKING, has_finalizer
from server.controllers.owned.slow_start import for_each


async def remove_finalizer(client: Client, pod: Object, *, unchanged: bool = False) -> None:
    """With `unchanged` only if the pod is as it is given.

    Raises:
        NotFound: the pod is gone, or another has its name.
        Conflict: the pod has changed.
    """
    if not has_finalizer(pod):
        return
    metadata: Object = {"uid": meta.uid(pod), "$deleteFromPrimitiveList/finalizers": [TRACKING]}
    if unchanged:
        metadata["resourceVersion"] = meta.resource_version(pod)
    patch = {"metadata": metadata}
    try:
        await client.patch(
            PODS, meta.name(pod), patch, namespace=meta.namespace(pod), content_type=STRATEGIC_PATCH
        )
    except Invalid as error:
        raise NotFound(f"the pod {meta.name(pod)} was replaced: {error}") from error


class Finalizers:
    """By job, the uids of pods whose finalizer has been removed and may still be in the cache."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._removed: dict[str, set[str]] = {}

    def handled(self, key: str) -> frozenset[str]:
        return frozenset(self._removed.get(key, ()))

    def observed(self, key: str, uid: str) -> None:
        """The cache shows the pod without it, or gone."""
        if (removed := self._removed.get(key)) is not None:
            removed.discard(uid)
            if not removed:
                del self._removed[key]

    def forget(self, key: str) -> None:
        self._removed.pop(key, None)

    async def remove(self, key: str, pods: Sequence[Object]) -> tuple[set[str], Exception | None]:
        """The uids of pods that have none any more, and the first failure."""
        self._removed.setdefault(key, set()).update(meta.uid(pod) for pod in pods)
        done: set[str] = set()

        async def remove(pod: Object) -> None:
            await self._remove(key, pod)
            done.add(meta.uid(pod))

        return done, await for_each(pods, remove)

    async def _remove(self, key: str, pod: Object) -> None:
        try:
            with suppress(NotFound):
                await remove_finalizer(self._client, pod)
                return
        except (ApiError, ConnectionLost):
            self.observed(key, meta.uid(pod))
            raise
        self.observed(key, meta.uid(pod))
