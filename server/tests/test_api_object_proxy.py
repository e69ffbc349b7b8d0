"""Requests that are passed on to pods and Services."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubeling.objects.errors import BadRequest
from server.api.object_proxy import split_name

PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """The port of a server that answers with the request's first line."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(line), line))
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture(autouse=True)
def loopback_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoints may not be on the loopback interface; the one of these tests is."""
    monkeypatch.setattr("server.registry.groups.discovery.non_special_causes", lambda field, text: [])
    monkeypatch.setattr("server.api.object_proxy.check_address", lambda text: None)


async def pod(api: Any, name: str, *, address: str = "127.0.0.1", port: int = 0) -> None:
    ports = [{"containerPort": port}] if port else []
    spec = {
        "containers": [{"name": "c", "image": "i", "ports": ports}],
        "automountServiceAccountToken": False,
    }
    account = {"metadata": {"name": "default"}}
    await api.post("/api/v1/namespaces/default/serviceaccounts", account)
    assert (await api.post(PODS, {"metadata": {"name": name}, "spec": spec})).status == 201
    status = {"podIP": address, "podIPs": [{"ip": address}]} if address else {}
    answer = await api.request(
        "PATCH",
        f"{PODS}/{name}/status",
        body={"status": status},
        Content_Type="application/merge-patch+json",
    )
    assert answer.status == 200, answer.body


async def service(api: Any, name: str, *, port: int, ready: bool = True, **target: str) -> None:
    spec = {"ports": [{"name": "web", "port": 80}]}
    assert (await api.post(SERVICES, {"metadata": {"name": name}, "spec": spec})).status == 201
    reference = {"kind": "Pod", "name": name, "namespace": "default", **target}
    behind = {
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": ready}, "targetRef": reference}],
        "ports": [{"name": "web", "port": port}],
    }
    assert (await api.post(SLICES, behind)).status == 201


@pytest.mark.parametrize("asked", ["s:web", "s:80", "http:s:web"])
async def test_a_service_is_reached_at_a_port_by_name_or_number(api: Any, echo: int, asked: str) -> None:
    await pod(api, "s")
    await service(api, "s", port=echo)
    answer = await api.get(f"{SERVICES}/{asked}/proxy/a/b?c=d")
    assert (answer.status, answer.body) == (200, b"GET /a/b?c=d HTTP/1.1")


async def test_only_what_is_behind_the_subresource_is_passed_on(api: Any, echo: int) -> None:
    await pod(api, "proxy-of-mine")
    await service(api, "proxy-of-mine", port=echo)
    answer = await api.get(f"{SERVICES}/proxy-of-mine:web/proxy/")
    assert answer.body == b"GET / HTTP/1.1"


async def test_a_service_without_ready_endpoints_is_unavailable(api: Any) -> None:
    await service(api, "s", port=1, ready=False)
    answer = await api.get(f"{SERVICES}/s:web/proxy/")
    assert (answer.status, answer.message) == (503, 'no endpoints available for service "s:web"')


async def test_a_service_has_only_its_own_ports(api: Any) -> None:
    await service(api, "s", port=1)
    answer = await api.get(f"{SERVICES}/s:other/proxy/")
    assert (answer.status, answer.message) == (503, 'no service port "other" found for service "s"')


@pytest.mark.parametrize("text", ["a:b", "a:65536", f"a:{'9' * 5000}", "ftp:a:1", "http::1", ":::"])
def test_a_name_that_names_no_port_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        split_name(text, what="pod")


async def test_the_root_of_a_proxy_ends_in_a_slash(api: Any, echo: int) -> None:
    await pod(api, "p", port=echo)
    async with api.session.get(
        f"{api.url}{PODS}/p/proxy?a=b",
        headers={"Authorization": f"Bearer {api.token}"},
        allow_redirects=False,
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (301, f"{PODS}/p/proxy/?a=b")
    posted = await api.request("POST", f"{PODS}/p/proxy?a=b")
    assert posted.body == b"POST /?a=b HTTP/1.1"


@pytest.mark.parametrize(
    ("asked", "passed_on"),
    [("a%20b/c", b"/a%20b/c"), ("a/../../b/", b"/b/"), ("..%2f..%2fx", b"/x"), ("", b"/"), ("a//b", b"/a/b")],
)
async def test_paths_are_passed_on_clean(api: Any, echo: int, asked: str, passed_on: bytes) -> None:
    await pod(api, "p", port=echo)
    answer = await raw_get(api, f"{PODS}/p/proxy/{asked}")
    assert answer.endswith(b"GET %b HTTP/1.1" % passed_on)


async def raw_get(api: Any, path: str) -> bytes:
    """The answer to a GET of a path that no client library has put in order."""
    port = int(api.url.rpartition(":")[2])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {api.token}\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    parts = answer.partition(b"\r\n\r\n")[2].split(b"\r\n")
    return b"".join(parts[1::2]).strip() if b"chunked" in answer else answer
