"""A Deployment with its ReplicaSets, as one reconcile sees them and writes to them.

What is written is seen at once, without waiting for the caches. The Deployment itself is written once, at the
end of the reconcile, if anything has changed.
"""

from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime

from kubeling.client import Client, EventRecorder
from kubeling.client.resources import DEPLOYMENTS, REPLICA_SETS
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.deployment.bounds import most_pods, wanted
from server.controllers.deployment.replica_sets import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    REVISION,
    of_template,
    size,
)


class Rollout:
    def __init__(
        self,
        client: Client,
        recorder: EventRecorder,
        deployment: Object,
        replica_sets: Sequence[Object],
        now: datetime,
    ) -> None:
        self.client = client
        self.recorder = recorder
        self.now = now
        self.deployment = deployment
        """As it was found: shared, never changed."""
        self.status: Object = deepcopy(deployment.get("status") or {})
        """As it will be written."""
        self.revision = meta.annotations(deployment).get(REVISION)
        """As it will be written."""
        self.replica_sets = list(replica_sets)
        self.new_name = meta.name(of_template(self.replica_sets, deployment["spec"]["template"]) or {})

    @property
    def new(self) -> Object | None:
        """The ReplicaSet of the current template, if there is one."""
        return next((each for each in self.replica_sets if meta.name(each) == self.new_name), None)

    @property
    def old(self) -> list[Object]:
        return [each for each in self.replica_sets if meta.name(each) != self.new_name]

    def took_over(self, replica_set: Object) -> None:
        """This is the newest state of one of the ReplicaSets."""
        name = meta.name(replica_set)
        self.replica_sets = [each for each in self.replica_sets if meta.name(each) != name]
        self.replica_sets.append(replica_set)

    async def scale(self, replica_set: Object, to: int) -> bool:
        """Whether its size has changed; if it has not to, nothing is written."""
        return size(replica_set) != to and await self.scale_and_mark(replica_set, to)

    async def scale_and_mark(self, replica_set: Object, to: int) -> bool:
        """Scale, and note in annotations what size the Deployment has. Whether the size has changed."""
        before = size(replica_set)
        annotations = {**meta.annotations(replica_set), **size_annotations(self.deployment)}
        if before == to and annotations == meta.annotations(replica_set):
            return False
        metadata = {**replica_set["metadata"], "annotations": annotations}
        spec = {**replica_set["spec"], "replicas": to}
        updated = await self.client.update(REPLICA_SETS, {**replica_set, "metadata": metadata, "spec": spec})
        self.took_over(updated)
        if before == to:
            return False
        self.tell_scaled(updated, before, to)
        return True

    def tell_scaled(self, replica_set: Object, before: int, to: int) -> None:
        way = "up" if to > before else "down"
        message = f"Scaled {way} replica set {meta.name(replica_set)} from {before} to {to}"
        self.recorder.event(self.deployment, "Normal", "ScalingReplicaSet", message)

    async def write(self) -> None:
        """Write the Deployment's status and revision, if they have changed."""
        annotations = dict(meta.annotations(self.deployment))
        if self.revision is not None:
            annotations[REVISION] = self.revision
        if self.status == self.deployment.get("status") and annotations == meta.annotations(self.deployment):
            return
        metadata = {**self.deployment["metadata"], "annotations": annotations}
        await self.client.update(
            DEPLOYMENTS,
            {**self.deployment, "metadata": metadata, "status": self.status},
            subresource="status",
        )


def size_annotations(deployment: Object) -> dict[str, str]:
    """What a ReplicaSet remembers of its Deployment, to tell a change of size from a rollout."""
    return {DESIRED_REPLICAS: str(wanted(deployment)), MAX_REPLICAS: str(most_pods(deployment))}
