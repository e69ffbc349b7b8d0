"""The control plane's process: reads the configuration, puts the parts together, serves until a signal comes.

Parts are built in the order in which they are needed and let go of in the reverse order.
"""

import argparse
import asyncio
import gc
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kubeling.objects.clock import Clock, SystemClock
from kubeling.objects.errors import GroupResource
from kubeling.objects.logs import log_to_stderr
from kubeling.objects.meta import Object
from server.admission.standard import standard
from server.api.aggregation.availability import Availability
from server.api.aggregation.client import RemoteApis
from server.api.aggregation.connections import RemoteConnections
from server.api.aggregation.remotes import Remotes
from server.api.assembly import Api
from server.api.backends import Backends
from server.api.components import Components
from server.api.listener import Listener, ListenError, bind, tls
from server.api.nodes import Nodes
from server.api.resource_metrics.objects import ResourceMetrics
from server.api.reviews import Reviews
from server.auth.authentication import Authenticator
from server.auth.authorization import Authorization
from server.auth.legacy_use import LegacyUse
from server.auth.service_accounts import ServiceAccountTokens
from server.auth.tokens import TokenFileError, Tokens
from server.bootstrap import bootstrap
from server.config import Config, ConfigError, load
from server.controllers import Settings as ControllerSettings
from server.inprocess import LocalClient, Others
from server.loops import Loops
from server.registry.computed import Computed
from server.registry.context import SYSTEM
from server.registry.custom.lifecycle import CustomResources
from server.registry.registry import Registry
from server.registry.service_endpoints import ServiceEndpoints
from server.registry.settings import Settings
from server.scheduler import Configuration as SchedulerConfiguration
from server.scheduler import ConfigurationError, load_configuration
from server.storage import Store
from server.storage.errors import DatabaseError
from server.storage.expiry import Expiry
from server.storage.lane import SWITCH_SECONDS
from server.tokens.issuer import Issuer
from server.tokens.secrets import secret_signer
from server.upkeep import Upkeep
from server.webhooks.client import WebhookClient

if TYPE_CHECKING:
    from server.tokens.keys import SigningKey, VerificationKey

logger = logging.getLogger("server")

_SHUTDOWN_SECONDS = 5.0
_EVENT_SECONDS = 3600.0
"""How long an Event lives, as upstream's --event-ttl has it."""
COLLECTION = (20_000, 50, 20)
"""Thresholds of the garbage collector. What is stored are trees, which go without it; with Python's own
thresholds it walks over them all, for a fifth of a second, each time that they have grown by a quarter."""


def main(arguments: list[str] | None = None) -> int:
    """Run the server; the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m server", description="The kubeling control plane.")
    parser.add_argument("--config", type=Path, required=True, help="the server's configuration, a JSON file")
    options = parser.parse_args(arguments)
    log_to_stderr()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        _run(load(options.config))
    except (ConfigError, TokenFileError, ListenError, DatabaseError) as error:
        logger.error("cannot start: %s", error)
        return 1
    return 0


def _run(config: Config) -> None:
    import uvloop

    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*COLLECTION)
    uvloop.run(serve(config))


async def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        TokenFileError, ListenError, DatabaseError: something that the configuration names cannot be used.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as parts:
        port = await start(config, parts, clock=SystemClock())
        gc.freeze()  # what has been made by now stays
        logger.info("serving on %s port %d", config.listen, port)
        await stopping.wait()
        logger.info("stopping")


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs, for those who run it in a process of their own."""

    port: int
    store: Store
    registry: Registry
    watchers: Callable[[], int]
    """How many watches are open over HTTP."""
    idle: Callable[[], bool]
    """Whether loops and requests have nothing to do at this moment; what waits for its time may wait."""


async def start(config: Config, parts: AsyncExitStack, *, clock: Clock, loops: bool = True) -> int:
    """As `run`; the port that is served."""
    running = await run(config, parts, clock=clock, loops=loops)
    return running.port


