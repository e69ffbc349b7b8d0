"""The kubelet API of virtual nodes: canned logs and answers, over both protocols of streams."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest

from kubeling.streams.dial import dial_upgrade
from kubeling.streams.spdy_frames import Data
from kubeling.streams.spdy_session import SpdySession
from kubeling.streams.splice import close
from runtime.node.api.listener import Listener, ListenSettings
from runtime.tests.certificates import TestAuthority
from runtime.tests.virtual_cluster import VirtualCluster, virtual_cluster
from runtime.virtual.api import VirtualApi

PATH = "default/web/main"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("pki"))


@pytest.fixture
async def cluster() -> AsyncIterator[VirtualCluster]:
    async with virtual_cluster(1) as made:
        yield made


@pytest.fixture
async def client(cluster: VirtualCluster, authority: TestAuthority) -> AsyncIterator[aiohttp.ClientSession]:
    pair = authority.issue("node")
    settings = ListenSettings(
        host="127.0.0.1",
        port=0,
        certificate=pair.certificate,
        key=pair.key,
        client_ca=authority.certificate,
        scratch=Path(),
    )
    listener = Listener(
        settings, VirtualApi(cluster.agent.pods, cluster.clock, cluster.agent.nodes.names).handler()
    )
    await listener.start()
    connector = aiohttp.TCPConnector(ssl=authority.client(authority.issue("server", "system:masters")))
    async with aiohttp.ClientSession(f"https://127.0.0.1:{listener.port}", connector=connector) as session:
        yield session
    await listener.stop()


async def text(client: aiohttp.ClientSession, path: str) -> str:
    async with client.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


async def executed(client: aiohttp.ClientSession, *command: str) -> tuple[bytes, dict[str, object]]:
    """What came on stdout, and the Status at the end."""
    query = urlencode([("output", "1"), ("error", "1"), *(("command", word) for word in command)])
    stdout, status = b"", b""
    async with client.ws_connect(f"/exec/{PATH}?{query}", protocols=["v4.channel.k8s.io"]) as socket:
        async for message in socket:
            if message.data[:1] == b"\x01":
                stdout += message.data[1:]
            elif message.data[:1] == b"\x03":
                status = message.data[1:]
    return stdout, json.loads(status)


async def test_logs_are_what_the_command_prints(
    cluster: VirtualCluster, client: aiohttp.ClientSession
) -> None:
    container = {"name": "main", "image": "app:1", "command": ["sh", "-c", "echo a; echo b; sleep 1h"]}
    await cluster.run(containers=[container])
    assert await text(client, f"/containerLogs/{PATH}") == "a\nb\n"
    assert await text(client, f"/containerLogs/{PATH}?tailLines=1") == "b\n"
    stamped = await text(client, f"/containerLogs/{PATH}?timestamps=true&tailLines=1")
    assert stamped.endswith("Z b\n")


async def test_logs_are_what_the_annotation_says(
    cluster: VirtualCluster, client: aiohttp.ClientSession
) -> None:
    await cluster.run(said={"logs": "said"})
    assert await text(client, f"/containerLogs/{PATH}") == "said\n"
    await cluster.say(logs=None)
    assert "virtual node" in await text(client, f"/containerLogs/{PATH}")


async def test_logs_of_the_container_before(cluster: VirtualCluster, client: aiohttp.ClientSession) -> None:
    await cluster.run(said={"crash-times": "1", "logs": "x"})
    assert await text(client, f"/containerLogs/{PATH}?previous=true") == "x\n"
    async with client.get("/containerLogs/default/none/main") as answer:
        assert answer.status == 404


async def test_exec_over_websocket(cluster: VirtualCluster, client: aiohttp.ClientSession) -> None:
    await cluster.run()
    stdout, status = await executed(client, "echo", "hello")
    assert (stdout, status["status"]) == (b"hello\n", "Success")
    _, status = await executed(client, "sh", "-c", "exit 3")
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"] == {"causes": [{"reason": "ExitCode", "message": "3"}]}


async def test_exec_says_what_the_annotation_says(
    cluster: VirtualCluster, client: aiohttp.ClientSession
) -> None:
    await cluster.run(said={"exec-output": "canned", "exec-exit-code": "9"})
    stdout, status = await executed(client, "whatever")
    assert stdout == b"canned"
    assert status["details"] == {"causes": [{"reason": "ExitCode", "message": "9"}]}


async def test_exec_without_a_running_container(
    cluster: VirtualCluster, client: aiohttp.ClientSession
) -> None:
    await cluster.run(restartPolicy="Never", said={"exit-code": "0"})
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await executed(client, "true")


async def test_exec_over_spdy(
    cluster: VirtualCluster, client: aiohttp.ClientSession, authority: TestAuthority
) -> None:
    await cluster.run()
    url = str(client._base_url) + f"/exec/{PATH}?output=1&command=echo&command=hi"
    headers = [
        ("Connection", "Upgrade"),
        ("Upgrade", "SPDY/3.1"),
        ("X-Stream-Protocol-Version", "v4.channel.k8s.io"),
    ]
    tls = authority.client(authority.issue("server", "system:masters"))
    answer = await dial_upgrade(url, method="POST", headers=headers, tls=tls)
    assert answer.ends is not None
    session = SpdySession(answer.ends)
    streams = {await session.open_stream({"streamtype": name}): name for name in ("error", "stdout")}
    told = {"error": b"", "stdout": b""}
    open_streams = set(streams)
    async for frame in session.frames():
        if isinstance(frame, Data):
            told[streams[frame.stream]] += frame.data
            if frame.fin:
                open_streams.discard(frame.stream)
        if not open_streams:
            break
    await close(answer.ends.writer)
    assert told["stdout"] == b"hi\n"
    assert json.loads(told["error"])["status"] == "Success"


async def test_ports_cannot_be_forwarded(cluster: VirtualCluster, client: aiohttp.ClientSession) -> None:
    await cluster.run()
    async with client.post("/portForward/default/web", headers={"Upgrade": "SPDY/3.1"}) as answer:
        assert answer.status == 400
        assert "virtual node" in await answer.text()


async def test_pods_and_the_little_there_is_of_statistics(
    cluster: VirtualCluster, client: aiohttp.ClientSession
) -> None:
    await cluster.run()
    listed = json.loads(await text(client, "/pods"))
    assert [pod["status"]["phase"] for pod in listed["items"]] == ["Running"]
    summary = json.loads(await text(client, "/stats/summary"))
    assert [pod["podRef"]["name"] for pod in summary["pods"]] == ["web"]
    assert await text(client, "/healthz") == "ok"


async def test_usage_is_what_annotations_say(cluster: VirtualCluster, client: aiohttp.ClientSession) -> None:
    await cluster.run(said={"cpu": "250m", "memory": "64Mi"})
    await cluster.clock.advance(4)
    labels = '{container="main",namespace="default",pod="web"}'
    page = (await text(client, "/metrics/resource")).splitlines()
    assert any(line.startswith(f"container_cpu_usage_seconds_total{labels} 1.0") for line in page)
    assert any(line.startswith(f"container_memory_working_set_bytes{labels} {64 << 20} ") for line in page)
    assert any(line.startswith('node_cpu_usage_seconds_total{node="virtual-0"} ') for line in page)
    await cluster.say(cpu="nonsense")
    (pod,) = json.loads(await text(client, "/stats/summary"))["pods"]
    assert pod["podRef"]["name"] == "web"
    assert pod["containers"][0]["cpu"]["usageNanoCores"] == 1_000_000
