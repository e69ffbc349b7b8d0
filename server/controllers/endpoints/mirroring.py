"""EndpointSlices that mirror the Endpoints that a user keeps for a Service without a selector.

The key is that of both. There is one slice for each subset and family. Endpoints that ask not to be mirrored,
or hold a leader election, are not.
"""

from ipaddress import ip_address

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.resources import ENDPOINT_SLICES, ENDPOINTS, SERVICES
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.endpoints import trigger_time
from server.controllers.endpoints.slice_set import MANAGED_BY, SERVICE_NAME, SliceSet, port_key, prefix
from server.controllers.owned.ownership import owner_reference

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
MOST = 1000
"""Addresses of a subset that are mirrored: --mirroring-max-endpoints-per-subset."""
FOREIGN_CHANGE, UNSEEN = 1.0, 0.05
"""Seconds, as in `slices`."""
WORKERS = 5

_NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration", trigger_time.ANNOTATION)


def make(context: Context) -> Controller:
    return Mirroring(context).runner


class Mirroring:
    def __init__(self, context: Context) -> None:
        self._recorder = context.recorder("endpoint-slice-mirroring-controller")
        self._services = context.client.informer(SERVICES)
        self._endpoints = context.client.informer(ENDPOINTS)
        slices = context.client.informer(ENDPOINT_SLICES)
        self._slices = SliceSet(context.client, slices, MANAGER, clock=context.clock)
        self.runner = ControllerRunner(
            "endpointslicemirroring-controller", self._reconcile, clock=context.clock, workers=WORKERS
        )
        self._services.add_handler(self._service_changed)
        self._endpoints.add_handler(self._endpoints_changed)
        slices.add_handler(self._slice_changed)
        for informer in (self._services, self._endpoints, slices):
            self.runner.reads(informer)

    def _service_changed(self, kind: str, service: Object, old: Object | None) -> None:
        if kind != "MODIFIED" or _selects(service) != _selects(old or {}):
            self._look(meta.key(service))

    def _endpoints_changed(self, kind: str, endpoints: Object, old: Object | None) -> None:
        if _may_be_mirrored(endpoints) or (old is not None and _may_be_mirrored(old)):
            self._look(meta.key(endpoints))

    def _look(self, key: str) -> None:
        """Most Services have a selector, and nothing to be mirrored."""
        if self._source(key) is not None or self._slices.of(key):
            self.runner.queue.add(key)

    def _slice_changed(self, kind: str, found: Object, old: Object | None) -> None:
        if kind == "ADDED":
            return
        for each in (found, old):
            key = self._slices.key(each) if each is not None else None
            if key is not None and self._slices.is_news(kind, found):
                self.runner.queue.add_after(key, FOREIGN_CHANGE)

    def _source(self, key: str) -> Object | None:
        """The Endpoints that are to be mirrored, if they are."""
        service, endpoints = (each.get(*meta.split_key(key)) for each in (self._services, self._endpoints))
        if service is None or _selects(service) or endpoints is None or not _may_be_mirrored(endpoints):
            return None
        return endpoints

    async def _reconcile(self, key: str) -> Result:
        if self._slices.stale(key):
            return Result(requeue_after=UNSEEN)
        endpoints, existing = self._source(key), self._slices.of(key)
        if endpoints is None:
            self._slices.forget(key)
            await self._slices.write(key, created=(), changed=(), dropped=existing)
            return DONE
        created, changed = [], []
        for fresh in self._mirrored(endpoints):
            old = _counterpart(fresh, existing)
            if old is None:
                created.append(fresh)
                continue
            existing.remove(old)
            updated = {**old, **fresh, "metadata": _merged(fresh, old)}
            if updated != old:
                changed.append(updated)
        await self._slices.write(key, created=created, changed=changed, dropped=existing)
        return DONE

    def _mirrored(self, endpoints: Object) -> list[Object]:
        """The slices that the Endpoints ask for."""
        found: dict[tuple[str, str], Object] = {}
        skipped = 0
        for subset in endpoints.get("subsets") or ():
            ports = [_port(port) for port in subset.get("ports") or ()]
            addresses = [(each, True) for each in subset.get("addresses") or ()]
            addresses += [(each, False) for each in subset.get("notReadyAddresses") or ()]
            skipped += max(0, len(addresses) - MOST)
            for address, ready in addresses[:MOST]:
                family = f"IPv{ip_address(address['ip']).version}"
                place = (family, port_key(ports))
                if place not in found:
                    found[place] = _slice(endpoints, family, ports)
                found[place]["endpoints"].append(_endpoint(address, ready=ready))
        if skipped:
            message = (
                f"A max of {MOST} addresses can be mirrored to EndpointSlices per Endpoints subset."
                f" {skipped} addresses were skipped"
            )
            self._recorder.event(endpoints, "Warning", "TooManyAddressesToMirror", message)
        return list(found.values())


def _selects(service: Object) -> bool:
    return bool((service.get("spec") or {}).get("selector"))


def _may_be_mirrored(endpoints: Object) -> bool:
    return meta.labels(endpoints).get(SKIP) != "true" and LEADER not in meta.annotations(endpoints)


def _counterpart(fresh: Object, existing: list[Object]) -> Object | None:
    def place(found: Object) -> tuple[object, str]:
        return found.get("addressType"), port_key(found.get("ports") or ())

    return next((each for each in existing if place(each) == place(fresh)), None)


def _merged(fresh: Object, old: Object) -> Object:
    """The old slice's identity with the new one's labels, annotations and owner."""
    metadata = {**old["metadata"], **fresh["metadata"]}
    if "annotations" not in fresh["metadata"]:
        metadata.pop("annotations", None)
    return metadata


def _slice(endpoints: Object, family: str, ports: list[Object]) -> Object:
    labels = {**meta.labels(endpoints), SERVICE_NAME: meta.name(endpoints), MANAGED_BY: MANAGER}
    annotations = {k: v for k, v in meta.annotations(endpoints).items() if k not in _NOT_COPIED}
    metadata: Object = {
        "generateName": prefix(meta.name(endpoints)),
        "namespace": meta.namespace(endpoints),
        "labels": labels,
        "ownerReferences": [owner_reference(endpoints, ENDPOINTS)],
    }
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": ENDPOINT_SLICES.api_version,
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": family,
        "endpoints": [],
        "ports": ports,
    }


def _endpoint(address: Object, *, ready: bool) -> Object:
    endpoint: Object = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    for name in ("targetRef", "nodeName", "hostname"):
        if address.get(name):
            endpoint[name] = address[name]
    return endpoint


def _port(port: Object) -> Object:
    found = {
        "name": port.get("name", ""),
        "port": port["port"],
        "protocol": port.get("protocol") or "TCP",
    }
    return {**found, "appProtocol": port["appProtocol"]} if port.get("appProtocol") else found
