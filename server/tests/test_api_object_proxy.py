"""Requests that are passed on to pods and Services."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubeling.objects.errors import BadRequest
from server.api.object_proxy import split_name

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


async def service(api: Any, name: str, *, port: int, ready: bool = True) -> None:
    spec = {"ports": [{"name": "web", "port": 80}]}
    assert (await api.post(SERVICES, {"metadata": {"name": name}, "spec": spec})).status == 201
    behind = {
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": ready}}],
        "ports": [{"name": "web", "port": port}],
    }
    assert (await api.post(SLICES, behind)).status == 201


@pytest.mark.parametrize("asked", ["s:web", "s:80", "http:s:web"])
async def test_a_service_is_reached_at_a_port_by_name_or_number(api: Any, echo: int, asked: str) -> None:
    await service(api, "s", port=echo)
    answer = await api.get(f"{SERVICES}/{asked}/proxy/a/b?c=d")
    assert (answer.status, answer.body) == (200, b"GET /a/b?c=d HTTP/1.1")


async def test_only_what_is_behind_the_subresource_is_passed_on(api: Any, echo: int) -> None:
    await service(api, "proxy-of-mine", port=echo)
    answer = await api.get(f"{SERVICES}/proxy-of-mine:web/proxy")
    assert answer.body == b"GET / HTTP/1.1"


async def test_a_service_without_ready_endpoints_is_unavailable(api: Any) -> None:
    await service(api, "s", port=1, ready=False)
    answer = await api.get(f"{SERVICES}/s:web/proxy/")
    assert (answer.status, answer.message) == (503, 'no endpoints available for service "s"')


async def test_a_service_has_only_its_own_ports(api: Any) -> None:
    await service(api, "s", port=1)
    answer = await api.get(f"{SERVICES}/s:other/proxy/")
    assert (answer.status, answer.message) == (503, 'no service port "other" found for service "s"')


@pytest.mark.parametrize("text", ["a:b", "a:65536", f"a:{'9' * 5000}", "ftp:a:1", "http::1", ":::"])
def test_a_name_that_names_no_port_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        split_name(text)
