"""Endpoints and EndpointSlices: they follow pods, mirror what users keep, and are objects of the API."""

from conformance import pods
from conformance.rest import Object, Rest
from conformance.space import Space
from conformance.waiting import eventually

GROUP = "apis/discovery.k8s.io/v1"
SERVICE, MANAGER = "kubernetes.io/service-name", "endpointslice.kubernetes.io/managed-by"


def test_the_api_server_has_endpoints_and_slices(virtual_rest: Rest) -> None:
    endpoints = virtual_rest.get("/api/v1/namespaces/default/endpoints/kubernetes")
    (subset,) = endpoints["subsets"]
    selector = f"{SERVICE}=kubernetes"
    found = virtual_rest.get(f"/{GROUP}/namespaces/default/endpointslices", labelSelector=selector)["items"]
    addresses = {ip for each in found for endpoint in each["endpoints"] for ip in endpoint["addresses"]}
    assert addresses == {each["ip"] for each in subset["addresses"]}


def test_they_come_and_go_with_a_service_that_has_a_selector(virtual_space: Space) -> None:
    service(virtual_space, "s", app="none")
    eventually(lambda: slices(virtual_space, "s"), what="an EndpointSlice of s")
    eventually(lambda: exists(virtual_space, "s"), what="Endpoints of s")
    (found,) = slices(virtual_space, "s")
    assert found["metadata"]["labels"][MANAGER] == "endpointslice-controller.k8s.io"
    assert not found.get("endpoints")
    virtual_space.rest.delete(virtual_space.path("services", "s"))
    virtual_space.rest.gone(virtual_space.path("endpoints", "s"))
    eventually(lambda: not slices(virtual_space, "s"), what="no EndpointSlice of s")


def test_they_follow_the_pods_of_two_services(virtual_space: Space) -> None:
    labelled(virtual_space, "pod1", 3000, app="x", which="one")
    labelled(virtual_space, "pod2", 3001, app="x")
    service(virtual_space, "one", app="x", which="one")
    service(virtual_space, "both", app="x", headless=True)
    first, second = (virtual_space.ready(name) for name in ("pod1", "pod2"))
    ips = {each["metadata"]["name"]: each["status"]["podIP"] for each in (first, second)}
    eventually(lambda: addresses(virtual_space, "one") == {ips["pod1"]}, what="pod1 behind one")
    eventually(lambda: addresses(virtual_space, "both") == set(ips.values()), what="both pods behind both")
    found = slices(virtual_space, "both")
    assert sorted(each["ports"][0]["port"] for each in found) == [3000, 3001]
    endpoint = next(end for each in found for end in each["endpoints"] if end["targetRef"]["name"] == "pod1")
    assert endpoint["nodeName"] == first["spec"]["nodeName"]
    assert endpoint["targetRef"]["uid"] == first["metadata"]["uid"]
    assert endpoint["conditions"] == {"ready": True, "serving": True, "terminating": False}
    subsets = virtual_space.rest.get(virtual_space.path("endpoints", "both"))["subsets"]
    assert {address["ip"] for subset in subsets for address in subset["addresses"]} == set(ips.values())
    virtual_space.remove_pod("pod1")
    eventually(lambda: addresses(virtual_space, "both") == {ips["pod2"]}, what="only pod2 is left")


def test_a_containers_readiness_is_seen_in_the_slice(space: Space, containers: None) -> None:
    probe = {"exec": {"command": ["test", "-f", "/tmp/ready"]}, "periodSeconds": 1}
    ports = [{"name": "example-name", "containerPort": 3000}]
    script = f"sleep 3; touch /tmp/ready; {pods.IDLE}"
    body = pods.pod("p", pods.container(space.image, script, readinessProbe=probe, ports=ports))
    body["metadata"]["labels"] = {"app": "x"}
    service(space, "s", app="x")
    space.create(body)
    eventually(lambda: readiness(space, "s") == [False], what="an endpoint that is not ready")
    assert addresses(space, "s") == {space.pod("p")["status"]["podIP"]}
    eventually(lambda: readiness(space, "s") == [True], what="an endpoint that is ready")
    space.rest.patch(space.path("pods", "p"), {"metadata": {"labels": {"app": "y"}}})
    eventually(lambda: readiness(space, "s") == [], what="the pod is not selected any more")


def test_custom_endpoints_are_mirrored(virtual_space: Space) -> None:
    service(virtual_space, "custom")
    body = endpoints_object("custom", "10.1.2.3")
    virtual_space.create(body, "endpoints")
    eventually(lambda: addresses(virtual_space, "custom") == {"10.1.2.3"}, what="a mirror")
    (found,) = slices(virtual_space, "custom")
    assert found["metadata"]["labels"][MANAGER] == "endpointslicemirroring-controller.k8s.io"
    assert found["ports"] == [{"name": "", "port": 9376, "protocol": "TCP"}]
    virtual_space.rest.put(virtual_space.path("endpoints", "custom"), endpoints_object("custom", "10.2.3.4"))
    eventually(lambda: addresses(virtual_space, "custom") == {"10.2.3.4"}, what="the mirror is updated")
    virtual_space.rest.delete(virtual_space.path("endpoints", "custom"))
    eventually(lambda: not slices(virtual_space, "custom"), what="the mirror is gone")


