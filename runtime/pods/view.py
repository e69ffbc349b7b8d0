"""One pod's view of the runtime: reads what changed, keeps what was read. It decides nothing.

`observed` is as true as the last read; whoever changes something in the runtime reads it back here.
"""

import asyncio
from collections.abc import Iterable

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import Clock
from runtime.container_runtime import ContainerRuntime
from runtime.errors import NotFound
from runtime.pods import identity, observed
from runtime.pods.identity import PodIdentity
from runtime.pods.observed import ObservedContainer, ObservedPod, State
from runtime.pods.status.termination_message import termination_message


class PodView:
    def __init__(self, runtime: ContainerRuntime, pod: PodIdentity, clock: Clock) -> None:
        self._runtime = runtime
        self._pod = pod
        self._clock = clock
        self._since: dict[str, tuple[State, float]] = {}
        self._sandbox_of: dict[str, str] = {}
        self.observed = ObservedPod()
        self.messages: dict[str, str] = {}
        """Termination messages by container id."""

    def __contains__(self, runtime_id: str) -> bool:
        return runtime_id in self._sandbox_of or runtime_id in self.observed.sandboxes

    def is_live(self, runtime_id: str) -> bool:
        """Whether it is the pod's, and as far as is known has not ended."""
        sandbox = self.observed.sandboxes.get(runtime_id)
        if sandbox is not None:
            return sandbox.ready
        container = self.observed.containers.get(runtime_id)
        return not container.exited if container is not None else runtime_id in self._sandbox_of

    def expect(self, container_id: str, sandbox_id: str) -> None:
        """This container is the pod's from now on, though it has not been read yet."""
        self._sandbox_of[container_id] = sandbox_id
        self._since[container_id] = State.CREATED, self._clock.monotonic()

    def since(self, container_id: str) -> float:
        """Since when (monotonic) the container is in its state. The wall clock, which may have been set since
        the runtime noted its times, is trusted only about what was so before it was first read.
        """
        return self._since[container_id][1]

    async def refresh(self, ids: Iterable[str]) -> None:
        """Read these sandboxes and containers again."""
        first, *others = [*ids] or [""]
        if first and not others:
            await self._refresh(first)
        elif first:
            await asyncio.gather(*(self._refresh(each) for each in (first, *others)))

    async def _refresh(self, runtime_id: str) -> None:
        if runtime_id in self.observed.sandboxes:
            await self.read_sandbox(runtime_id)
        else:
            await self.read_container(runtime_id)

    async def read_container(self, container_id: str) -> ObservedContainer | None:
        try:
            status = await self._runtime.container_status(container_id)
        except NotFound:
            self._forget(container_id)
            return None
        found = observed.container(status, self._sandbox_of.get(container_id, ""))
        self.observed.containers[container_id] = found
        self._note_state(found)
        if found.exited and container_id not in self.messages:
            self.messages[container_id] = termination_message(found)
        return found

    async def read_sandbox(self, sandbox_id: str) -> None:
        try:
            status = await self._runtime.pod_sandbox_status(sandbox_id)
        except NotFound:
            self.observed.sandboxes.pop(sandbox_id, None)
            return
        self.observed.sandboxes[sandbox_id] = observed.sandbox(status)

    async def relist(self) -> None:
        """Read everything that bears the pod's uid."""
        selector = {identity.POD_UID: self._pod.uid}
        sandboxes, containers = await asyncio.gather(
            self._runtime.list_pod_sandboxes(cri.PodSandboxFilter(label_selector=selector)),
            self._runtime.list_containers(cri.ContainerFilter(label_selector=selector)),
        )
        self._forget_all_but({each.id for each in sandboxes}, {each.id for each in containers})
        self._sandbox_of.update({each.id: each.pod_sandbox_id for each in containers})
        await asyncio.gather(
            *(self.read_sandbox(each.id) for each in sandboxes),
            *(self.read_container(each.id) for each in containers),
        )

    def _forget_all_but(self, sandboxes: set[str], containers: set[str]) -> None:
        for gone in self.observed.sandboxes.keys() - sandboxes:
            del self.observed.sandboxes[gone]
        for gone in self._sandbox_of.keys() - containers:
            self._forget(gone)

    def _note_state(self, found: ObservedContainer) -> None:
        known = self._since.get(found.id)
        if known is not None and known[0] is found.state:
            return
        moment = None if known else found.finished_at if found.exited else found.started_at
        age = (self._clock.now() - moment).total_seconds() if moment else 0.0
        self._since[found.id] = found.state, self._clock.monotonic() - max(age, 0.0)

    def _forget(self, container_id: str) -> None:
        self._since.pop(container_id, None)
        self.observed.containers.pop(container_id, None)
        self._sandbox_of.pop(container_id, None)
        self.messages.pop(container_id, None)
