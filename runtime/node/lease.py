"""The node's heartbeat: a Lease in kube-node-lease, renewed every ten seconds."""

import logging

from kubeling.client.backoff import Backoff
from kubeling.client.errors import ConnectionLost
from kubeling.client.protocol import Client
from kubeling.client.resources import LEASES
from kubeling.objects.clock import Clock
from kubeling.objects.errors import AlreadyExists, ApiError, Conflict, NotFound
from kubeling.objects.meta import Object, micro_timestamp, uid

logger = logging.getLogger(__name__)

NAMESPACE = "kube-node-lease"
DURATION = 40
RENEW_EVERY = 10.0
"""Seconds."""


class NodeLease:
    def __init__(self, client: Client, clock: Clock, node: Object) -> None:
        self._client = client
        self._clock = clock
        self._node = node
        self._held: Object | None = None

    async def run(self) -> None:
        """Renew for ever; after a failure it is tried again sooner."""
        backoff = Backoff(initial=0.2, factor=2, limit=7)
        while True:
            try:
                await self._renew()
            except (Conflict, NotFound, AlreadyExists) as error:
                self._held = None
                logger.debug("the lease has to be read again: %s", error)
                await self._clock.sleep(backoff.next())
            except (ConnectionLost, ApiError) as error:
                logger.debug("the lease cannot be renewed: %s", error)
                await self._clock.sleep(backoff.next())
            else:
                backoff.reset()
                await self._clock.sleep(RENEW_EVERY)

    async def _renew(self) -> None:
        if self._held is None:
            self._held = await self._get_or_create()
        renewed = {**self._held, "spec": {**self._held.get("spec", {}), **self._spec()}}
        self._held = await self._client.update(LEASES, renewed)

    async def _get_or_create(self) -> Object:
        try:
            return await self._client.get(LEASES, self._name, namespace=NAMESPACE)
        except NotFound:
            return await self._client.create(LEASES, self._new())

    @property
    def _name(self) -> str:
        return str(self._node["metadata"]["name"])

    def _spec(self) -> Object:
        return {
            "holderIdentity": self._name,
            "leaseDurationSeconds": DURATION,
            "renewTime": micro_timestamp(self._clock.now()),
        }

    def _new(self) -> Object:
        owner = {"apiVersion": "v1", "kind": "Node", "name": self._name, "uid": uid(self._node)}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": NAMESPACE, "ownerReferences": [owner]},
            "spec": self._spec(),
        }