async def run(
    config: Config,
    parts: AsyncExitStack,
    *,
    clock: Clock,
    loops: bool = True,
    housekeeping: Clock | None = None,
    vouched: Callable[[Object], bool] | None = None,
) -> Running:
    """Start every part, leaving its end with `parts`.

    Without `loops` the controllers and the scheduler are somebody else's, over HTTP. `housekeeping` is the
    clock of what the server does for itself, where that is to be another. Nodes that are `vouched` for need
    no heartbeat.
    """
    housekeeping = housekeeping or clock
    issuer = _issuer(config)
    listening = parts.enter_context(bind(config.listen, config.port))
    port = int(listening.getsockname()[1])
    context = tls(certificate=config.serving.certificate, key=config.serving.key, client_ca=config.client_ca)
    store = await _open_store(config, parts, clock, housekeeping)
    authorization = Authorization.standard(store)
    legacy_use = LegacyUse(clock)
    parts.push_async_callback(legacy_use.stop)
    authenticator = _authenticator(config, issuer, store, clock, legacy_use)
    settings = Settings(service_networks=(config.service_cidr,), issuer=issuer)
    components = Components(store, clock)
    metrics = ResourceMetrics(
        store, lambda endpoint: nodes.page(endpoint, "/metrics/resource"), clock, housekeeping
    )
    computed = {**components.by_resource(), **metrics.by_resource()}
    registry = _registry(store, clock, settings, authenticator, authorization, computed)
    nodes = Nodes(registry, client=config.kubelet_client, authority=config.client_ca)
    parts.push_async_callback(nodes.close)
    legacy_use.begin(registry)
    _follow_definitions(registry, store, parts, clock)
    remotes = Remotes()
    others = RemoteConnections(ServiceEndpoints(store), config.proxy_client)
    api = _api(
        config, parts, registry, authenticator, authorization, nodes, remotes, others, issuer, port=port
    )
    await _listen(api, listening, context, parts)
    async with store.turn():
        await bootstrap(registry, config, port=port)
    await _start_upkeep(registry, store, parts, housekeeping, settings, port=port)
    _watch_others(LocalClient(registry, store, user=SYSTEM), parts, remotes, others, clock)
    working: list[Callable[[], bool]] = [lambda: not api.handler.under_way]
    if loops:
        working += _start_loops(
            config,
            parts,
            registry=registry,
            store=store,
            clock=clock,
            issuer=issuer,
            components=components,
            others=RemoteApis(remotes, others, clock),
            vouched=vouched,
        )
    api.ready()
    return Running(port, store, registry, api.watches.__len__, lambda: all(idle() for idle in working))


async def _listen(api: Api, listening: socket.socket, context: ssl.SSLContext, parts: AsyncExitStack) -> None:
    listener = Listener(api.handler)
    await listener.start(listening, context)
    parts.push_async_callback(listener.stop, seconds=_SHUTDOWN_SECONDS)
    parts.push_async_callback(api.stop)


async def _start_upkeep(
    registry: Registry, store: Store, parts: AsyncExitStack, clock: Clock, settings: Settings, *, port: int
) -> None:
    upkeep = Upkeep(registry, store, clock, settings, name=f"{socket.gethostname()}:{port}")
    parts.push_async_callback(upkeep.stop)
    await upkeep.start()


async def _open_store(config: Config, parts: AsyncExitStack, clock: Clock, housekeeping: Clock) -> Store:
    """The store, with the Events in it expiring."""
    store = await Store.open(config.datastore, clock=housekeeping)
    parts.push_async_callback(store.close)
    events = Expiry(store, clock, resource="events", lifetime=_EVENT_SECONDS)
    events.start()
    parts.push_async_callback(events.stop)
    return store


def _registry(
    store: Store,
    clock: Clock,
    settings: Settings,
    authenticator: Authenticator,
    authorization: Authorization,
    computed: Mapping[GroupResource, Computed],
) -> Registry:
    return Registry(
        store,
        clock,
        standard(store, authorization),
        settings=settings,
        reviews=Reviews(authenticator, authorization).by_resource(),
        computed=computed,
    )


