"""Says in each APIService's status whether its server answers, and learns from the answer what it serves.

The key is the APIService's name. A server is asked when its Service or endpoints change, and every half
minute.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import orjson
from aiohttp import ClientError, ClientTimeout

from kubeling.client import DONE, Client, ControllerRunner, Informer, Resource, Result, TemporaryError
from kubeling.objects import conditions, meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.api.aggregation.connections import RemoteConnections, Unreachable, identity_headers
from server.api.aggregation.remotes import Remote, Remotes
from server.registry.context import UserInfo
from server.webhooks.client import reason

API_SERVICES = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False)
SERVICES = Resource("", "v1", "services", "Service")
SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
_SERVICE_NAME = "kubernetes.io/service-name"
_AGGREGATOR = UserInfo("system:kube-aggregator", groups=("system:masters",))
_SECONDS, _LARGEST = 5.0, 8 * 1024 * 1024
_AGAIN, _RETRY = 30.0, 2.0


class Verdict(NamedTuple):
    status: str
    reason: str
    message: str


_PASSED = Verdict("True", "Passed", "all checks passed")


class Availability:
    def __init__(
        self, client: Client, remotes: Remotes, connections: RemoteConnections, *, clock: Clock
    ) -> None:
        self._client = client
        self._remotes = remotes
        self._connections = connections
        self._clock = clock
        self._api_services: Informer = client.informer(API_SERVICES)
        self._services: Informer = client.informer(SERVICES)
        self._slices: Informer = client.informer(SLICES)
        self._runner = ControllerRunner("available-condition-controller", self._reconcile, clock=clock)
        self._api_services.add_handler(remotes.changed)
        self._runner.watches(self._api_services, meta.name)
        for informer, service_of in ((self._services, meta.name), (self._slices, _service_of)):
            self._runner.reads(informer)
            informer.add_handler(self._changes(service_of))

    def start(self) -> None:
        self._runner.start()

    async def stop(self) -> None:
        await self._runner.stop()

    def _changes(self, service_of: Callable[[Object], str]) -> Callable[[str, Object, Object | None], None]:
        """Asks anew whoever stands behind the Service that something has changed of."""

        def changed(kind: str, obj: Object, old: Object | None) -> None:
            if self._remotes:
                for name in self._remotes.served_by(meta.namespace(obj), service_of(obj)):
                    self._runner.queue.add(name)

        return changed

    async def _reconcile(self, name: str) -> Result:
        found, remote = self._api_services.get("", name), self._remotes.named(name)
        if found is None or remote is None:
            return DONE
        verdict = self._looked_at(remote) or await self._asked(remote)
        await self._tell(found, verdict)
        if verdict.reason == "FailedDiscoveryCheck":
            raise TemporaryError(verdict.message, delay=_RETRY)
        return Result(requeue_after=_AGAIN)

    async def _tell(self, found: Object, verdict: Verdict) -> None:
        state = found.get("status") or {}
        fresh = {**found, "status": {**state, "conditions": [dict(c) for c in state.get("conditions") or ()]}}
        now = self._clock.now()
        status, why, text = verdict
        if conditions.set_condition(fresh, "Available", status, reason=why, message=text, now=now):
            with suppress(NotFound):
                await self._client.update(API_SERVICES, fresh, subresource="status")

    def _looked_at(self, remote: Remote) -> Verdict | None:
        """What is wrong with its Service; None when it can be asked."""
        place = f'service/{remote.service} in "{remote.namespace}"'
        service = self._services.get(remote.namespace, remote.service)
        if service is None:
            return Verdict("False", "ServiceNotFound", f"{place} is not present")
        spec = service.get("spec") or {}
        if spec.get("type", "ClusterIP") != "ClusterIP":
            return None
        port = next((each for each in spec.get("ports") or () if each.get("port") == remote.port), None)
        if port is None:
            why = f"{place} is not listening on port {remote.port}"
            return Verdict("False", "ServicePortError", why)
        slices = [each for each in self._slices.list(remote.namespace) if _service_of(each) == remote.service]
        if not slices:
            return Verdict("False", "EndpointsNotFound", f"cannot find endpointslices for {place}")
        name = port.get("name") or ""
        if not any(_serves(each, name) for each in slices):
            why = f'endpointslices for {place} have no addresses with port name "{name}"'
            return Verdict("False", "MissingEndpoints", why)
        return None

    async def _asked(self, remote: Remote) -> Verdict:
        try:
            address = self._connections.address(remote)
        except Unreachable as error:
            return Verdict("False", "FailedDiscoveryCheck", str(error))
        url = address + remote.path
        try:
            status, body = await self._fetch(url)
            if not 200 <= status < 300:
                raise Unreachable(f"bad status from {url}: {status}")
        except Unreachable as error:
            why = f"failing or missing response from {url}: {error}"
            return Verdict("False", "FailedDiscoveryCheck", why)
        self._remotes.learn(remote.key, _resources(body), await self._schema(address, remote))
        return _PASSED

    async def _schema(self, address: str, remote: Remote) -> str:
        """Where its OpenAPI document is; empty when it has none."""
        with suppress(Unreachable):
            status, body = await self._fetch(f"{address}/openapi/v3")
            paths = _decoded(body).get("paths") if status == 200 else None
            found = (paths or {}).get(remote.path.lstrip("/"))
            return str((found or {}).get("serverRelativeURL", ""))
        return ""

    async def _fetch(self, url: str) -> tuple[int, bytes]:
        headers = [("Accept", "application/json"), *identity_headers(_AGGREGATOR)]
        try:
            async with self._connections.session.get(
                url, headers=headers, timeout=ClientTimeout(total=_SECONDS), allow_redirects=False
            ) as answer:
                return answer.status, await answer.content.read(_LARGEST)
        except TimeoutError as error:
            raise Unreachable(f'Get "{url}": context deadline exceeded') from error
        except (ClientError, OSError) as error:
            raise Unreachable(f'Get "{url}": {reason(error)}') from error


def _service_of(slice_: Object) -> str:
    return meta.labels(slice_).get(_SERVICE_NAME, "")


def _serves(slice_: Object, port: str) -> bool:
    ready = any(
        (each.get("conditions") or {}).get("ready") is not False for each in slice_.get("endpoints") or ()
    )
    named = (each for each in slice_.get("ports") or () if each.get("port") is not None)
    return ready and any((each.get("name") or "") == port for each in named)


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _resources(body: bytes) -> Sequence[Object]:
    found = _decoded(body).get("resources")
    listed = found if isinstance(found, list) else []
    return [each for each in listed if isinstance(each, dict) and isinstance(each.get("name"), str)]
