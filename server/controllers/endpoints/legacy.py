"""Endpoints objects for the pods that a Service selects, as clients read them that know no slices.

The key is the Service, whose name the Endpoints have. Of a Service without a selector they are the user's.
"""

from contextlib import suppress

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.resources import ENDPOINTS, PODS, SERVICES
from kubeling.objects import meta
from kubeling.objects.errors import ApiError, Conflict, NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.endpoints import pod_endpoint, trigger_time
from server.controllers.endpoints.membership import membership
from server.controllers.endpoints.pace import Pace
from server.controllers.endpoints.subsets import Entry, repacked, truncated
from server.controllers.owned.pod_control import namespace_terminates
from server.controllers.owned.pods import is_ready, node_of

MANAGED_BY, MANAGER = "endpoints.kubernetes.io/managed-by", "endpoint-controller"
HEADLESS = "service.kubernetes.io/headless"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
PER_POD = 0.003
"""Seconds, for `Pace`: the whole object is written for each change."""
WORKERS = 5


def make(context: Context) -> Controller:
    return EndpointsController(context).runner


class EndpointsController:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._recorder = context.recorder("endpoint-controller")
        self._services = context.client.informer(SERVICES)
        self._endpoints = context.client.informer(ENDPOINTS)
        pods = context.client.informer(PODS)
        self._membership = membership(context)
        self._pace = Pace(context.clock, per_pod=PER_POD)
        self._triggers = trigger_time.TriggerTimes()
        self.runner = ControllerRunner(
            "endpoint-controller", self._reconcile, clock=context.clock, workers=WORKERS
        )
        self._membership.follow(self._enqueue)
        self._endpoints.add_handler(self._endpoints_changed)
        for informer in (self._services, self._endpoints, pods):
            self.runner.reads(informer)

    def _enqueue(self, key: str) -> None:
        self.runner.queue.add_after(key, self._pace.delay(key))

    def _endpoints_changed(self, kind: str, found: Object, _: Object | None) -> None:
        """What somebody has deleted is made again; what was left by a Service that is gone goes, too."""
        if kind == "DELETED" or (kind == "ADDED" and meta.labels(found).get(MANAGED_BY) == MANAGER):
            self.runner.queue.add(meta.key(found))

    async def _reconcile(self, key: str) -> Result:
        namespace, name = meta.split_key(key)
        service, current = self._services.get(namespace, name), self._endpoints.get(namespace, name)
        if service is None:
            self._triggers.forget(key)
            self._pace.forget(key)
            if current is not None:
                await self._delete(current)
            return DONE
        spec = service.get("spec") or {}
        if spec.get("type") == "ExternalName" or not spec.get("selector"):
            return DONE
        pods = self._membership.pods(key)
        self._pace.worked(key, len(pods))
        trigger = self._triggers.take(service, pods)
        fresh = _wanted(service, pods, current)
        if fresh is not None:
            _set_annotation(fresh, trigger_time.ANNOTATION, trigger)
            await self._write(service, fresh, is_new=current is None)
        return DONE

    async def _delete(self, current: Object) -> None:
        with suppress(NotFound):
            await self._client.delete(
                ENDPOINTS,
                meta.name(current),
                namespace=meta.namespace(current),
                preconditions={"uid": meta.uid(current)},
            )

    async def _write(self, service: Object, fresh: Object, *, is_new: bool) -> None:
        try:
            await (self._client.create if is_new else self._client.update)(ENDPOINTS, fresh)
        except Conflict:
            raise
        except ApiError as error:
            if namespace_terminates(error):
                return
            key = meta.key(service)
            if is_new:
                reason, what = "FailedToCreateEndpoint", f"create endpoint for service {key}"
            else:
                reason, what = "FailedToUpdateEndpoint", f"update endpoint {key}"
            self._recorder.event(fresh, "Warning", reason, f"Failed to {what}: {error}")
            raise


def _wanted(service: Object, pods: list[Object], current: Object | None) -> Object | None:
    """The Endpoints as they should be; None when they are so already."""
    subsets = repacked(entry for pod in pods for entry in _entries(pod, service))
    fewer = truncated(subsets)
    base = current or {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": meta.name(service), "namespace": meta.namespace(service)},
    }
    labels = {k: v for k, v in meta.labels(service).items() if k != HEADLESS}
    labels[MANAGED_BY] = MANAGER
    if pod_endpoint.is_headless(service):
        labels[HEADLESS] = ""
    fresh = {**base, "metadata": {**base["metadata"], "labels": labels}, "subsets": fewer or subsets}
    _set_annotation(fresh, OVER_CAPACITY, "truncated" if fewer else "")
    same = current is not None and _compared(fresh) == _compared(current)
    return None if same else fresh


def _compared(found: Object) -> tuple[object, ...]:
    return found.get("subsets") or [], meta.labels(found), meta.annotations(found).get(OVER_CAPACITY)


def _entries(pod: Object, service: Object) -> list[Entry]:
    """The pod's address once for each port."""
    tolerant = pod_endpoint.publishes_unready(service)
    if not pod_endpoint.may_serve(pod, terminating=tolerant):
        return []
    ip = pod_endpoint.address(pod, pod_endpoint.families(service)[0])
    if ip is None:
        return []
    address: Object = {"ip": ip, "targetRef": pod_endpoint.reference(pod)}
    optional = {"nodeName": node_of(pod), "hostname": pod_endpoint.hostname(pod, service)}
    address |= {name: value for name, value in optional.items() if value}
    ready = tolerant or is_ready(pod)
    if pod_endpoint.is_headless(service) and not (service.get("spec") or {}).get("ports"):
        return [Entry(address, ready, None)]
    return [Entry(address, ready, _port(port)) for port in pod_endpoint.ports(pod, service)]


def _port(port: Object) -> Object:
    return {name: value for name, value in port.items() if value != ""}


def _set_annotation(fresh: Object, name: str, value: str) -> None:
    """Empty: it goes. The object's metadata must be its own."""
    annotations = {k: v for k, v in meta.annotations(fresh).items() if k != name}
    if value:
        annotations[name] = value
    fresh["metadata"].pop("annotations", None)
    if annotations:
        fresh["metadata"]["annotations"] = annotations
