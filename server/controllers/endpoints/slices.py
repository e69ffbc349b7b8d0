"""EndpointSlices for the pods that a Service selects. The key is the Service.

Slices go with their Service by garbage collection.
"""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.resources import ENDPOINT_SLICES, NODES, PODS, SERVICES
from kubeling.objects import meta
from kubeling.objects.errors import ApiError, Conflict
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.endpoints import pod_endpoint, trigger_time
from server.controllers.endpoints.membership import membership
from server.controllers.endpoints.pace import Pace
from server.controllers.endpoints.packing import pack
from server.controllers.endpoints.slice_set import MANAGED_BY, SERVICE_NAME, SliceSet, port_key, prefix
from server.controllers.owned.ownership import owner_reference
from server.controllers.owned.pods import node_of

MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
FOREIGN_CHANGE = 1.0
"""Seconds to wait after others have changed a slice, as upstream: they may not be done."""
UNSEEN = 0.05
"""Seconds to wait for own writes to be seen."""
PER_POD = 0.0015
"""Seconds, for `Pace`."""
AT_ONCE = 200
"""Pods after which others get their turn: thousands take a while."""
WORKERS = 5

_OWN_LABELS = frozenset({SERVICE_NAME, MANAGED_BY, HEADLESS})


class _Change(NamedTuple):
    created: list[Object]
    changed: list[Object]
    dropped: list[Object]


def make(context: Context) -> Controller:
    return EndpointSlices(context).runner


class EndpointSlices:
    def __init__(self, context: Context) -> None:
        self._recorder = context.recorder("endpoint-slice-controller")
        self._services = context.client.informer(SERVICES)
        self._nodes = context.client.informer(NODES)
        pods, slices = context.client.informer(PODS), context.client.informer(ENDPOINT_SLICES)
        self._membership = membership(context)
        self._slices = SliceSet(context.client, slices, MANAGER, clock=context.clock)
        self._pace = Pace(context.clock, per_pod=PER_POD)
        self._triggers = trigger_time.TriggerTimes()
        self._lacking: dict[str, set[str]] = {}
        """The Services that wait for a node to be known, by its name."""
        self.runner = ControllerRunner(
            "endpointslice-controller", self._reconcile, clock=context.clock, workers=WORKERS
        )
        self._membership.follow(self._enqueue)
        slices.add_handler(self._slice_changed)
        self._nodes.add_handler(self._node_changed)
        for informer in (self._services, self._nodes, pods, slices):
            self.runner.reads(informer)

    def _enqueue(self, key: str) -> None:
        self.runner.queue.add_after(key, self._pace.delay(key))

    def _slice_changed(self, kind: str, found: Object, old: Object | None) -> None:
        for each in (found, old):
            key = self._slices.key(each) if each is not None else None
            if key is None or (kind == "ADDED" and self._is_own(key, found)):
                continue
            if self._slices.is_news(kind, found):
                self.runner.queue.add_after(key, FOREIGN_CHANGE)

    def _is_own(self, key: str, found: Object) -> bool:
        """Whether it was made for the Service that there is now."""
        service = self._services.get(*meta.split_key(key))
        return service is not None and _is_owned(found, service)

    def _node_changed(self, kind: str, node: Object, _: Object | None) -> None:
        if kind == "ADDED":
            for key in self._lacking.pop(meta.name(node), ()):
                self.runner.queue.add(key)

    async def _reconcile(self, key: str) -> Result:
        service = self._services.get(*meta.split_key(key))
        if service is None:
            for part in (self._slices, self._triggers, self._pace):
                part.forget(key)
            return DONE
        spec = service.get("spec") or {}
        if spec.get("type") == "ExternalName" or not spec.get("selector"):
            return DONE  # the user, or the mirroring of his Endpoints, says who is behind it
        if self._slices.stale(key):
            return Result(requeue_after=UNSEEN)
        pods = self._membership.pods(key)
        self._pace.worked(key, len(pods))
        try:
            await self._follow(key, service, pods)
        except Conflict:
            raise
        except ApiError as error:
            message = f"Error updating Endpoint Slices for Service {key}: {error}"
            self._recorder.event(service, "Warning", "FailedToUpdateEndpointSlices", message)
            raise
        return DONE

    async def _follow(self, key: str, service: Object, pods: list[Object]) -> None:
        trigger = self._triggers.take(service, pods)
        existing = self._slices.of(key)
        supported = pod_endpoint.families(service)
        dropped = [each for each in existing if each.get("addressType") not in supported]
        for family in supported:
            of_family = [each for each in existing if each.get("addressType") == family]
            groups = await self._groups(key, service, pods, family)
            change = _change(service, family, of_family, groups)
            for each in (*change.created, *change.changed):
                _annotate(each, trigger)
            if meta.is_terminating(service):
                change.created.clear()
            await self._slices.write(key, **change._asdict())
        await self._slices.write(key, created=(), changed=(), dropped=dropped)

    async def _groups(self, key: str, service: Object, pods: Iterable[Object], family: str) -> list["_Group"]:
        """The endpoints by their ports, which named ones make differ from pod to pod."""
        groups: dict[str, _Group] = {}
        for count, pod in enumerate(pods, 1):
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)
            if not pod_endpoint.may_serve(pod, terminating=True):
                continue
            node = self._nodes.get("", node_of(pod)) if node_of(pod) else None
            endpoint = pod_endpoint.endpoint(pod, service, family, node)
            if endpoint is None:
                continue
            if node is None and not pod_endpoint.publishes_unready(service):
                self._lacking.setdefault(node_of(pod), set()).add(key)
                continue
            ports = pod_endpoint.ports(pod, service)
            groups.setdefault(port_key(ports), _Group(ports, [])).endpoints.append(endpoint)
        return list(groups.values())


