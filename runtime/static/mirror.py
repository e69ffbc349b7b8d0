"""Mirror pods: what the API shows of static pods. One that is deleted is made again, one too many is removed.

They say what is, and ask for nothing: the API's mirror of a pod has no say over the pod.
"""

import logging
from collections.abc import Callable

from kubeling.client.protocol import Client, Informer
from kubeling.client.resources import NODES, PODS
from kubeling.client.runner import DONE, ControllerRunner, Result
from kubeling.objects.clock import Clock
from kubeling.objects.errors import AlreadyExists, NotFound
from kubeling.objects.meta import Object, annotations, is_terminating, name, namespace, uid
from runtime.pods.identity import MIRROR, is_mirror
from runtime.static.manifest import HASH

logger = logging.getLogger(__name__)


class Mirrors:
    """`static` gives the static pod of a `namespace/name`, if there is one; `made` takes its mirror."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        pods: Informer,
        node: str,
        static: Callable[[str], Object | None],
        made: Callable[[Object], None],
    ) -> None:
        self._client = client
        self._pods = pods
        self._node = node
        self._static = static
        self._made = made
        self._stale: set[str] = set()
        """Uids of mirrors whose pods are over."""
        self._runner = ControllerRunner("mirrors", self._reconcile, clock=clock)
        self._runner.reads(pods)

    def start(self) -> None:
        self._runner.start()

    def renew(self, key: str) -> None:
        """What the mirror shows is over: the next one is another."""
        mirror = self._pods.get(*key.split("/", 1))
        if mirror is not None:
            self._stale.add(uid(mirror))

    def look(self, key: str) -> None:
        """The static pod or its mirror may have changed."""
        self._runner.queue.add(key)

    async def stop(self) -> None:
        await self._runner.stop()

    async def _reconcile(self, key: str) -> Result:
        wanted, (space, _, pod_name) = self._static(key), key.partition("/")
        mirror = self._pods.get(space, pod_name)
        if wanted is not None and is_terminating(wanted):
            return DONE  # its mirror stays until the pod has ended
        if mirror is None:
            if wanted is not None:
                await self._create(wanted)
        elif not is_mirror(mirror):
            if wanted is not None:
                logger.warning("pod %s of the API has the name of a static pod", key)
        elif wanted is None or uid(mirror) in self._stale or not _shows(mirror, wanted):
            await self._delete(mirror)
        return DONE

    async def _create(self, pod: Object) -> None:
        node = await self._client.get(NODES, self._node)
        owner = {"apiVersion": "v1", "kind": "Node", "name": self._node, "uid": uid(node), "controller": True}
        metadata = {key: value for key, value in pod["metadata"].items() if key != "uid"}
        notes = {**annotations(pod), MIRROR: annotations(pod)[HASH]}
        body = {key: value for key, value in pod.items() if key != "status"}
        body["metadata"] = {**metadata, "annotations": notes, "ownerReferences": [owner]}
        try:
            self._made(await self._client.create(PODS, body))
        except AlreadyExists:
            logger.debug("the mirror of pod %s/%s is there", namespace(pod), name(pod))

    async def _delete(self, mirror: Object) -> None:
        try:
            await self._client.delete(
                PODS,
                name(mirror),
                namespace=namespace(mirror),
                grace_period_seconds=0,
                preconditions={"uid": uid(mirror)},
            )
        except NotFound:
            logger.debug("the mirror of pod %s/%s is gone", namespace(mirror), name(mirror))
        self._stale.discard(uid(mirror))


def _shows(mirror: Object, pod: Object) -> bool:
    return annotations(mirror).get(MIRROR) == annotations(pod)[HASH] and not is_terminating(mirror)
