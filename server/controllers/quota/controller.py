"""Counts anew what is used of a quota. The key is the quota.

A count must not overlook an object that has been charged and is just being stored, or the same piece would be
given away twice. So a quota is counted only when its last charge is a moment old, and the count is written
only when no other charge has come meanwhile.

no status yet ─────────────────────────────────> count, write
spec changed · something given back · 5 minutes ─┬─ charged just now: a moment later ─> count, write
                                                 └─ not for a while ─────────────────>
"""

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.index import Index
from kubeling.client.resources import CUSTOM_RESOURCE_DEFINITIONS, RESOURCE_QUOTAS
from kubeling.objects import meta
from kubeling.objects.errors import GroupResource, NotFound
from kubeling.objects.meta import Object
from kubeling.objects.quota import counted_in, evaluator_of
from kubeling.objects.resource_list import ResourceList, equal, masked
from server.controllers.context import Context, Controller
from server.controllers.quota.counting import Usages
from server.controllers.quota.monitor import Monitor

MOMENT = 0.25
"""Seconds in which an object is stored after it has been charged."""
RESYNC = 300.0
WORKERS = 5


def make(context: Context) -> Controller:
    quotas = QuotaController(context)
    return quotas.runner


class QuotaController:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._clock = context.clock
        self._quotas = context.client.informer(RESOURCE_QUOTAS)
        self._by_namespace = Index(self._quotas, lambda quota: (meta.namespace(quota),))
        self._written: dict[str, tuple[str, float]] = {}
        """Of each quota, its resourceVersion and since when it has been that one."""
        self._usages = Usages()
        self._monitor = Monitor(context.client, self._object_changed)
        self.runner = ControllerRunner(
            "resource-quota-controller", self.reconcile, clock=context.clock, workers=WORKERS
        )
        self.runner.reads(self._quotas)
        self._quotas.add_handler(self._quota_changed)
        context.client.informer(CUSTOM_RESOURCE_DEFINITIONS).add_handler(self._definition_changed)

    async def reconcile(self, key: str) -> Result:
        quota = self._quotas.get(*meta.split_key(key))
        if quota is None:
            self._written.pop(key, None)
            return DONE
        if _is_counted(quota) and (wait := self._wait(key, quota)) > 0:
            return Result(requeue_after=wait)
        hard = quota["spec"].get("hard") or {}
        counted = await self._monitor.follow(counted_in(hard))
        used = _status(quota).get("used") or {}
        fresh = self._usages.total(quota, counted, self._clock.now())
        await self._write(quota, hard, masked({**used, **fresh}, hard))
        return Result(requeue_after=RESYNC)

    def _wait(self, key: str, quota: Object) -> float:
        """Seconds until the last charge to the quota, as it is now, will be old enough."""
        revision, now = meta.resource_version(quota), self._clock.monotonic()
        known, since = self._written.get(key, ("", now))
        if known != revision:
            self._written[key] = (revision, now)
            since = now
        return since + MOMENT - now

    async def _write(self, quota: Object, hard: ResourceList, used: ResourceList) -> None:
        status = _status(quota)
        known = status.get("used")
        if known is not None and equal(known, used) and _is_current(quota):
            return
        fresh = {**quota, "status": {**status, "hard": dict(hard), "used": dict(used)}}
        try:
            await self._client.update(RESOURCE_QUOTAS, fresh, subresource="status")
        except NotFound:
            return

    def _quota_changed(self, kind: str, quota: Object, _: Object | None) -> None:
        key = meta.key(quota)
        if kind == "DELETED":
            self._written.pop(key, None)
            return
        self._written[key] = (meta.resource_version(quota), self._clock.monotonic())
        if kind == "ADDED" or not (_is_current(quota) and _is_counted(quota)):
            self.runner.queue.add(key)

    def _object_changed(self, resource: GroupResource, kind: str, obj: Object, old: Object | None) -> None:
        """Look for what has been given back, where there are quotas at all."""
        if kind == "DELETED":
            self._usages.forget(obj)
        namespace = meta.namespace(obj)
        if kind == "ADDED" or not self._by_namespace.get(namespace):
            return
        if kind == "DELETED" or old is None or evaluator_of(resource).released(obj, old):
            self._returned(resource, namespace)

    def _returned(self, resource: GroupResource, namespace: str) -> None:
        for quota in self._by_namespace.get(namespace):
            if resource in counted_in(quota["spec"].get("hard") or {}):
                self.runner.queue.add(meta.key(quota))

    def _definition_changed(self, kind: str, definition: Object, _: Object | None) -> None:
        """A kind that a quota counts has come or gone."""
        spec = definition["spec"]
        resource = GroupResource(spec["group"], spec["names"]["plural"])
        if kind == "DELETED":
            self._monitor.forget(resource)
        for namespace in list(self._by_namespace.keys()):
            self._returned(resource, namespace)


def _status(quota: Object) -> Object:
    return quota.get("status") or {}


def _is_current(quota: Object) -> bool:
    """Whether the status is about what the spec says now."""
    return equal(quota["spec"].get("hard") or {}, _status(quota).get("hard") or {})


def _is_counted(quota: Object) -> bool:
    """Whether the quota has been counted: nothing is charged to one that has not."""
    return _status(quota).get("used") is not None
