"""Endpoints and EndpointSlices follow the pods of a Service, and slices mirror what a user keeps himself."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeling.client.resources import ENDPOINT_SLICES, ENDPOINTS, EVENTS, NODES, PODS, SERVICES
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.endpoints import pod_endpoint
from server.controllers.endpoints.packing import pack
from server.controllers.endpoints.subsets import Entry, repacked, truncated
from server.tests.plane import Plane, started_plane


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        await plane.add_node()
        yield plane


async def add_pod(plane: Plane, name: str, ip: str, *, ready: bool = True, **spec: object) -> None:
    ports = [{"containerPort": 8080, "name": "web"}]
    full: Object = {"nodeName": "n", "containers": [{"name": "c", "image": "i", "ports": ports}], **spec}
    await plane.client.create(
        PODS,
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "ns", "labels": {"app": "a"}},
            "spec": full,
        },
    )
    await plane.set_pod(name, ready=ready, podIP=ip, podIPs=[{"ip": ip}])


async def add_service(plane: Plane, name: str = "s", **spec: object) -> Object:
    ports = [{"port": 80, "targetPort": "web", "name": "http"}]
    full = {"selector": {"app": "a"}, "ports": ports, **spec}
    return await plane.create(SERVICES, {"metadata": {"name": name, "labels": {"l": "v"}}, "spec": full})


def slices(plane: Plane, service: str = "s") -> list[Object]:
    found = plane.list(ENDPOINT_SLICES)
    return [each for each in found if meta.labels(each)["kubernetes.io/service-name"] == service]


def one_slice(plane: Plane) -> Object:
    (found,) = slices(plane)
    return found


def addresses(plane: Plane) -> set[str]:
    return {ip for each in slices(plane) for end in each.get("endpoints") or () for ip in end["addresses"]}


async def test_a_slice_says_what_upstreams_says(plane: Plane) -> None:
    await plane.patch(NODES, "n", {"metadata": {"labels": {"topology.kubernetes.io/zone": "z"}}})
    service = await add_service(plane)
    await add_pod(plane, "p", "10.0.0.1")
    await plane.advance(1)
    found = one_slice(plane)
    assert meta.name(found).startswith("s-")
    assert meta.labels(found) == {
        "l": "v",
        "kubernetes.io/service-name": "s",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert meta.controller_of(found)["uid"] == meta.uid(service)  # type: ignore[index]
    assert found["addressType"] == "IPv4"
    assert found["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    pod = plane.get(PODS, "p") or {}
    assert found["endpoints"] == [
        {
            "addresses": ["10.0.0.1"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "targetRef": {"kind": "Pod", "namespace": "ns", "name": "p", "uid": meta.uid(pod)},
            "nodeName": "n",
            "zone": "z",
        }
    ]
    assert (
        meta.annotations(found)["endpoints.kubernetes.io/last-change-trigger-time"] == "2026-01-01T00:00:00Z"
    )


async def test_endpoints_say_what_upstreams_say(plane: Plane) -> None:
    await add_service(plane)
    await add_pod(plane, "p", "10.0.0.1")
    await add_pod(plane, "q", "10.0.0.2", ready=False)
    await plane.advance(1)
    found = plane.get(ENDPOINTS, "s") or {}
    assert meta.labels(found) == {"l": "v", "endpoints.kubernetes.io/managed-by": "endpoint-controller"}
    (subset,) = found["subsets"]
    assert subset["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert [each["ip"] for each in subset["addresses"]] == ["10.0.0.1"]
    assert [each["ip"] for each in subset["notReadyAddresses"]] == ["10.0.0.2"]
    assert subset["addresses"][0]["nodeName"] == "n"
    assert subset["addresses"][0]["targetRef"]["name"] == "p"


async def test_a_service_without_pods_has_an_empty_slice(plane: Plane) -> None:
    await add_service(plane)
    assert not one_slice(plane).get("endpoints")
    assert (plane.get(ENDPOINTS, "s") or {}).get("subsets") in (None, [])
    name = meta.name(one_slice(plane))
    await add_pod(plane, "p", "10.0.0.1")
    await plane.advance(1)
    assert addresses(plane) == {"10.0.0.1"}
    assert meta.name(one_slice(plane)) == name


async def test_pods_come_and_go(plane: Plane) -> None:
    await add_service(plane)
    for number in range(3):
        await add_pod(plane, f"p{number}", f"10.0.0.{number + 1}")
    await plane.advance(1)
    assert addresses(plane) == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}
    await plane.patch(PODS, "p0", {"metadata": {"labels": {"app": "b"}}})
    await plane.set_pod("p1", "Succeeded")
    await plane.advance(1)
    assert addresses(plane) == {"10.0.0.3"}
    await plane.patch(SERVICES, "s", {"spec": {"selector": {"app": "b"}}})
    await plane.advance(1)
    assert addresses(plane) == {"10.0.0.1"}


async def test_a_terminating_pod_still_serves(plane: Plane) -> None:
    await add_service(plane)
    await add_pod(plane, "p", "10.0.0.1")
    await plane.client.delete(PODS, "p", namespace="ns")
    await plane.advance(1)
    (endpoint,) = one_slice(plane)["endpoints"]
    assert endpoint["conditions"] == {"ready": False, "serving": True, "terminating": True}
    assert (plane.get(ENDPOINTS, "s") or {}).get("subsets") in (None, [])


async def test_unready_addresses_are_published_when_asked_for(plane: Plane) -> None:
    await add_service(plane, publishNotReadyAddresses=True, clusterIP="None")
    await add_pod(plane, "p", "10.0.0.1", ready=False)
    await plane.advance(1)
    (endpoint,) = one_slice(plane)["endpoints"]
    assert endpoint["conditions"] == {"ready": True, "serving": False, "terminating": False}
    assert meta.labels(one_slice(plane))["service.kubernetes.io/headless"] == ""
    found = plane.get(ENDPOINTS, "s") or {}
    assert found["subsets"][0]["addresses"][0]["ip"] == "10.0.0.1"
    assert meta.labels(found)["service.kubernetes.io/headless"] == ""


async def test_hostnames_are_those_of_the_subdomain(plane: Plane) -> None:
    await add_service(plane, clusterIP="None", ports=None)
    await add_pod(plane, "p", "10.0.0.1", hostname="h", subdomain="s")
    await add_pod(plane, "q", "10.0.0.2", hostname="h", subdomain="other")
    await plane.advance(1)
    found = {each["addresses"][0]: each.get("hostname") for each in one_slice(plane)["endpoints"]}
    assert found == {"10.0.0.1": "h", "10.0.0.2": None}
    (subset,) = (plane.get(ENDPOINTS, "s") or {})["subsets"]
    assert [each.get("hostname") for each in subset["addresses"]] == ["h", None]


async def test_traffic_is_kept_close_when_asked_for(plane: Plane) -> None:
    await plane.patch(NODES, "n", {"metadata": {"labels": {"topology.kubernetes.io/zone": "z"}}})
    await add_service(plane, trafficDistribution="PreferClose")
    await add_pod(plane, "p", "10.0.0.1")
    await plane.advance(1)
    assert one_slice(plane)["endpoints"][0]["hints"] == {"forZones": [{"name": "z"}]}
    await plane.patch(SERVICES, "s", {"spec": {"trafficDistribution": "PreferSameNode"}})
    await plane.advance(1)
    hints = one_slice(plane)["endpoints"][0]["hints"]
    assert hints == {"forZones": [{"name": "z"}], "forNodes": [{"name": "n"}]}
    await plane.patch(SERVICES, "s", {"spec": {"trafficDistribution": None}})
    await plane.advance(1)
    assert "hints" not in one_slice(plane)["endpoints"][0]


async def test_named_ports_that_differ_make_slices_of_their_own(plane: Plane) -> None:
    await add_service(plane)
    await add_pod(plane, "p", "10.0.0.1")
    other = [{"name": "c", "image": "i", "ports": [{"containerPort": 9090, "name": "web"}]}]
    await add_pod(plane, "q", "10.0.0.2", containers=other)
    await plane.advance(1)
    assert sorted(each["ports"][0]["port"] for each in slices(plane)) == [8080, 9090]
    assert len((plane.get(ENDPOINTS, "s") or {})["subsets"]) == 2


async def test_slices_have_the_labels_of_their_service(plane: Plane) -> None:
    await add_service(plane)
    await plane.patch(SERVICES, "s", {"metadata": {"labels": {"l": None, "m": "w"}}})
    await plane.advance(1)
    labels = meta.labels(one_slice(plane))
    assert (labels.get("l"), labels["m"]) == (None, "w")


async def test_a_burst_of_changes_is_few_writes(plane: Plane) -> None:
    await add_service(plane)
    for number in range(30):
        await add_pod(plane, f"p{number}", f"10.0.0.{number + 1}", ready=False)
    await plane.advance(1)
    before = meta.metadata(one_slice(plane))["generation"]
    for number in range(30):
        await plane.set_pod(f"p{number}", podIP=f"10.0.0.{number + 1}")
    await plane.advance(1)
    assert all(each["conditions"]["ready"] for each in one_slice(plane)["endpoints"])
    assert meta.metadata(one_slice(plane))["generation"] <= before + 2


async def test_what_others_did_to_a_slice_is_undone(plane: Plane) -> None:
    await add_service(plane)
    await add_pod(plane, "p", "10.0.0.1")
    await plane.advance(1)
    await plane.patch(ENDPOINT_SLICES, meta.name(one_slice(plane)), {"endpoints": []})
    await plane.advance(2)
    assert addresses(plane) == {"10.0.0.1"}
    await plane.client.delete(ENDPOINT_SLICES, meta.name(one_slice(plane)), namespace="ns")
    await plane.client.delete(ENDPOINTS, "s", namespace="ns")
    await plane.advance(2)
    assert addresses(plane) == {"10.0.0.1"}
    assert plane.get(ENDPOINTS, "s")


async def test_a_slice_that_is_taken_away_is_replaced(plane: Plane) -> None:
    await add_service(plane)
    await add_pod(plane, "p", "10.0.0.1")
    await plane.advance(1)
    name = meta.name(one_slice(plane))
    mine = {"metadata": {"labels": {"endpointslice.kubernetes.io/managed-by": "me"}}}
    await plane.patch(ENDPOINT_SLICES, name, mine)
    await plane.advance(6)
    (other,) = [each for each in slices(plane) if meta.name(each) != name]
    assert other["endpoints"][0]["addresses"] == ["10.0.0.1"]


async def test_endpoints_go_with_their_service(plane: Plane) -> None:
    await add_service(plane)
    await plane.client.delete(SERVICES, "s", namespace="ns")
    await plane.advance(1)
    assert plane.get(ENDPOINTS, "s") is None


async def test_a_service_without_a_selector_is_left_alone(plane: Plane) -> None:
    await add_service(plane, selector=None)
    await add_service(plane, "external", type="ExternalName", externalName="example.com")
    await plane.advance(1)
    assert plane.list(ENDPOINT_SLICES) == []
    assert plane.list(ENDPOINTS) == []


CUSTOM: Object = {
    "metadata": {"name": "s", "labels": {"mine": "yes"}},
    "subsets": [
        {
            "addresses": [{"ip": "192.0.2.1", "hostname": "h"}, {"ip": "2001:db8::1"}],
            "notReadyAddresses": [{"ip": "192.0.2.2"}],
            "ports": [{"name": "http", "port": 80}],
        }
    ],
}


async def test_a_users_endpoints_are_mirrored(plane: Plane) -> None:
    await plane.create(ENDPOINTS, CUSTOM)
    await add_service(plane, selector=None)
    found = {each["addressType"]: each for each in slices(plane)}
    assert set(found) == {"IPv4", "IPv6"}
    assert found["IPv4"]["endpoints"] == [
        {"addresses": ["192.0.2.1"], "conditions": {"ready": True}, "hostname": "h"},
        {"addresses": ["192.0.2.2"], "conditions": {"ready": False}},
    ]
    assert meta.labels(found["IPv6"]) == {
        "mine": "yes",
        "kubernetes.io/service-name": "s",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }
    fewer = [{"addresses": [{"ip": "192.0.2.9"}], "ports": [{"name": "http", "port": 80}]}]
    name = meta.name(found["IPv4"])
    await plane.patch(ENDPOINTS, "s", {"subsets": fewer})
    await plane.advance(2)
    assert addresses(plane) == {"192.0.2.9"}
    assert meta.name(one_slice(plane)) == name
    await plane.client.delete(ENDPOINTS, "s", namespace="ns")
    await plane.advance(2)
    assert slices(plane) == []


async def test_endpoints_that_do_not_want_it_are_not_mirrored(plane: Plane) -> None:
    await add_service(plane, selector=None)
    labels = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    await plane.create(ENDPOINTS, {**CUSTOM, "metadata": {"name": "s", "labels": labels}})
    assert slices(plane) == []
    await plane.patch(ENDPOINTS, "s", {"metadata": {"labels": None}})
    assert len(slices(plane)) == 2
    await plane.patch(SERVICES, "s", {"spec": {"selector": {"app": "x"}}})
    await plane.advance(2)
    assert not one_slice(plane).get("endpoints")


async def test_no_more_than_a_thousand_addresses_are_mirrored(plane: Plane) -> None:
    await add_service(plane, selector=None)
    many = [{"ip": f"192.0.{number // 250}.{number % 250 + 1}"} for number in range(1001)]
    await plane.create(ENDPOINTS, {"metadata": {"name": "s"}, "subsets": [{"addresses": many}]})
    assert len(addresses(plane)) == 1000
    (event,) = [each for each in plane.list(EVENTS) if each["reason"] == "TooManyAddressesToMirror"]
    assert event["message"].endswith("per Endpoints subset. 1 addresses were skipped")


def test_each_family_has_the_address_of_its_kind() -> None:
    both = [{"ip": "10.0.0.1"}, {"ip": "2001:db8::1"}]
    pod: Object = {"metadata": {"name": "p"}, "spec": {}, "status": {"podIPs": both}}
    assert [pod_endpoint.address(pod, family) for family in ("IPv4", "IPv6")] == ["10.0.0.1", "2001:db8::1"]
    assert pod_endpoint.families({"spec": {"ipFamilies": ["IPv6", "IPv4"]}}) == ["IPv6", "IPv4"]
    alone: Object = {"metadata": {"name": "p"}, "spec": {}, "status": {"podIP": "10.0.0.1"}}
    assert pod_endpoint.endpoint(alone, {"spec": {}}, "IPv6", None) is None


def end(number: int, *, ready: bool = True) -> Object:
    return {"addresses": [f"10.0.0.{number}"], "conditions": {"ready": ready}}


def test_unchanged_slices_are_not_written() -> None:
    packing = pack({"a": [end(1)], "b": [end(2)]}, [end(1), end(2, ready=False)], most=2)
    assert packing.changed == {"b": [end(2, ready=False)]}
    assert (packing.emptied, packing.created) == ([], [])


def test_new_endpoints_go_where_something_changes_anyway() -> None:
    packing = pack({"a": [end(1), end(2)], "b": [end(3)]}, [end(1), end(4), end(3)], most=2)
    assert packing.changed == {"a": [end(1), end(4)]}


def test_the_fullest_slice_with_room_is_filled_before_a_new_one_is_made() -> None:
    existing = {"a": [end(1)], "b": [end(2), end(3)]}
    desired = [end(number) for number in range(1, 5)]
    assert pack(existing, desired, most=3).changed == {"b": [end(2), end(3), end(4)]}
    packing = pack(existing, [*desired, end(5), end(6), end(7)], most=3)
    assert packing.created == [[end(4), end(5), end(6)]]
    assert packing.changed == {"b": [end(2), end(3), end(7)]}


def test_a_slice_without_endpoints_is_not_needed() -> None:
    packing = pack({"a": [end(1)], "b": [end(2)]}, [end(2)])
    assert packing.emptied == ["a"]


def test_ports_with_the_same_addresses_share_a_subset() -> None:
    http, metrics = ({"port": port, "protocol": "TCP"} for port in (80, 9090))
    one, two = {"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}
    entries = [Entry(each, True, port) for each in (two, one) for port in (metrics, http)]
    assert repacked(entries) == [{"addresses": [one, two], "ports": [http, metrics]}]
    assert repacked([Entry(one, True, None)]) == [{"addresses": [one]}]
    assert len(repacked([Entry(one, True, http), Entry(two, False, metrics)])) == 2


def test_no_more_than_a_thousand_addresses_are_kept_ready_ones_first() -> None:
    ready, not_ready = ([{"ip": str(number)} for number in range(count)] for count in (900, 200))
    (subset,) = truncated([{"addresses": ready, "notReadyAddresses": not_ready}]) or []
    assert (len(subset["addresses"]), len(subset["notReadyAddresses"])) == (900, 100)
    assert truncated([{"addresses": ready}]) is None


@pytest.mark.parametrize("seed", range(20))
def test_slices_hold_just_what_is_desired_and_none_too_many(seed: int) -> None:
    chance = random.Random(seed)
    slices: dict[str, list[Object]] = {}
    for turn in range(30):
        numbers = chance.sample(range(40), chance.randint(0, 40))
        desired = [end(number, ready=chance.random() < 0.9) for number in numbers]
        packing = pack(slices, desired, most=7)
        untouched = slices.keys() - packing.changed.keys() - set(packing.emptied)
        slices = {name: slices[name] for name in slices if name in untouched} | packing.changed
        slices |= {f"{turn}-{number}": each for number, each in enumerate(packing.created)}
        held = [endpoint for each in slices.values() for endpoint in each]
        assert sorted(map(str, held)) == sorted(map(str, desired))
        assert all(0 < len(each) <= 7 for each in slices.values())
