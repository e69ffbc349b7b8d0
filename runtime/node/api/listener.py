"""Listens for the API server: TLS, client certificates, start and stop. What is served is `handler`'s."""

import errno
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from kubeling.objects.clock import Clock
from kubeling.streams.connection import ConnectionServer
from runtime.container_runtime import ContainerRuntime
from runtime.errors import MachineNotReady
from runtime.node.api.container_logs import ContainerLogs
from runtime.node.api.containers import PodLookup
from runtime.node.api.gate import Gate
from runtime.node.api.handler import KubeletHandler
from runtime.node.api.images import Images, Loader
from runtime.node.api.routes import Handler, Routes
from runtime.node.api.streams import PodStreams
from runtime.node.logs.watcher import DirectoryWatcher

_SHUTDOWN_GRACE = 0.2
"""Seconds that requests get to end when the agent ends; streams are cut then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenSettings:
    """`scratch` is a directory for archives that are being loaded."""

    host: str
    port: int
    certificate: Path
    key: Path
    client_ca: Path
    scratch: Path = Path()


class Listener:
    """An HTTPS listener that asks for client certificates; `handler` takes every request."""

    def __init__(self, settings: ListenSettings, handler: Handler) -> None:
        self._settings = settings
        self._runner = web.ServerRunner(
            ConnectionServer(handler, access_log=None), shutdown_timeout=_SHUTDOWN_GRACE
        )
        self.port = settings.port

    async def start(self) -> None:
        """Listen; `port` is the real one from then on. Raises MachineNotReady when the port is taken."""
        listening = _bind(self._settings.host, self._settings.port)
        self.port = listening.getsockname()[1]
        await self._runner.setup()
        await web.SockSite(self._runner, listening, ssl_context=_tls(self._settings)).start()

    async def stop(self) -> None:
        await self._runner.cleanup()


class KubeletApi:
    """The node's HTTPS API. `start` it in a running loop; `stop` cuts what still runs."""

    def __init__(
        self,
        settings: ListenSettings,
        runtime: ContainerRuntime,
        pods: PodLookup,
        *,
        loader: Loader | None,
        clock: Clock,
        gate: Gate,
        pages: Routes | None = None,
    ) -> None:
        """`pages` are what the node tells of itself beside its pods."""
        self._watcher = DirectoryWatcher()
        handler = KubeletHandler(
            runtime,
            pods,
            logs=ContainerLogs(runtime, pods, self._watcher, clock),
            streams=PodStreams(runtime, pods),
            images=Images(runtime, loader, settings.scratch),
            gate=gate,
            pages=pages or {},
        )
        self._listener = Listener(settings, handler)

    @property
    def port(self) -> int:
        """The real one once it listens."""
        return self._listener.port

    async def start(self) -> None:
        """Raises MachineNotReady when the port is taken."""
        await self._listener.start()

    async def stop(self) -> None:
        await self._listener.stop()
        await self._watcher.close()


def _bind(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        reason = "it is in use by another process" if error.errno == errno.EADDRINUSE else error.strerror
        raise MachineNotReady(f"the node agent cannot listen on {host} port {port}: {reason}") from error
    return listening


def _tls(settings: ListenSettings) -> ssl.SSLContext:
    """Without a certificate a client gets as far as a 401; one by another CA fails the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_cert_chain(settings.certificate, settings.key)
    context.load_verify_locations(settings.client_ca)
    return context
