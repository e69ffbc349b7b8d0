"""What a server does for its cluster now and then: says that it lives, frees what a crash left taken, and
keeps the flow schemas that every cluster has. Once a minute it also gives memory back to the system.

It says so with a Lease of its own, as every API server does. An address or a node port is taken before its
Service is stored; a server that dies in between leaves it without one. What is found so twice in a row, an
interval apart, is freed: once might be a Service that is just being stored, by this server or another.
"""

import base64
import hashlib
import socket
import uuid
from contextlib import suppress

from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from server.initial.flow_control import keep_flow_control
from server.memory import Memory
from server.registry.context import SYSTEM, RequestContext
from server.registry.groups.core.addresses import MANAGED_BY, MANAGER, RESOURCE, ip_address_object
from server.registry.groups.core.node_ports import NAME as PORTS_NAME
from server.registry.groups.core.node_ports import RESOURCE as PORTS
from server.registry.groups.core.node_ports import ports_of, taken_in, write_taken
from server.registry.kind import Kind
from server.registry.registry import Registry
from server.registry.settings import Settings
from server.storage import Store
from server.storage.errors import StorageError

_LEASE_SECONDS, _RENEWAL_SECONDS = 3600, 10.0
_KEEP_EVERY = 6
"""Renewals: a minute."""
_REPAIR_EVERY = 18
"""Renewals: three minutes, as upstream's repair."""


class Upkeep:
    """`name` tells the servers of one cluster apart."""

    def __init__(
        self, registry: Registry, store: Store, clock: Clock, settings: Settings, *, name: str
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._lease = _Identity(name, clock)
        self._repair = Repair(store, clock, settings)
        self._memory = Memory()
        self._tasks = Tasks("upkeep")

    async def start(self) -> None:
        """Put right at once what is missing; the rest goes on in the background."""
        await self._repair.run()
        self._tasks.start(self._go_on(), name="upkeep")

    async def stop(self) -> None:
        await self._tasks.stop()

    async def _go_on(self) -> None:
        turn = 0
        while True:
            with suppress(ApiError, StorageError):
                await self._lease.renew(self._registry)
            turn += 1
            if turn % _KEEP_EVERY == 0:
                self._memory.give_back()
                with suppress(ApiError, StorageError):
                    await keep_flow_control(self._registry)
            if turn % _REPAIR_EVERY == 0:
                with suppress(ApiError, StorageError):
                    await self._repair.run()
            await self._clock.sleep(_RENEWAL_SECONDS)


class _Identity:
    def __init__(self, name: str, clock: Clock) -> None:
        digest = hashlib.sha256(name.encode()).digest()[:16]
        self._clock = clock
        self.name = f"apiserver-{base64.b32encode(digest).decode().rstrip('=').lower()}"
        self._holder = f"{self.name}_{uuid.uuid4()}"

    async def renew(self, registry: Registry) -> None:
        kind = registry.kinds.lookup("coordination.k8s.io", "v1", "leases")
        assert kind is not None
        lease = self._wanted()
        try:
            found = await registry.get(kind, "kube-system", self.name)
        except ApiError:
            await registry.create(RequestContext(SYSTEM), kind, "kube-system", lease)
        else:
            await self._replace(registry, kind, {**found.obj, "spec": lease["spec"]})

    async def _replace(self, registry: Registry, kind: Kind, lease: Object) -> None:
        await registry.update(RequestContext(SYSTEM), kind, "kube-system", self.name, lease)

    def _wanted(self) -> Object:
        labels = {
            "apiserver.kubernetes.io/identity": "kube-apiserver",
            "kubernetes.io/hostname": socket.gethostname().lower(),
        }
        spec = {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": _LEASE_SECONDS,
            "renewTime": meta.micro_timestamp(self._clock.now()),
        }
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name, "namespace": "kube-system", "labels": labels},
            "spec": spec,
        }


class Repair:
    """Brings IPAddresses and the record of node ports in line with the Services."""

    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._suspects: set[str | int] = set()

    async def run(self) -> None:
        services = [record.obj for record in self._store.list("services")]
        suspects: set[str | int] = set()
        await self._repair_addresses(services, suspects)
        await self._repair_ports(services, suspects)
        self._suspects = suspects

    async def _repair_addresses(self, services: list[Object], suspects: set[str | int]) -> None:
        wanted = {
            address: service
            for service in services
            for address in service["spec"].get("clusterIPs") or ()
            if address != "None"
        }
        for address, service in wanted.items():
            if self._store.get(RESOURCE, "", address) is None:
                await self._add(address, service)
        for record in self._store.list(RESOURCE):
            if record.name in wanted or record.labels.get(MANAGED_BY) != MANAGER:
                continue
            if record.uid in self._suspects:
                await self._store.delete(RESOURCE, "", record.name, expected=record.revision)
            else:
                suspects.add(record.uid)

    async def _add(self, address: str, service: Object) -> None:
        made = ip_address_object(address, service)
        created = meta.timestamp(self._clock.now())
        made["metadata"] |= {"uid": meta.new_uid(), "creationTimestamp": created}
        with suppress(StorageError):
            await self._store.create(RESOURCE, "", made["metadata"]["name"], made)

    async def _repair_ports(self, services: list[Object], suspects: set[str | int]) -> None:
        valid = self._settings.node_ports
        record = self._store.get(PORTS, "", PORTS_NAME)
        used = {port for service in services for port in ports_of(service["spec"]) if port in valid}
        taken = taken_in(record, valid)
        unused = taken - used
        gone = {port for port in unused if port in self._suspects}
        suspects |= unused - gone
        if gone or used - taken:
            await write_taken(self._store, record, (taken | used) - gone, valid=valid)