def _follow_definitions(registry: Registry, store: Store, parts: AsyncExitStack, clock: Clock) -> None:
    """Serve the kinds that CustomResourceDefinitions bring."""
    webhooks = WebhookClient(ServiceEndpoints(store))
    parts.push_async_callback(webhooks.close)
    custom_resources = CustomResources(registry, store, clock, webhooks.post)
    parts.push_async_callback(custom_resources.stop)
    custom_resources.start()


def _api(
    config: Config,
    parts: AsyncExitStack,
    registry: Registry,
    authenticator: Authenticator,
    authorization: Authorization,
    nodes: Nodes,
    remotes: Remotes,
    others: RemoteConnections,
    issuer: Issuer | None,
    *,
    port: int,
) -> Api:
    """The HTTP API, with its connections to pods and to other servers."""
    backends = Backends()
    for connections in (backends, others):
        parts.push_async_callback(connections.close)
    return Api(
        registry,
        authenticator=authenticator,
        authorization=authorization,
        address=f"{config.advertise_address}:{port}",
        nodes=nodes,
        backends=backends,
        remotes=remotes,
        connections=others,
        issuer=issuer,
    )


def _watch_others(
    client: LocalClient, parts: AsyncExitStack, remotes: Remotes, others: RemoteConnections, clock: Clock
) -> None:
    """Keep up with the servers that APIServices name."""
    parts.push_async_callback(client.close)
    availability = Availability(client, remotes, others, clock=clock)
    parts.push_async_callback(availability.stop)
    availability.start()


def _issuer(config: Config) -> Issuer | None:
    file = config.service_account_key
    if file is None:
        return None

    def read() -> "SigningKey":
        from server.tokens.keys import SigningKey

        return SigningKey.read(file)

    others = _verification_keys(config.service_account_verification_keys)
    return Issuer(read, others=lambda: others, url=config.service_account_issuer)


def _verification_keys(files: Sequence[Path]) -> "Sequence[VerificationKey]":
    """Raises ConfigError."""
    if not files:
        return ()
    from server.tokens.keys import SigningKeyError, VerificationKey

    try:
        return [VerificationKey.read(file) for file in files]
    except SigningKeyError as error:
        raise ConfigError(f"serviceAccountVerificationKeys: {error}") from error


def _authenticator(
    config: Config, issuer: Issuer | None, store: Store, clock: Clock, used: LegacyUse
) -> Authenticator:
    tokens = Tokens.read(config.token_file) if config.token_file else Tokens()
    if issuer is None:
        return Authenticator(tokens)
    accounts = ServiceAccountTokens(issuer, store, clock, used=used)
    return Authenticator(tokens, accounts, audiences=issuer.audiences)


def _scheduling(config: Config) -> SchedulerConfiguration | None:
    """Raises ConfigError."""
    if config.scheduler_config is None:
        return None
    try:
        return load_configuration(config.scheduler_config)
    except ConfigurationError as error:
        raise ConfigError(f"schedulerConfig: {error}") from error


def _start_loops(
    config: Config,
    parts: AsyncExitStack,
    *,
    registry: Registry,
    store: Store,
    clock: Clock,
    issuer: Issuer | None,
    components: Components,
    others: Others,
    vouched: Callable[[Object], bool] | None,
) -> Sequence[Callable[[], bool]]:
    """For each of those that run, whether it has nothing to do."""
    settings = ControllerSettings(
        certificate_authority=config.client_ca.read_text(),
        certificate_authority_key=config.client_ca_key,
        pod_network=config.pod_cidr,
        sign_token=secret_signer(issuer) if issuer is not None else None,
        vouched=vouched,
    )
    loops = Loops(registry, store, clock, settings, _scheduling(config), components, others, parts)
    if config.control_loops:
        loops.start()
    else:
        loops.start_own()
    return loops.idle
