"""What every controller is made from, and what it is to whoever starts it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Protocol, TypeVar

from kubeling.client import Client, EventRecorder
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object

POD_NETWORK = IPv4Network("10.244.0.0/16")
VIRTUAL_POD_NETWORK = IPv4Network("100.64.0.0/10")
"""Addresses that lead nowhere, for 16384 nodes."""


Shared = TypeVar("Shared")

SignToken = Callable[[Object, str], str]
"""From a ServiceAccount and the name of a Secret, the token to be kept in it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the cluster's configuration and upstream's flags say; times in seconds."""

    certificate_authority: str = ""
    """The CA of the API server's certificate, PEM."""
    certificate_authority_key: Path | None = None
    """The file of its key; without one no certificates are signed."""
    pod_network: IPv4Network | IPv6Network = POD_NETWORK
    """Each node gets a /24 of it, of an IPv6 network a /64."""
    virtual_pod_network: IPv4Network | IPv6Network = VIRTUAL_POD_NETWORK
    """The same for nodes whose pods run no containers."""
    node_monitor_grace: float = 50.0
    node_startup_grace: float = 60.0
    vouched: Callable[[Object], bool] | None = None
    """Of a Node: whether it is known to live without a heartbeat. A day of a test's clock would be mere
    heartbeats.
    """
    event_lifetime: float = 3600.0
    orphan_quarantine: float = 40.0
    terminated_pod_threshold: int = 12500
    """How many pods that have ended are kept; 0: all."""
    sign_token: SignToken | None = None
    """Signs the tokens of Secrets of type service-account-token."""


@dataclass(frozen=True, slots=True)
class Context:
    client: Client
    clock: Clock
    settings: Settings
    recorders: "Recorders"
    shared: dict[type, Any] = field(default_factory=dict)

    def recorder(self, component: str) -> EventRecorder:
        """Records events in the name of a component (`deployment-controller`), by this context's client."""
        return self.recorders.get(self.client, component)

    def share(self, kind: type[Shared], make: Callable[[], Shared]) -> Shared:
        """What several controllers keep of the same informers, made by the first one that asks."""
        if kind not in self.shared:
            self.shared[kind] = make()
        found: Shared = self.shared[kind]
        return found


class Recorders:
    """The event recorders of all controllers, one for each component; closed together."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made: dict[str, EventRecorder] = {}

    def get(self, client: Client, component: str) -> EventRecorder:
        if component not in self._made:
            self._made[component] = EventRecorder(client, component, clock=self._clock)
        return self._made[component]

    async def close(self) -> None:
        for recorder in self._made.values():
            await recorder.close()


class Controller(Protocol):
    @property
    def idle(self) -> bool:
        """Whether it has nothing to do at this moment; what waits for its time does not count."""
        ...

    def start(self) -> None: ...

    async def stop(self) -> None: ...
