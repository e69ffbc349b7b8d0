"""What a server puts right for its cluster: the identity Lease, and what a crash left taken."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeling.objects.clock import FakeClock
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.groups.core.addresses import ip_address_object
from server.registry.groups.core.node_ports import NAME, RESOURCE, taken_in, write_taken
from server.registry.registry import Registry
from server.registry.settings import Settings
from server.storage import Store
from server.upkeep import Repair, Upkeep

SETTINGS, ADDRESSES = Settings(), "ipaddresses.networking.k8s.io"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    yield opened
    await opened.close()


async def make_service(store: Store) -> Registry:
    registry = Registry(store, FakeClock(), AdmitAll(), settings=SETTINGS)
    services = registry.kinds.lookup("", "v1", "services")
    assert services is not None
    spec = {"type": "NodePort", "clusterIP": "10.96.0.9", "ports": [{"port": 80, "nodePort": 30007}]}
    obj = {"metadata": {"name": "s"}, "spec": spec}
    await registry.create(RequestContext(SYSTEM), services, "default", obj)
    return registry


async def test_what_no_service_has_is_freed_the_second_time_it_is_found(store: Store) -> None:
    left = ip_address_object("10.96.0.50", {"metadata": {"name": "gone", "namespace": "default"}})
    left["metadata"]["uid"] = "u"
    await store.create(ADDRESSES, "", "10.96.0.50", left)
    await write_taken(store, None, {30001}, valid=SETTINGS.node_ports)
    repair = Repair(store, FakeClock(), SETTINGS)
    await repair.run()
    assert store.get(ADDRESSES, "", "10.96.0.50")
    await repair.run()
    assert store.get(ADDRESSES, "", "10.96.0.50") is None
    assert not taken_in(store.get(RESOURCE, "", NAME), SETTINGS.node_ports)


async def test_what_a_service_has_is_taken_again(store: Store) -> None:
    await make_service(store)
    await store.delete(ADDRESSES, "", "10.96.0.9", expected=None)
    await store.delete(RESOURCE, "", NAME, expected=None)
    await Repair(store, FakeClock(), SETTINGS).run()
    assert store.get(ADDRESSES, "", "10.96.0.9")
    assert taken_in(store.get(RESOURCE, "", NAME), SETTINGS.node_ports) == {30007}


async def test_a_server_renews_its_lease_every_ten_seconds(store: Store) -> None:
    registry, clock = await make_service(store), FakeClock()
    upkeep = Upkeep(registry, store, clock, SETTINGS, name="host:6443")
    await upkeep.start()
    while not clock.sleepers:
        await clock.advance(0)
    (first,) = store.list("leases.coordination.k8s.io")
    assert first.labels["apiserver.kubernetes.io/identity"] == "kube-apiserver"
    assert first.obj["spec"]["leaseDurationSeconds"] == 3600
    await clock.advance(10)
    while not clock.sleepers:
        await clock.advance(0)
    (again,) = store.list("leases.coordination.k8s.io")
    assert again.obj["spec"]["renewTime"] == "2026-01-01T00:00:10.000000Z"
    await upkeep.stop()
