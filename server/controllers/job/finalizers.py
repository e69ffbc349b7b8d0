"""Removes the tracking finalizer from pods, and remembers of which until the cache shows it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from kubeling.client import STRATEGIC_PATCH, Client
from kubeling.client.resources import PODS
from kubeling.objects import meta
from kubeling.objects.errors import Invalid, NotFound
from kubeling.objects.meta import Object
from server.controllers.job.tracked import TRACKING, has_finalizer


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
        results = await asyncio.gather(*(self._remove(key, pod) for pod in pods), return_exceptions=True)
        failures = [each for each in results if isinstance(each, BaseException)]
        for failure in failures:
            if not isinstance(failure, Exception):
                raise failure
        done = {meta.uid(pod) for pod, result in zip(pods, results, strict=True) if result is None}
        return done, next((each for each in failures if isinstance(each, Exception)), None)

    async def _remove(self, key: str, pod: Object) -> None:
        try:
            with suppress(NotFound):
                await remove_finalizer(self._client, pod)
                return
        except Exception:
            self.observed(key, meta.uid(pod))
            raise
        self.observed(key, meta.uid(pod))