def test_the_operations_of_the_slices_api(virtual_space: Space) -> None:
    rest, path = virtual_space.rest, virtual_space.path("endpointslices", group=GROUP)
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"generateName": "e2e-", "labels": {"special": "yes"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["1.2.3.4", "5.6.7.8"]}],
    }
    made = [rest.post(path, body) for _ in range(3)]
    one = f"{path}/{made[0]['metadata']['name']}"
    assert rest.get(one)["metadata"]["uid"] == made[0]["metadata"]["uid"]
    assert len(rest.get(path, labelSelector="special=yes")["items"]) == 3
    everywhere = rest.get(f"/{GROUP}/endpointslices", labelSelector="special=yes")["items"]
    assert len([each for each in everywhere if each["metadata"]["namespace"] == virtual_space.name]) == 3
    revision = made[2]["metadata"]["resourceVersion"]
    with rest.watch(path, labelSelector="special=yes", resourceVersion=revision) as events:
        patched = rest.patch(one, {"metadata": {"annotations": {"patched": "true"}}})
        patched["metadata"]["annotations"]["updated"] = "true"
        rest.put(one, patched)
        seen = [next(events) for _ in range(2)]
    assert [event["type"] for event in seen] == ["MODIFIED", "MODIFIED"]
    assert seen[1]["object"]["metadata"]["annotations"] == {"patched": "true", "updated": "true"}
    rest.delete(one)
    rest.gone(one)
    rest.delete(path, labelSelector="special=yes")
    assert rest.get(path, labelSelector="special=yes")["items"] == []


def test_the_lifecycle_of_an_endpoints_object(virtual_space: Space) -> None:
    rest, path = virtual_space.rest, virtual_space.path("endpoints")
    made = endpoints_object("testservice", "10.0.0.24")
    made["metadata"]["labels"] = {"test-endpoint-static": "true"}
    virtual_space.create(made, "endpoints")
    (listed,) = rest.get("/api/v1/endpoints", labelSelector="test-endpoint-static=true")["items"]
    listed["metadata"]["labels"]["test-service"] = "updated"
    assert rest.put(f"{path}/testservice", listed)["metadata"]["labels"]["test-service"] == "updated"
    subsets = [{"addresses": [{"ip": "10.0.0.25"}], "ports": [{"name": "http-test", "port": 8080}]}]
    patch = {"metadata": {"labels": {"test-service": "patched"}}, "subsets": subsets}
    rest.patch(f"{path}/testservice", patch)
    found = rest.get(f"{path}/testservice")
    assert found["metadata"]["labels"]["test-service"] == "patched"
    assert found["subsets"][0]["addresses"] == [{"ip": "10.0.0.25"}]
    assert found["subsets"][0]["ports"] == [{"name": "http-test", "port": 8080, "protocol": "TCP"}]
    rest.delete(path, labelSelector="test-endpoint-static=true")
    rest.gone(f"{path}/testservice")


def service(space: Space, name: str, *, headless: bool = False, **selector: str) -> None:
    port = {"port": 80, "name": "example", "targetPort": "example-name"}
    spec: Object = {"ports": [port]}
    if selector:
        spec["selector"] = selector
    if headless:
        spec["clusterIP"] = "None"
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
    space.create(body, "services")


def labelled(space: Space, name: str, port: int, **labels: str) -> None:
    """A pod with a named port."""
    ports = [{"name": "example-name", "containerPort": port}]
    body = pods.pod(name, pods.container(space.image, ports=ports))
    body["metadata"]["labels"] = labels
    space.create(body)


def endpoints_object(name: str, ip: str) -> Object:
    subsets = [{"addresses": [{"ip": ip}], "ports": [{"port": 9376}]}]
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": name}, "subsets": subsets}


def slices(space: Space, service: str) -> list[Object]:
    path = space.path("endpointslices", group=GROUP)
    found: list[Object] = space.rest.get(path, labelSelector=f"{SERVICE}={service}")["items"]
    return found


def addresses(space: Space, service: str) -> set[str]:
    found = [end for each in slices(space, service) for end in each.get("endpoints") or ()]
    return {ip for end in found for ip in end["addresses"]}


def readiness(space: Space, service: str) -> list[bool]:
    return [
        end["conditions"]["ready"] for each in slices(space, service) for end in each.get("endpoints") or ()
    ]


def exists(space: Space, name: str) -> bool:
    return space.rest.request("GET", space.path("endpoints", name)).code == 200
