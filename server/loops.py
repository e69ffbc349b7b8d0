"""The control loops in the server's process: controllers and scheduler, each as who it is in Kubernetes.

A server that has its database for itself runs them from the start. Where servers share a database, one of
them leads the controllers and one the scheduler, by upstream's leases; the others stand by, which is well.
What the API server does itself in Kubernetes, every server does.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from kubeling.client import Client, EventRecorder
from kubeling.client.leader_election import Begin, LeaderElection
from kubeling.objects.clock import Clock
from server.api.components import Components, Health
from server.auth.identities import CONTROLLER_MANAGER, SCHEDULER
from server.controllers import API_SERVER, Settings, start_controllers
from server.controllers.identity import acting
from server.inprocess import LocalClient, Others, WholeClient, account, user
from server.policy_status import PolicyStatus
from server.registry.context import SYSTEM, UserInfo
from server.registry.registry import Registry
from server.scheduler import Configuration, start_scheduler
from server.storage import Store

Fence = Callable[[Client], Client]
"""Makes a client whose writes fail when somebody else has come to lead."""


@dataclass(frozen=True, slots=True)
class Loops:
    """`parts` holds what has been started; `components` is told how it is."""

    registry: Registry
    store: Store
    clock: Clock
    settings: Settings
    scheduling: Configuration | None
    components: Components
    others: Others
    parts: AsyncExitStack
    idle: list[Callable[[], bool]] = field(default_factory=list)
    """For each of those that were started in this process, whether it has nothing to do at this moment."""

    def start(self) -> None:
        """Run all the loops, at once or whenever this server leads."""
        self.start_own()
        self._run("controller-manager", CONTROLLER_MANAGER, self._run_controllers)
        self._run("scheduler", SCHEDULER, self._run_scheduler)

    def start_own(self) -> None:
        """Run only what no other process can do for this server."""
        controllers = start_controllers(
            self._client(SYSTEM, self.parts),
            clock=self.clock,
            settings=self.settings,
            only=lambda name: name == API_SERVER,
        )
        self.idle.append(lambda: controllers.idle)
        self.parts.push_async_callback(controllers.stop)

    def _run(self, name: str, who: str, begin: Callable[[AsyncExitStack, Fence], Health]) -> None:
        if not self.store.shared:
            self.components.add(name, begin(self.parts, lambda client: client))
            return
        found: list[Health] = []

        async def lead(parts: AsyncExitStack) -> None:
            found.append(begin(parts, election.fenced))
            parts.callback(found.clear)

        election = self._election(f"kube-{name}", who, lead)
        self.components.add(name, lambda: found[0]() if found else election.health())

    def _election(self, lease: str, who: str, lead: Begin) -> LeaderElection:
        client = self._client(user(who), self.parts)
        recorder = EventRecorder(client, lease, clock=self.clock)
        self.parts.push_async_callback(recorder.close)
        election = LeaderElection(client, lease, lead, clock=self.clock, recorder=recorder)
        self.parts.push_async_callback(election.stop)
        election.start()
        return election

    def _run_controllers(self, parts: AsyncExitStack, fence: Fence) -> Health:
        manager = fence(self._client(user(CONTROLLER_MANAGER), parts))

        def act_as(name: str) -> Client:
            return fence(self._client(account(name), parts))

        controllers = start_controllers(
            manager,
            clock=self.clock,
            settings=self.settings,
            act_as=act_as,
            only=lambda name: name != API_SERVER,
        )
        self.idle.append(lambda: controllers.idle)
        parts.push_async_callback(controllers.stop)
        judge = acting(act_as("validatingadmissionpolicy-status-controller"), informers=manager)
        policies = PolicyStatus(judge, self.registry.kinds.lookup, clock=self.clock)
        parts.push_async_callback(policies.stop)
        policies.start()
        return controllers.health

    def _run_scheduler(self, parts: AsyncExitStack, fence: Fence) -> Health:
        client = fence(self._client(user(SCHEDULER), parts))
        scheduler = start_scheduler(client, clock=self.clock, configuration=self.scheduling)
        parts.push_async_callback(scheduler.stop)
        self.idle.append(lambda: scheduler.idle)
        return scheduler.health

    def _client(self, who: UserInfo, parts: AsyncExitStack) -> WholeClient:
        client = WholeClient(LocalClient(self.registry, self.store, user=who), self.others, who)
        parts.push_async_callback(client.close)
        return client
