"""A whole control plane on a clock that the test moves: a real store, registry and admission, and all loops.

Nothing sleeps: `settle` returns when nothing is left to do at the clock's moment, `advance` moves on.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kubeling.client import Client
from kubeling.client.fake import FakeClient
from kubeling.client.resources import NODES, PODS, Resource
from kubeling.objects.clock import FakeClock, let_others_run
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.admission.standard import standard
from server.auth.authorization import Authorization
from server.controllers import Settings, start_controllers
from server.controllers.start import Controllers
from server.inprocess import LocalClient, WholeClient, account, user
from server.registry.context import SYSTEM, UserInfo
from server.registry.custom.lifecycle import CustomResources
from server.registry.registry import Registry
from server.scheduler import Scheduler, start_scheduler
from server.storage import Store

_QUIET_ROUNDS = 3


class Answers(FakeClient):
    """Other servers: what they answer, by path, and what they were asked for; `served` is what they have."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.by_path: dict[str, Object] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def serves(self, group: str, version: str) -> bool:
        return any((each.group, each.version) == (group, version) for each in self.served)

    def client(self, user: UserInfo) -> Client:
        return self

    async def fetch(self, path: str, parameters: Mapping[str, str]) -> Object:
        self.asked.append((path, dict(parameters)))
        if path not in self.by_path:
            raise NotFound("the server could not find the requested resource")
        return self.by_path[path]


class Plane:
    """`client` is the administrator's; `others` is what servers of other APIs say."""

    def __init__(self, store: Store, clock: FakeClock, settings: Settings) -> None:
        self.clock = clock
        self.store = store
        self.others = Answers(clock)
        self.acting = self._client_of
        """The client of a controller's account; a test may put another one in its place."""
        self.registry = Registry(store, clock, standard(store, Authorization.standard(store)))
        self.client = LocalClient(self.registry, store, user=SYSTEM)
        self.customs = CustomResources(self.registry, store, clock, _no_webhook)
        self._settings = settings
        self._manager = self._client(user("system:kube-controller-manager"))
        self.controllers: Controllers | None = None
        self.scheduler: Scheduler | None = None
        clock.settle = self.settle

    async def start(self, *, scheduler: bool) -> None:
        await self.client.create(
            Resource("", "v1", "namespaces", "Namespace", namespaced=False),
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}},
        )
        self.customs.start()
        self._start_controllers()
        if scheduler:
            self.scheduler = start_scheduler(self.client, clock=self.clock)
        await self.settle()

    def _start_controllers(self) -> None:
        self.controllers = start_controllers(
            self._manager,
            clock=self.clock,
            settings=self._settings,
            act_as=lambda name: self.acting(name),
        )

    def _client_of(self, name: str) -> Client:
        return self._client(account(name))

    def _client(self, who: UserInfo) -> WholeClient:
        return WholeClient(LocalClient(self.registry, self.store, user=who), self.others, who)

    async def restart_controllers(self, *, between: Callable[[], Awaitable[None]]) -> None:
        """Stop them, let happen what they do not see, and start others that remember nothing."""
        assert self.controllers is not None
        await self.controllers.stop()
        self.controllers = None
        await self._manager.close()
        self._manager = self._client(user("system:kube-controller-manager"))
        await between()
        self._start_controllers()
        await self.settle()

    async def stop(self) -> None:
        if self.scheduler is not None:
            await self.scheduler.stop()
        if self.controllers is not None:
            await self.controllers.stop()
        await self._manager.close()
        await self.client.close()
        await self.customs.stop()

    async def settle(self) -> None:
        """Until nothing is left to do at this moment; what waits for its time waits on."""
        quiet = 0
        async with asyncio.timeout(30):
            while quiet < _QUIET_ROUNDS:
                revision = self.store.revision
                await let_others_run()
                if not self.store.idle:
                    await asyncio.sleep(0.0005)  # the writer's thread is at work
                quiet = quiet + 1 if self._is_idle() and self.store.revision == revision else 0

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(seconds)

    def _is_idle(self) -> bool:
        parts = (self.store, self.controllers, self.scheduler)
        return all(part is None or part.idle for part in parts)

    # What tests say most.

    def get(self, resource: Resource, name: str, *, namespace: str = "ns") -> Object | None:
        """As it is now; None when it is not there."""
        return self.client.informer(resource).get(namespace if resource.namespaced else "", name)

    def list(self, resource: Resource, *, namespace: str = "ns") -> list[Object]:
        return self.client.informer(resource).list(namespace if resource.namespaced else None)

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Create, in the namespace `ns` where none is named, and let everything follow that follows."""
        metadata = dict(obj["metadata"])
        if resource.namespaced:
            metadata.setdefault("namespace", "ns")
        full = {"apiVersion": resource.api_version, "kind": resource.kind, **obj, "metadata": metadata}
        made = await self.client.create(resource, full)
        await self.settle()
        return made

    async def patch(
        self, resource: Resource, name: str, patch: Object, *, namespace: str = "ns", subresource: str = ""
    ) -> Object:
        """A merge patch, and all that follows."""
        where = namespace if resource.namespaced else ""
        made = await self.client.patch(resource, name, patch, namespace=where, subresource=subresource)
        await self.settle()
        return made

    async def add_node(self, name: str = "n", **allocatable: str) -> None:
        """A node that is ready, for as long as somebody renews its lease."""
        await self.create(NODES, {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}})
        offers = {"cpu": "4", "memory": "8Gi", "pods": "110", **allocatable}
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        status = {"capacity": offers, "allocatable": offers, "conditions": [ready]}
        await self.patch(NODES, name, {"status": status}, subresource="status")

    async def set_pod(
        self, name: str, phase: str = "Running", *, ready: bool = True, **status: object
    ) -> None:
        """Say what a kubelet would say of the pod."""
        now = self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "Ready", "status": str(ready and phase == "Running"), "lastTransitionTime": now}
        said = {"phase": phase, "startTime": now, "conditions": [condition], **status}
        await self.patch(PODS, name, {"status": said}, subresource="status")


async def _no_webhook(config: Any, body: Any, *, seconds: int) -> Any:
    raise AssertionError("no webhook is called here")


@asynccontextmanager
async def started_plane(
    directory: Path, *, scheduler: bool = False, settings: Settings | None = None
) -> AsyncIterator[Plane]:
    clock = FakeClock()
    store = await Store.open(f"sqlite:///{directory}/plane.db", clock=clock)
    plane = Plane(store, clock, settings or Settings(certificate_authority="PEM"))
    try:
        await plane.start(scheduler=scheduler)
        yield plane
    finally:
        await plane.stop()
        await store.close()
