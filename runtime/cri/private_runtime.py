"""The private containerd's runtime: like any, but what containerd loses sight of is found and ended."""

import asyncio
import logging
from typing import Any

from kubeling.objects.clock import Clock
from runtime.cri import wire
from runtime.cri.client import NORMAL, QUICK, CriRuntime
from runtime.cri.containerd_events import NAMESPACE
from runtime.cri.grpc_errors import runtime_errors
from runtime.cri.leases import end_leases
from runtime.cri.orphans import NetworkRemains, Orphans
from runtime.errors import NotFound

logger = logging.getLogger(__name__)


class PrivateRuntime(CriRuntime):
    def __init__(self, orphans: Orphans, *, clock: Clock | None = None, patience: float = NORMAL) -> None:
        super().__init__(f"unix://{orphans.socket}", clock=clock, patience=patience)
        self._orphans = orphans

    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        """After a death of containerd it may have a record of the sandbox, but not of what runs in it."""
        await super().remove_pod_sandbox(sandbox_id)
        if (self._orphans.tasks / sandbox_id).exists():
            await self._end_orphan(sandbox_id)

    async def end_orphans(self, remains: NetworkRemains | None = None, *, started: float = 0.0) -> None:
        """End what containerd has no record of. When it was started just now, at the moment `started`, end
        also what its predecessor had not finished: of that it has leases, and networks have the `remains`.

        Raises:
            RuntimeServiceError: containerd does not answer.
        """
        for suspect in await asyncio.to_thread(self._orphans.suspects):
            await self._end_orphan(suspect)
        if remains is not None:
            sandboxes = [each.id for each in await self.list_pod_sandboxes()]
            await asyncio.to_thread(self._orphans.free_network, remains, sandboxes)
            await end_leases(self._channel, before=started)

    async def _end_orphan(self, suspect: str) -> None:
        if not await self._has_record(suspect):
            logger.warning("containerd has lost sight of %s: what is left of it is ended", suspect)
            await asyncio.to_thread(self._orphans.end, suspect)

    async def _has_record(self, container_id: str) -> bool:
        """A task never outlives its container's record, unless containerd was killed in between."""
        get: Any = self._channel.unary_unary("/containerd.services.containers.v1.Containers/Get")
        try:
            with runtime_errors():
                await get(
                    wire.field(1, container_id),
                    metadata=(("containerd-namespace", NAMESPACE),),
                    timeout=QUICK,
                )
        except NotFound:
            return False
        return True
