"""The revisions of a DaemonSet's template, and the pods that are marked with their hashes."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from kubeling.client import Client, Informer
from kubeling.client.resources import DAEMON_SETS, PODS
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.owned.revisions import POD_LABEL, History
from server.controllers.owned.waking import selector_of


class DaemonRevisions(NamedTuple):
    """`hash` marks the pods of the present template; `past` are the other revisions, the oldest first."""

    hash: str
    past: list[Object]
    collisions: int


class DaemonHistory:
    def __init__(self, client: Client, revisions: Informer) -> None:
        self._client = client
        self._history = History(client, revisions, DAEMON_SETS, label=POD_LABEL)

    async def of(self, set_: Object, pods_of: Callable[[Object], list[Object]]) -> DaemonRevisions:
        revisions = await self._history.claim(set_, selector_of(set_))
        current, collisions = await self._history.current(set_, revisions)
        others = [each for each in revisions if meta.name(each) != meta.name(current)]
        past = [each for each in others if each.get("data") != current.get("data")]
        if len(past) < len(others):
            twins = [each for each in others if each.get("data") == current.get("data")]
            await self._unite(current, twins, pods_of(set_))
        return DaemonRevisions(hash_of(current), past, collisions)

    async def truncate(self, set_: Object, revisions: DaemonRevisions, *, live: Mapping[str, int]) -> None:
        """Keep so many of the past ones as the set says; those that pods still have stay in any case."""
        limit = set_["spec"].get("revisionHistoryLimit")
        surplus = len(revisions.past) - (10 if limit is None else int(limit))
        if surplus > 0:
            idle = [each for each in revisions.past if not live.get(hash_of(each))]
            await self._history.delete(idle[:surplus])

    async def _unite(self, current: Object, twins: list[Object], pods: list[Object]) -> None:
        """Several revisions say the same: their pods become the current one's, and only that stays."""
        hashes = {hash_of(each) for each in twins}
        for pod in pods:
            if meta.labels(pod).get(POD_LABEL) in hashes:
                patch = {"metadata": {"labels": {POD_LABEL: hash_of(current)}}}
                await self._client.patch(PODS, meta.name(pod), patch, namespace=meta.namespace(pod))
        await self._history.delete(twins)


def hash_of(revision: Object) -> str:
    return meta.labels(revision).get(POD_LABEL) or meta.name(revision)