class _Group(NamedTuple):
    ports: list[Object]
    endpoints: list[Object]


def _change(service: Object, family: str, existing: list[Object], groups: list[_Group]) -> _Change:
    """What has to be written for the slices of one family to hold just these endpoints."""
    own = [each for each in existing if _is_owned(each, service)]
    change = _Change([], [], [each for each in existing if not _is_owned(each, service)])
    by_ports: dict[str, dict[str, Object]] = {}
    for each in own:
        by_ports.setdefault(port_key(each.get("ports") or ()), {})[meta.name(each)] = each
    spare: list[Object] = []
    for group in groups:
        slices = by_ports.pop(port_key(group.ports), {})
        packing = pack({name: each.get("endpoints") or [] for name, each in slices.items()}, group.endpoints)
        spare += [slices.pop(name) for name in packing.emptied]
        for name, each in slices.items():
            fresh = _made(
                service, family, group.ports, packing.changed.get(name, each.get("endpoints")), each
            )
            if fresh != _without_trigger(each):
                change.changed.append(fresh)
        change.created.extend(_made(service, family, group.ports, each, None) for each in packing.created)
    spare += [each for slices in by_ports.values() for each in slices.values()]
    if not change.created and len(spare) == len(own):
        change.created.append(_made(service, family, [], [], None))  # there is always one, if empty
    _recycle(change, spare)
    return change


def _recycle(change: _Change, spare: list[Object]) -> None:
    """A slice that is not needed any more takes in what a new one would: one write rather than two."""
    while spare and change.created:
        made, old = change.created.pop(), _without_trigger(spare.pop(0))
        metadata = {**old["metadata"], "labels": made["metadata"]["labels"]}
        fresh = {**old, "metadata": metadata, "endpoints": made["endpoints"], "ports": made["ports"]}
        if fresh != old:
            change.changed.append(fresh)
    change.dropped.extend(spare)


def _made(
    service: Object, family: str, ports: list[Object], endpoints: list[Object] | None, old: Object | None
) -> Object:
    """A new slice, or what becomes of an old one."""
    labels = {k: v for k, v in meta.labels(service).items() if k not in _OWN_LABELS}
    labels |= {SERVICE_NAME: meta.name(service), MANAGED_BY: MANAGER}
    if pod_endpoint.is_headless(service):
        labels[HEADLESS] = ""
    if old is not None:
        fresh = _without_trigger(old)
        return {**fresh, "metadata": {**fresh["metadata"], "labels": labels}, "endpoints": endpoints}
    metadata = {
        "generateName": prefix(meta.name(service)),
        "namespace": meta.namespace(service),
        "labels": labels,
        "ownerReferences": [owner_reference(service, SERVICES)],
    }
    return {
        "apiVersion": ENDPOINT_SLICES.api_version,
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": family,
        "endpoints": endpoints,
        "ports": ports,
    }


def _without_trigger(found: Object) -> Object:
    annotations = {k: v for k, v in meta.annotations(found).items() if k != trigger_time.ANNOTATION}
    metadata = {k: v for k, v in found["metadata"].items() if k != "annotations"}
    if annotations:
        metadata["annotations"] = annotations
    return {
        **found,
        "metadata": metadata,
        "endpoints": found.get("endpoints") or [],
        "ports": found.get("ports") or [],
    }


def _annotate(fresh: Object, trigger: str) -> None:
    """In a metadata of its own."""
    if trigger:
        annotations = {**meta.annotations(fresh), trigger_time.ANNOTATION: trigger}
        fresh["metadata"] = {**fresh["metadata"], "annotations": annotations}


def _is_owned(found: Object, service: Object) -> bool:
    references = meta.metadata(found).get("ownerReferences") or ()
    return any(reference.get("uid") == meta.uid(service) for reference in references)
