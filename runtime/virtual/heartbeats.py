"""The life signs of virtual nodes: Leases that are renewed, spread evenly over time, and statuses.

    few nodes     every 10 s, as the kubelet
    many          every 20 s, thousands every 35 s: the control plane misses a node after 50 s

A node's status is written when the control plane does not know it to be ready, and every five minutes.
"""

import asyncio
import heapq
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from kubeling.client.errors import ConnectionLost
from kubeling.client.protocol import STRATEGIC_PATCH, Client, Informer
from kubeling.client.resources import LEASES, NODES
from kubeling.objects.clock import Clock
from kubeling.objects.errors import AlreadyExists, ApiError, Conflict, NotFound
from kubeling.objects.meta import Object, micro_timestamp, resource_version
from kubeling.objects.tasks import Tasks
from runtime.node.lease import DURATION, NAMESPACE
from runtime.virtual.node_object import NodeShape, node_status

logger = logging.getLogger(__name__)

FEW = 20
REPORT_EVERY = 300.0
RETRY = 2.0
GOLDEN = 0.618034
"""Multiples of it, without their whole parts, are spread evenly, however many there are."""
BATCH = 0.5
"""Life signs that are due within so many seconds are given together."""
AT_ONCE = 8


def interval(nodes: int) -> float:
    """Seconds between two renewals of one Lease."""
    if nodes <= FEW:
        return 10.0
    return 20.0 if nodes <= 1000 else 35.0


@dataclass(slots=True)
class _Life:
    uid: str
    lease_version: str = ""
    """The Lease's resourceVersion, "" while it is to be read or made."""
    reported: float = 0.0
    """When the status was last written, or the node made; on the monotonic clock."""
    report: bool = False
    paused: bool = False
    due: float = 0.0


class Heartbeats:
    def __init__(
        self,
        client: Client,
        clock: Clock,
        tasks: Tasks,
        shape: NodeShape,
        nodes: Informer,
        *,
        silent: bool = False,
    ) -> None:
        self._client = client
        self._clock = clock
        self._tasks = tasks
        self._shape = shape
        self._nodes = nodes
        self._silent = silent
        self._lives: dict[str, _Life] = {}
        self._due: list[tuple[float, str]] = []
        self._changed = asyncio.Event()
        self._working = False

    @property
    def idle(self) -> bool:
        return not self._working and not self._changed.is_set()

    def start(self) -> None:
        self._tasks.start(self._run(), name="heartbeats")

    def begin(self, name: str, uid: str) -> None:
        now = self._clock.monotonic()
        self._lives[name] = _Life(uid, reported=now)
        count = len(self._lives)
        self._schedule(name, 0.0 if count <= FEW else interval(count) * (count * GOLDEN % 1))

    def forget(self, name: str) -> None:
        self._lives.pop(name, None)

    def pause(self, name: str) -> None:
        self._lives[name].paused = True

    def resume(self, name: str) -> None:
        self._lives[name].paused = False
        self._schedule(name, 0.0)

    def report(self, name: str) -> None:
        """Write the node's status at once."""
        self._lives[name].report = True
        self._schedule(name, 0.0)

    def _schedule(self, name: str, seconds: float) -> None:
        life = self._lives[name]
        life.due = self._clock.monotonic() + seconds
        heapq.heappush(self._due, (life.due, name))
        if self._due[0][1] == name:
            self._changed.set()

    async def _run(self) -> None:
        while True:
            await self._until_due()
            self._working = True
            try:
                await self._beat(self._take())
            finally:
                self._working = False

    async def _until_due(self) -> None:
        while not self._due or self._due[0][0] > self._clock.monotonic():
            self._changed.clear()
            async with Tasks("heartbeat-wait") as tasks:
                waits = [tasks.start(self._changed.wait(), name="changed")]
                if self._due:
                    left = self._due[0][0] - self._clock.monotonic()
                    waits.append(tasks.start(self._clock.sleep(left), name="due"))
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        self._changed.clear()

    def _take(self) -> list[str]:
        """Those that are due now or very soon."""
        names, by = [], self._clock.monotonic() + (BATCH if len(self._lives) > FEW else 0.0)
        while self._due and self._due[0][0] <= by:
            due, name = heapq.heappop(self._due)
            life = self._lives.get(name)
            if life is not None and life.due == due and not life.paused:
                names.append(name)
        return names

    async def _beat(self, names: list[str]) -> None:
        waiting = iter(names)
        async with Tasks("heartbeat") as tasks:
            workers = [
                tasks.start(self._work(waiting), name=f"beat-{number}")
                for number in range(min(AT_ONCE, len(names)))
            ]
            await asyncio.gather(*workers)

    async def _work(self, names: Iterator[str]) -> None:
        for name in names:
            await self._sign(name)

    async def _sign(self, name: str) -> None:
        life = self._lives.get(name)
        if life is None:
            return
        wait = interval(len(self._lives))
        try:
            await self._renew(name, life)
            if life.report or (not self._silent and self._clock.monotonic() - life.reported >= REPORT_EVERY):
                await self._write_status(name, life)
        except (Conflict, NotFound, AlreadyExists):
            life.lease_version, wait = "", RETRY
        except (ConnectionLost, ApiError) as error:
            logger.debug("node %s cannot give a sign of life: %s", name, error)
            wait = RETRY
        if self._lives.get(name) is life and not (self._silent and life.lease_version):
            self._schedule(name, wait)

    async def _renew(self, name: str, life: _Life) -> None:
        if not life.lease_version:
            try:
                made = await self._client.create(LEASES, self._lease(name, life))
            except AlreadyExists:
                made = await self._client.get(LEASES, name, namespace=NAMESPACE)
                life.lease_version = resource_version(made)
                made = await self._client.update(LEASES, self._lease(name, life))
        else:
            made = await self._client.update(LEASES, self._lease(name, life))
        life.lease_version = resource_version(made)

    def _lease(self, name: str, life: _Life) -> Object:
        metadata: Object = {
            "name": name,
            "namespace": NAMESPACE,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": life.uid}],
        }
        if life.lease_version:
            metadata["resourceVersion"] = life.lease_version
        spec = {
            "holderIdentity": name,
            "leaseDurationSeconds": DURATION,
            "renewTime": micro_timestamp(self._clock.now()),
        }
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}

    async def _write_status(self, name: str, life: _Life) -> None:
        node = self._nodes.get("", name)
        if node is None:
            return
        life.report = False
        try:
            await self._client.patch(
                NODES,
                name,
                {"status": node_status(node, self._shape, self._clock.now())},
                subresource="status",
                content_type=STRATEGIC_PATCH,
            )
        except (ConnectionLost, ApiError):
            life.report = True
            raise
        life.reported = self._clock.monotonic()
