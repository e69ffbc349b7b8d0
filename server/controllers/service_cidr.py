"""Makes ServiceCIDRs ready, and lets one go when no address needs it: each is in another range, too.

The key is the ServiceCIDR.
"""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from kubeling.client import DONE, ControllerRunner, Informer, Result
from kubeling.client.resources import Resource
from kubeling.objects import conditions, meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object, timestamp
from server.controllers.context import Context, Controller

_GROUP = "networking.k8s.io"
RANGES = Resource(_GROUP, "v1", "servicecidrs", "ServiceCIDR", namespaced=False)
ADDRESSES = Resource(_GROUP, "v1", "ipaddresses", "IPAddress", namespaced=False)
_FINALIZER = "networking.k8s.io/service-cidr-finalizer"
_DEFAULT = "kubernetes"
_HELD = (
    "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"
)


def make(context: Context) -> Controller:
    keeper = _Keeper(context)
    runner = ControllerRunner("service-cidr-controller", keeper.reconcile, clock=context.clock)
    runner.watches(keeper.ranges, meta.name)
    runner.reads(keeper.addresses)

    def changed(kind: str, obj: Object, old: Object | None) -> None:
        if kind == "DELETED":
            for each in keeper.ranges.list():
                if meta.is_terminating(each):
                    runner.queue.add(meta.name(each))

    keeper.addresses.add_handler(changed)
    keeper.ranges.add_handler(changed)
    return runner


class _Keeper:
    def __init__(self, context: Context) -> None:
        self.ranges: Informer = context.client.informer(RANGES)
        self.addresses: Informer = context.client.informer(ADDRESSES)
        self._client = context.client
        self._clock = context.clock

    async def reconcile(self, name: str) -> Result:
        found = self.ranges.get("", name)
        if found is None:
            return DONE
        try:
            if meta.is_terminating(found):
                await self._let_go(found)
            else:
                await self._make_ready(found)
        except NotFound:
            return DONE
        return DONE

    async def _make_ready(self, found: Object) -> None:
        finalizers = found["metadata"].get("finalizers") or []
        if _FINALIZER not in finalizers:
            metadata = {**found["metadata"], "finalizers": [*finalizers, _FINALIZER]}
            found = await self._client.update(RANGES, {**found, "metadata": metadata})
        if meta.name(found) != _DEFAULT and not conditions.is_true(found, "Ready"):
            await self._say(found, "True", "", "Kubernetes Service CIDR is ready")

    async def _let_go(self, found: Object) -> None:
        finalizers = found["metadata"].get("finalizers") or []
        if _FINALIZER not in finalizers:
            return
        if self._is_needed(found):
            state = conditions.find(found, "Ready") or {}
            if (state.get("status"), state.get("reason")) != ("False", "Terminating"):
                await self._say(found, "False", "Terminating", _HELD)
            return
        left = [each for each in finalizers if each != _FINALIZER]
        metadata = {**found["metadata"], "finalizers": left}
        await self._client.update(RANGES, {**found, "metadata": metadata})

    def _is_needed(self, found: Object) -> bool:
        own = list(_networks([found]))
        others = [each for each in self.ranges.list() if each is not found and not meta.is_terminating(each)]
        remaining = list(_networks(each for each in others if meta.name(each) != meta.name(found)))
        for record in self.addresses.list():
            address = ip_address(meta.name(record))
            if any(address in each for each in own) and not any(address in each for each in remaining):
                return True
        return False

    async def _say(self, found: Object, status: str, reason: str, message: str) -> None:
        condition = {
            "type": "Ready",
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": timestamp(self._clock.now()),
        }
        fresh = {**found, "status": {"conditions": [condition]}}
        await self._client.update(RANGES, fresh, subresource="status")


def _networks(ranges: Iterable[Object]) -> Iterable[IPv4Network | IPv6Network]:
    for each in ranges:
        for text in (each.get("spec") or {}).get("cidrs") or ():
            yield ip_network(text, strict=False)
