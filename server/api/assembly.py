"""The HTTP side of the server, put together: which part gets what."""

from server.api.aggregation.connections import RemoteConnections
from server.api.aggregation.forwarding import Forwarding
from server.api.aggregation.remotes import Remotes
from server.api.backends import Backends
from server.api.discovery import Discovery
from server.api.handler import Handler
from server.api.health import Check, Health
from server.api.issuer_pages import IssuerPages
from server.api.metrics import RequestMetrics
from server.api.nodes import Nodes
from server.api.object_proxy import ObjectProxy
from server.api.openapi import OpenAPI
from server.api.pages import Pages
from server.api.pod_log import PodLog
from server.api.pod_streams import PodStreams
from server.api.resources import Connect, Resources
from server.api.watch import Watches
from server.auth.authentication import Authenticator
from server.auth.authorization import Authorization
from server.registry.kind import Kind
from server.registry.registry import Registry
from server.tokens.issuer import Issuer

_HOOKS = (
    "start-apiextensions-controllers",
    "crd-informer-synced",
    "start-system-namespaces-controller",
    "start-legacy-token-tracking-controller",
    "start-service-ip-repair-controllers",
    "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes",
    "priority-and-fairness-config-producer",
    "bootstrap-controller",
    "start-kubernetes-service-cidr-controller",
    "apiservice-registration-controller",
)
"""What upstream does once it listens, and this server before it is ready, by upstream's names."""


class Api:
    """`handler` answers requests; `ready` makes /readyz say so; `stop` ends the watches."""

    def __init__(
        self,
        registry: Registry,
        *,
        authenticator: Authenticator,
        authorization: Authorization,
        address: str,
        nodes: Nodes,
        backends: Backends,
        remotes: Remotes,
        connections: RemoteConnections,
        issuer: Issuer | None = None,
    ) -> None:
        """`remotes` are other servers that answer for APIs, reached by `connections`."""

        def kinds() -> list[Kind]:
            """Those whose group another server has taken over are not this server's to show."""
            served = (kind for kind in registry.kinds.all() if registry.serves(kind))
            return [kind for kind in served if not kind.computed or not remotes.find(_place(kind))]

        self.watches = Watches(registry)
        self._bootstrapped = self._stopping = False
        metrics = RequestMetrics(usage=registry.usage)

        def generation() -> int:
            return registry.kinds.generation + remotes.generation

        discovery = Discovery(kinds, address=address, generation=generation, remotes=remotes.all)
        pages = Pages(
            health=self._health(lambda: registry.trouble),
            metrics=metrics,
            discovery=discovery,
            openapi=OpenAPI(kinds, generation=generation, remotes=remotes.schemas),
            issuer=IssuerPages(issuer, address=address) if issuer is not None else None,
        )
        self.handler = Handler(
            authenticator=authenticator,
            authorization=authorization,
            resources=Resources(registry, self.watches, _connects(registry, nodes, backends)),
            pages=pages,
            metrics=metrics,
            forwarding=Forwarding(remotes, connections),
        )

    def ready(self) -> None:
        self._bootstrapped = True

    async def stop(self) -> None:
        """Say that the server is going, and end every watch cleanly."""
        self._stopping = True
        self.watches.stop()

    def _health(self, database: Check) -> Health:
        health = Health()
        health.add("log", lambda: "")
        health.add("etcd", database)
        for name in ("etcd-readiness", "informer-sync"):
            health.add(name, database, to=["readyz"])
        for hook in _HOOKS:
            health.add(f"poststarthook/{hook}", lambda: "" if self._bootstrapped else "not finished")
        health.add("shutdown", lambda: "process is shutting down" if self._stopping else "", to=["readyz"])
        return health


def _place(kind: Kind) -> tuple[str, str]:
    return kind.group, kind.version


def _connects(registry: Registry, nodes: Nodes, backends: Backends) -> dict[tuple[str, str], Connect]:
    """The subresources that are no objects, by plural and subresource."""
    streams, proxy = PodStreams(registry, nodes), ObjectProxy(registry, nodes, backends)
    return {
        ("pods", "log"): PodLog(registry, nodes),
        ("pods", "exec"): streams.exec,
        ("pods", "attach"): streams.attach,
        ("pods", "portforward"): streams.port_forward,
        ("pods", "proxy"): proxy.pod,
        ("services", "proxy"): proxy.service,
        ("nodes", "proxy"): proxy.node,
    }
