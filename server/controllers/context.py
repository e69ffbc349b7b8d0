"""What every controller is made from, and what it is to whoever starts it."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Protocol

from kubeling.client import Client, EventRecorder
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object

POD_NETWORK = IPv4Network("10.244.0.0/16")


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
    node_monitor_grace: float = 50.0
    node_startup_grace: float = 60.0
    event_lifetime: float = 3600.0
    orphan_quarantine: float = 40.0
    sign_token: SignToken | None = None
    """Signs the tokens of Secrets of type service-account-token."""


@dataclass(frozen=True, slots=True)
class Context:
    client: Client
    clock: Clock
    settings: Settings
    recorder: EventRecorder
    """Records in the name of the node controller."""


class Controller(Protocol):
    def start(self) -> None: ...

    async def stop(self) -> None: ...
