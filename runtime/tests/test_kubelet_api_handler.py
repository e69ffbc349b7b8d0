"""The kubelet API over TLS: who is let in, what is served, what is refused."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import SystemClock
from runtime.errors import ImageArchiveError, MachineNotReady
from runtime.node.api.gate import MastersOnly
from runtime.node.api.listener import KubeletApi, Listener, ListenSettings
from runtime.tests.certificates import TestAuthority
from runtime.tests.fake_runtime import FakeRuntime

POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "default", "uid": "u"},
    "status": {
        "containerStatuses": [{"name": "c", "state": {"terminated": {"containerID": "containerd://1"}}}]
    },
}
MASTERS = "system:masters"


class Pods:
    def pod(self, namespace: str, name: str) -> dict[str, Any] | None:
        return POD if (namespace, name) == ("default", "p") else None

    def pods(self) -> list[dict[str, Any]]:
        return [POD]


class Loader:
    async def load(self, archive: Path, *, name: str = "") -> list[str]:
        if archive.read_bytes() == b"bad":
            raise ImageArchiveError("not an image archive")
        return ["docker.io/library/x:1"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def runtime(tmp_path: Path) -> FakeRuntime:
    fake = FakeRuntime()
    fake.has_image("docker.io/library/x:1")
    fake.has_image("kubeling.local/pause:1")
    log = tmp_path / "0.log"
    log.write_text("2026-11-21T00:00:00.5Z stdout F hello\n2026-11-21T00:00:01Z stderr F bye\n")
    fake.containers["1"] = cri.ContainerStatus(id="1", state=cri.CONTAINER_EXITED, log_path=str(log))
    return fake


def make_api(authority: TestAuthority, runtime: FakeRuntime, scratch: Path, port: int = 0) -> KubeletApi:
    pair = authority.issue("node")
    settings = ListenSettings(
        host="127.0.0.1",
        port=port,
        certificate=pair.certificate,
        key=pair.key,
        client_ca=authority.certificate,
        scratch=scratch,
    )
    return KubeletApi(settings, runtime, Pods(), loader=Loader(), clock=SystemClock(), gate=MastersOnly())


@pytest.fixture
async def api(authority: TestAuthority, runtime: FakeRuntime, tmp_path: Path) -> AsyncIterator[KubeletApi]:
    api = make_api(authority, runtime, tmp_path / "scratch")
    await api.start()
    yield api
    await api.stop()


def session(api: KubeletApi | Listener, tls: ssl.SSLContext) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(ssl=tls)
    return aiohttp.ClientSession(f"https://127.0.0.1:{api.port}", connector=connector)


@pytest.fixture
async def client(api: KubeletApi, authority: TestAuthority) -> AsyncIterator[aiohttp.ClientSession]:
    async with session(api, authority.client(authority.issue("server", MASTERS))) as client:
        yield client


async def test_nobody_without_a_certificate(api: KubeletApi, authority: TestAuthority) -> None:
    async with session(api, authority.client(None)) as client, client.get("/pods") as answer:
        assert (answer.status, await answer.text()) == (401, "Unauthorized")


async def test_nobody_outside_system_masters(api: KubeletApi, authority: TestAuthority) -> None:
    tls = authority.client(authority.issue("someone", "people"))
    async with session(api, tls) as client, client.get("/pods") as answer:
        assert answer.status == 403
        assert "Forbidden (user=someone, verb=get, resource=nodes" in await answer.text()


async def test_nobody_with_a_certificate_of_another_authority(
    api: KubeletApi, authority: TestAuthority, tmp_path: Path
) -> None:
    tls = authority.client(TestAuthority(tmp_path).issue("server", MASTERS))
    async with session(api, tls) as client:
        with pytest.raises(aiohttp.ClientError):
            await client.get("/pods")


async def test_health_and_pods(client: aiohttp.ClientSession) -> None:
    async with client.get("/healthz") as answer:
        assert await answer.text() == "ok"
    async with client.get("/pods") as answer:
        document = await answer.json()
        assert (document["kind"], document["items"]) == ("PodList", [POD])


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "hello\nbye\n"),
        ("?tailLines=1", "bye\n"),
        ("?timestamps=true&limitBytes=36", "2026-11-21T00:00:00.500000000Z hello\n"[:36]),
        ("?sinceTime=2026-11-21T00:00:01Z", "bye\n"),
        ("?follow=true", "hello\nbye\n"),
        ("?stream=Stdout", "hello\n"),
    ],
)
async def test_logs(client: aiohttp.ClientSession, query: str, text: str) -> None:
    async with client.get(f"/containerLogs/default/p/c{query}") as answer:
        assert (answer.status, await answer.text()) == (200, text)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/containerLogs/default/none/c", 404),
        ("GET", "/containerLogs/default/p/none", 400),
        ("GET", "/containerLogs/default/p/c?tailLines=x", 400),
        ("GET", "/containerLogs/default/p/c?previous=true", 400),
        ("GET", "/containerLogs/default/p", 404),
        ("DELETE", "/pods", 405),
        ("GET", "/nonsense", 404),
        ("POST", "/exec/default/p/c?command=ls&output=1", 400),
    ],
)
async def test_what_cannot_be_served(
    client: aiohttp.ClientSession, method: str, path: str, status: int
) -> None:
    async with client.request(method, path) as answer:
        assert answer.status == status


async def test_the_logs_of_a_container_that_has_been_removed(
    client: aiohttp.ClientSession, runtime: FakeRuntime
) -> None:
    del runtime.containers["1"]
    async with client.get("/containerLogs/default/p/c") as answer:
        assert answer.status == 400
        assert await answer.text() == "unable to retrieve container logs for containerd://1"


async def test_a_log_file_that_has_gone_is_told(client: aiohttp.ClientSession, runtime: FakeRuntime) -> None:
    runtime.containers["1"].log_path = "/nonexistent/0.log"
    async with client.get("/containerLogs/default/p/c") as answer:
        assert answer.status == 500
        assert "failed to open log file" in await answer.text()


async def test_images_are_listed_without_our_own(client: aiohttp.ClientSession) -> None:
    async with client.get("/images") as answer:
        (image,) = (await answer.json())["images"]
        assert image["names"] == ["docker.io/library/x:1"]


async def test_images_are_loaded(client: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with client.post("/images", data=b"good") as answer:
        assert (answer.status, await answer.json()) == (200, {"images": ["docker.io/library/x:1"]})
    async with client.post("/images", data=b"bad") as answer:
        assert (answer.status, await answer.text()) == (400, "not an image archive")
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_an_archive_without_room_is_told_as_such(client: aiohttp.ClientSession, tmp_path: Path) -> None:
    (tmp_path / "scratch").write_text("a file where the directory should be")
    async with client.post("/images", data=b"good") as answer:
        assert (answer.status, await answer.text()) == (507, "the node cannot store the archive: File exists")


async def test_a_busy_port_is_told(
    api: KubeletApi, authority: TestAuthority, runtime: FakeRuntime, tmp_path: Path
) -> None:
    with pytest.raises(MachineNotReady, match="in use by another process"):
        await make_api(authority, runtime, tmp_path, port=api.port).start()
