"""Addresses and node ports as objects: what is taken, by whom, and when it is free again."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects import errors
from kubeling.objects.clock import FakeClock
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.groups.core.node_ports import NAME, RESOURCE, taken_in
from server.registry.kind import Kind
from server.registry.options import MERGE_PATCH, Patch
from server.registry.registry import Registry
from server.registry.settings import Settings
from server.storage import Store

SETTINGS = Settings(service_networks=(ip_network("10.0.0.0/24"),), node_ports=range(30000, 30200))
READY = [{"type": "Ready", "status": "True", "reason": "", "message": "", "lastTransitionTime": None}]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    yield opened
    await opened.close()


@pytest.fixture
def registry(store: Store) -> Registry:
    return Registry(store, FakeClock(), AdmitAll(), settings=SETTINGS)


def kind(registry: Registry, plural: str, group: str = "networking.k8s.io") -> Kind:
    found = registry.kinds.lookup(group, "v1", plural)
    assert found is not None
    return found


def context(*, dry_run: bool = False) -> RequestContext:
    return RequestContext(SYSTEM, dry_run=dry_run)


async def make(registry: Registry, name: str, *, dry_run: bool = False, **spec: Any) -> dict[str, Any]:
    obj = {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}
    services = kind(registry, "services", "")
    record = await registry.create(context(dry_run=dry_run), services, "default", obj)
    found: dict[str, Any] = record.obj["spec"]
    return found


async def patch(registry: Registry, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    change = Patch(MERGE_PATCH, {"spec": spec})
    result = await registry.patch(context(), kind(registry, "services", ""), "default", name, change)
    found: dict[str, Any] = result.record.obj["spec"]
    return found


def addresses(store: Store) -> set[str]:
    return {record.name for record in store.list("ipaddresses.networking.k8s.io")}


def ports(store: Store) -> set[int]:
    return taken_in(store.get(RESOURCE, "", NAME), SETTINGS.node_ports)


async def make_range(registry: Registry, store: Store, name: str, *cidrs: str) -> None:
    obj = {"metadata": {"name": name}, "spec": {"cidrs": list(cidrs)}}
    ranges = kind(registry, "servicecidrs")
    await registry.create(context(), ranges, "", obj)
    change = Patch(MERGE_PATCH, {"status": {"conditions": READY}})
    await registry.patch(context(), ranges, "", name, change, subresource="status")


async def test_every_address_is_an_object_that_names_its_service(registry: Registry, store: Store) -> None:
    spec = await make(registry, "a")
    record = store.get("ipaddresses.networking.k8s.io", "", spec["clusterIP"])
    assert record is not None
    assert record.obj["spec"] == {"parentRef": {"resource": "services", "namespace": "default", "name": "a"}}
    assert record.labels == {
        "ipaddress.kubernetes.io/ip-family": "IPv4",
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
    }


async def test_addresses_come_from_the_upper_part_of_the_range(registry: Registry) -> None:
    made = [(await make(registry, f"s{n}"))["clusterIP"] for n in range(10)]
    assert all(int(each.rpartition(".")[2]) >= 16 for each in made)


async def test_a_deleted_service_frees_what_it_had(registry: Registry, store: Store) -> None:
    await make(registry, "a", type="NodePort")
    assert addresses(store)
    assert ports(store)
    await registry.delete(context(), kind(registry, "services", ""), "default", "a")
    assert not addresses(store)
    assert not ports(store)


async def test_a_change_of_type_frees_what_has_no_use(registry: Registry, store: Store) -> None:
    await make(registry, "a", type="NodePort")
    await patch(registry, "a", {"type": "ClusterIP", "ports": [{"port": 80}]})
    assert not ports(store)
    external = {"type": "ExternalName", "externalName": "a.example", "clusterIP": None, "clusterIPs": None}
    await patch(registry, "a", external)
    assert not addresses(store)


async def test_a_dry_run_takes_nothing(registry: Registry, store: Store) -> None:
    spec = await make(registry, "a", dry_run=True, type="NodePort")
    assert spec["clusterIP"]
    assert spec["ports"][0]["nodePort"]
    assert not addresses(store)
    assert not ports(store)


async def test_an_address_that_somebody_else_wrote_is_honoured(registry: Registry) -> None:
    parent = {"group": "example.com", "resource": "gateways", "namespace": "default", "name": "g"}
    obj = {"metadata": {"name": "10.0.0.5"}, "spec": {"parentRef": parent}}
    await registry.create(context(), kind(registry, "ipaddresses"), "", obj)
    with pytest.raises(errors.Invalid, match="provided IP is already allocated"):
        await make(registry, "a", clusterIP="10.0.0.5")


async def test_more_ranges_give_more_addresses(registry: Registry, store: Store) -> None:
    await make_range(registry, store, "kubernetes", "10.0.0.0/29")
    made = [(await make(registry, f"s{n}"))["clusterIP"] for n in range(5)]
    assert all(ip_address(each) in ip_network("10.0.0.0/29") for each in made)
    with pytest.raises(errors.InternalError, match="range is full"):
        await make(registry, "more")
    await make_range(registry, store, "second", "10.1.0.0/24")
    more = await make(registry, "more")
    assert ip_address(more["clusterIP"]) in ip_network("10.1.0.0/24")


async def test_two_servers_never_give_the_same_away(store: Store) -> None:
    servers = [Registry(store, FakeClock(), AdmitAll(), settings=SETTINGS) for _ in range(2)]
    made = await asyncio.gather(*(make(servers[n % 2], f"s{n}", type="NodePort") for n in range(30)))
    assert len({spec["clusterIP"] for spec in made}) == 30
    assert len({spec["ports"][0]["nodePort"] for spec in made}) == 30
    assert len(ports(store)) == 30


async def test_many_node_ports_are_one_write(registry: Registry, store: Store) -> None:
    before = store.revision
    wanted = [{"name": f"p{n}", "port": n} for n in range(1, 101)]
    spec = await make(registry, "a", type="NodePort", ports=wanted)
    assert len({each["nodePort"] for each in spec["ports"]}) == 100
    assert store.revision - before == 3


async def test_node_ports_run_out(registry: Registry, store: Store) -> None:
    wanted = [{"name": f"p{n}", "port": n} for n in range(1, 202)]
    with pytest.raises(errors.InternalError, match="failed to allocate a nodePort: range is full"):
        await make(registry, "a", type="NodePort", ports=wanted)
    assert not addresses(store)
