import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects import errors
from kubeling.objects.clock import FakeClock
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.kinds import Kinds
from server.registry.options import STRATEGIC_MERGE_PATCH, Patch
from server.registry.registry import Registry
from server.registry.settings import Settings
from server.storage import Store

FOUND = Kinds().lookup("", "v1", "services")
assert FOUND is not None
SERVICES = FOUND


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    yield opened
    await opened.close()


@pytest.fixture
def registry(store: Store) -> Registry:
    return Registry(store, FakeClock(), AdmitAll())


async def make(registry: Registry, name: str, **spec: Any) -> dict[str, Any]:
    spec.setdefault("ports", [{"port": 80}])
    obj = {"metadata": {"name": name}, "spec": spec}
    record = await registry.create(RequestContext(SYSTEM), SERVICES, "default", obj)
    found: dict[str, Any] = record.obj["spec"]
    return found


async def refused(registry: Registry, **spec: Any) -> str:
    with pytest.raises(errors.Invalid) as caught:
        await make(registry, "refused", **spec)
    return caught.value.message.partition("is invalid: ")[2]


async def test_addresses_are_unique_under_concurrency(registry: Registry) -> None:
    made = await asyncio.gather(*(make(registry, f"s{n}") for n in range(20)))
    assert len({spec["clusterIP"] for spec in made}) == 20
    assert all(spec["clusterIPs"] == [spec["clusterIP"]] for spec in made)


async def test_a_full_range_is_an_error_and_the_first_address_is_kept_back(store: Store) -> None:
    settings = Settings(service_networks=(ip_network("10.0.0.0/29"),))
    registry = Registry(store, FakeClock(), AdmitAll(), settings=settings)
    made = [(await make(registry, f"s{n}"))["clusterIP"] for n in range(5)]
    assert sorted(made) == [f"10.0.0.{n}" for n in range(2, 7)]
    with pytest.raises(errors.InternalError, match="range is full"):
        await make(registry, "more")
    assert (await make(registry, "kubernetes", clusterIP="10.0.0.1"))["clusterIP"] == "10.0.0.1"


async def test_a_taken_or_foreign_address_is_refused(registry: Registry) -> None:
    await make(registry, "a", clusterIP="10.96.0.10")
    assert await refused(registry, clusterIP="10.96.0.10") == (
        'spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: provided IP is'
        " already allocated"
    )
    assert "does not match the current range" in await refused(registry, clusterIP="192.0.2.1")
    assert "is not in the valid range" in await refused(registry, clusterIP="10.96.0.0")


async def test_a_refused_service_gives_back_what_it_held(registry: Registry) -> None:
    ports = [{"port": 80, "nodePort": 30000}, {"port": 81, "nodePort": 1}]
    named = [{**port, "name": f"p{n}"} for n, port in enumerate(ports)]
    await refused(registry, type="NodePort", ports=named)
    spec = await make(registry, "b", type="NodePort", ports=[{"port": 80, "nodePort": 30000}])
    assert spec["ports"][0]["nodePort"] == 30000


async def test_protocols_of_one_port_share_a_node_port(registry: Registry) -> None:
    ports = [{"port": 53, "name": "a"}, {"port": 53, "protocol": "UDP", "name": "b"}]
    spec = await make(registry, "a", type="NodePort", ports=ports)
    first, second = (port["nodePort"] for port in spec["ports"])
    assert first == second
    assert 30000 <= first <= 32767


async def test_headless_and_external_services_get_no_address(registry: Registry) -> None:
    assert (await make(registry, "h", clusterIP="None", selector={"a": "b"}))["clusterIPs"] == ["None"]
    assert "clusterIP" not in await make(registry, "e", type="ExternalName", externalName="a.example")


async def test_types_change_and_the_address_stays(registry: Registry) -> None:
    spec = await make(registry, "a")
    for kind, with_ports in (("NodePort", True), ("LoadBalancer", True), ("ClusterIP", False)):
        patch = Patch(STRATEGIC_MERGE_PATCH, {"spec": {"type": kind}})
        result = await registry.patch(RequestContext(SYSTEM), SERVICES, "default", "a", patch)
        changed = result.record.obj["spec"]
        assert changed["clusterIP"] == spec["clusterIP"]
        assert ("nodePort" in changed["ports"][0]) == with_ports


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"ports": []}, "spec.ports: Required value"),
        ({"ports": [{"port": 80}, {"port": 81}]}, "spec.ports[0].name: Required value"),
        ({"type": "Strange"}, 'spec.type: Unsupported value: "Strange"'),
        ({"type": "ExternalName"}, "spec.externalName: Required value"),
        ({"ports": [{"port": 80, "nodePort": 30001}]}, "may not be used when `type` is 'ClusterIP'"),
        ({"clusterIP": "x"}, "spec.clusterIPs[0]: Invalid value"),
    ],
)
async def test_mistakes(registry: Registry, spec: dict[str, Any], text: str) -> None:
    assert text in await refused(registry, **spec)


async def test_a_balancer_does_not_open_the_nodes_agent(registry: Registry) -> None:
    spec = {"type": "LoadBalancer", "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 10250}]}
    service = {"metadata": {"name": "s"}, "spec": spec}
    why = r"spec.ports\[1\]: Invalid value: 10250: may not expose port 10250 externally since it is used by"
    with pytest.raises(errors.Invalid, match=why):
        await registry.create(RequestContext(SYSTEM), SERVICES, "default", service)
