"""Connections through the server: where they may lead, what they carry along; admission sees them."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubeling.objects.errors import BadRequest, Forbidden
from server.admission.chain import Chain, Plugin
from server.api.backends import check_address, check_host
from server.registry.admission import Attributes
from server.tests.hostile import allow, ask, grant, status_of

PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
MERGE = "application/merge-patch+json"


class Listener:
    """Answers HTTPS requests with `ok`, with a certificate that nobody has signed for it."""

    def __init__(self) -> None:
        self.port = 0
        self.heads: list[str] = []
        self.certificates: list[Any] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        self.certificates.append(tls.getpeercert())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()


@pytest.fixture
async def stranger(api: Any) -> AsyncIterator[Listener]:
    """Somebody who would like to see a certificate of the cluster."""
    listener = Listener()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(api.keys.authority.certificate))
    tls.verify_mode = ssl.CERT_OPTIONAL
    tls.load_cert_chain(api.keys.node_serving.certificate, api.keys.node_serving.key)
    server = await asyncio.start_server(listener.handle, "127.0.0.1", 0, ssl=tls)
    listener.port = server.sockets[0].getsockname()[1]
    yield listener
    server.close()


async def make_pod(api: Any, name: str, address: str) -> None:
    await api.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    spec = {"containers": [{"name": "c", "image": "i"}]}
    assert (await api.post(PODS, {"metadata": {"name": name}, "spec": spec})).status == 201
    status = {"podIP": address, "podIPs": [{"ip": address}]} if address else {"phase": "Pending"}
    body = {"status": status}
    answer = await api.request("PATCH", f"{PODS}/{name}/status", body=body, Content_Type=MERGE)
    assert answer.status == 200, answer.body


async def test_a_pod_is_shown_no_certificate_and_no_credentials(
    api: Any, stranger: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.api.object_proxy.check_address", lambda text: None)
    await make_pod(api, "p", "127.0.0.1")
    answer = await api.get(f"{PODS}/https:p:{stranger.port}/proxy/", Impersonate_User="admin")
    assert answer.status == 403
    me = {"Impersonate-User": "x", "Impersonate-Group": "system:masters", "Cookie": "a=b"}
    answer = await api.get(f"{PODS}/https:p:{stranger.port}/proxy/", **me)
    assert (answer.status, answer.body) == (200, b"ok")
    assert not stranger.certificates[0]
    assert "Bearer" not in stranger.heads[0]
    assert "impersonate" not in stranger.heads[0].lower()
    assert "Cookie: a=b" in stranger.heads[0]


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255", "", "x"]
)
async def test_a_pods_address_must_be_one_of_a_network(api: Any, address: str) -> None:
    with pytest.raises(BadRequest, match="address not allowed"):
        check_address(address)
    if address != "x":
        await make_pod(api, "p", address)
        for path in (f"{PODS}/p/proxy/", f"{PODS}/https:p:6443/proxy/api"):
            answer = await api.get(path)
            assert (answer.status, answer.message) == (400, "address not allowed")


@pytest.mark.parametrize("address", ["::1", "fe80::1", "::", "ff02::1", "::ffff:127.0.0.1"])
def test_the_same_of_version_6(address: str) -> None:
    with pytest.raises(BadRequest, match="address not allowed"):
        check_address(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "fd00::1", "203.0.113.7"])
def test_private_addresses_are_those_of_pods(address: str) -> None:
    check_address(address)


async def test_a_name_is_what_it_stands_for() -> None:
    with pytest.raises(BadRequest, match="address not allowed"):
        await check_host("localhost")


async def test_another_port_of_a_node_is_no_way_to_this_machine(api: Any) -> None:
    await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}})
    status = {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}
    await api.request("PATCH", "/api/v1/nodes/n1/status", body={"status": status}, Content_Type=MERGE)
    answer = await api.get("/api/v1/nodes/https:n1:6443/proxy/")
    assert (answer.status, answer.message) == (400, "address not allowed")


@pytest.mark.parametrize(
    "target",
    [
        None,
        {"kind": "Node", "name": "p"},
        {"kind": "Pod", "name": "missing", "namespace": "default"},
        {"kind": "Pod", "name": "p", "namespace": "kube-system"},
        {"kind": "Pod", "name": "p", "namespace": "default"},
    ],
)
async def test_a_service_leads_to_its_own_pods_only(api: Any, target: Any) -> None:
    """Not to the API server itself, though an endpoint says so."""
    await make_pod(api, "p", "10.1.1.1")
    spec = {"ports": [{"name": "web", "port": 80}]}
    assert (await api.post(SERVICES, {"metadata": {"name": "s"}, "spec": spec})).status == 201
    endpoint = {"addresses": ["10.2.2.2"]} | ({"targetRef": target} if target else {})
    behind = {
        "metadata": {"name": "s", "labels": {"kubernetes.io/service-name": "s"}},
        "addressType": "IPv4",
        "endpoints": [endpoint],
        "ports": [{"name": "web", "port": 6443}],
    }
    assert (await api.post(SLICES, behind)).status == 201
    answer = await api.get(f"{SERVICES}/https:s:web/proxy/")
    assert (answer.status, answer.message) == (503, 'no endpoints available for service "https:s:web"')


class Doorkeeper(Plugin):
    """Lets nobody open a connection, and remembers who tried."""

    def __init__(self) -> None:
        self.seen: list[Attributes] = []

    def concerns(self, kind: Any, operation: str, subresource: str) -> bool:
        return operation == "CONNECT"

    def validate(self, attributes: Attributes) -> None:
        self.seen.append(attributes)
        raise Forbidden("the door is shut")


@pytest.mark.parametrize(
    ("method", "path", "name", "options"),
    [
        (
            "POST",
            f"{PODS}/p/exec?command=ls&command=-l&stdout=true&container=c",
            "p",
            {"kind": "PodExecOptions", "stdout": True, "container": "c", "command": ["ls", "-l"]},
        ),
        (
            "POST",
            f"{PODS}/p/attach?stdin=1&tty=1",
            "p",
            {"kind": "PodAttachOptions", "stdin": True, "tty": True},
        ),
        ("POST", f"{PODS}/p/portforward?ports=80", "p", {"kind": "PodPortForwardOptions", "ports": [80]}),
        ("DELETE", f"{PODS}/http:p:80/proxy/a/b", "http:p:80", {"kind": "PodProxyOptions", "path": "/a/b"}),
        ("GET", f"{SERVICES}/s/proxy", "s", {"kind": "ServiceProxyOptions"}),
        ("GET", "/api/v1/nodes/n/proxy/logs", "n", {"kind": "NodeProxyOptions", "path": "/logs"}),
    ],
)
async def test_admission_is_asked_about_connections(
    api: Any, monkeypatch: pytest.MonkeyPatch, method: str, path: str, name: str, options: Any
) -> None:
    doorkeeper = Doorkeeper()
    chain = Chain([doorkeeper])
    monkeypatch.setattr(Chain, "validate", lambda _, attributes: Chain_validate(chain, attributes))
    answer = await api.request(method, path)
    assert (answer.status, answer.message) == (403, "the door is shut")
    seen = doorkeeper.seen[0]
    assert (seen.operation, seen.name, seen.obj) == ("CONNECT", name, {"apiVersion": "v1", **options})


Chain_validate = Chain.validate


async def test_a_log_is_no_connection(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain([Doorkeeper()])
    monkeypatch.setattr(Chain, "validate", lambda _, attributes: Chain_validate(chain, attributes))
    assert (await api.get(f"{PODS}/p/log")).status == 404


async def test_connections_have_methods_of_their_own(api: Any) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await api.request(method, f"{PODS}/p/exec?command=ls&stdout=1")).status == 405
    await grant(api, "bob", allow("*", "*"))
    answer = await ask(api, "TRACE", f"{PODS}/p/proxy/", "Authorization: Bearer bobs-token")
    assert status_of(answer) in (400, 405)
