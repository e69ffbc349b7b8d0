"""Logs, exec, port-forward and proxying, with a node that a test plays."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.api.tunnel import refusal

PODS = "/api/v1/namespaces/default/pods"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}


class Node:
    """Answers HTTP, and echoes in upper case whatever comes through an upgraded connection."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[str] = []
        self.received = b""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        if "Upgrade: SPDY/3.1" in head and "denied" not in head:
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
            )
            while data := await reader.read(1000):
                writer.write(data.upper())
        else:
            self.received = await reader.readexactly(length_of(head))
            code = "400 Bad Request" if "denied" in head else "200 OK"
            body = head.split("\r\n")[0].encode()
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (code.encode(), len(body), body))
        writer.close()


def length_of(head: str) -> int:
    lengths = [
        line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length:")
    ]
    return int(lengths[0]) if lengths else 0


@pytest.fixture
async def node(api: Any) -> AsyncIterator[Node]:
    node = Node()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(api.keys.authority.certificate))
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(api.keys.node_serving.certificate, api.keys.node_serving.key)
    server = await asyncio.start_server(node.handle, "127.0.0.1", 0, ssl=tls)
    node.port = server.sockets[0].getsockname()[1]
    await api.post("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}})
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": node.port}},
    }
    answer = await api.request(
        "PATCH",
        "/api/v1/nodes/n1/status",
        body={"status": status},
        Content_Type="application/merge-patch+json",
    )
    assert answer.status == 200
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    await api.post("/api/v1/namespaces/default/serviceaccounts", account)
    yield node
    server.close()


async def make_pod(api: Any, name: str, *containers: str, node: str = "n1") -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"nodeName": node, "containers": [{"name": each, "image": "i"} for each in containers]},
    }
    answer = await api.post(PODS, pod)
    assert answer.status == 201, answer.body


async def test_a_log_comes_from_the_node(api: Any, node: Node) -> None:
    await make_pod(api, "p", "main")
    answer = await api.get(f"{PODS}/p/log?tailLines=5&timestamps=true")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.body == b"GET /containerLogs/default/p/main?timestamps=true&tailLines=5 HTTP/1.1"


async def test_of_several_containers_one_must_be_named(api: Any, node: Node) -> None:
    await make_pod(api, "p", "a", "b")
    answer = await api.get(f"{PODS}/p/log")
    assert answer.status == 400
    assert answer.message == "a container name must be specified for pod p, choose one of: [a b]"
    wrong = await api.get(f"{PODS}/p/log?container=c")
    assert (wrong.status, wrong.message) == (400, "container c is not valid for pod p")
    assert b"/default/p/b " in (await api.get(f"{PODS}/p/log?container=b")).body


async def test_a_nodes_refusal_is_passed_on(api: Any, node: Node) -> None:
    await make_pod(api, "p", "denied")
    answer = await api.get(f"{PODS}/p/log")
    assert (answer.status, answer.json["reason"]) == (400, "BadRequest")
    assert answer.message.startswith("GET /containerLogs/default/p/denied")


@pytest.mark.parametrize("query", ["tailLines=-1", "sinceSeconds=0", "limitBytes=0"])
async def test_log_options_have_bounds(api: Any, node: Node, query: str) -> None:
    await make_pod(api, "p", "main")
    assert (await api.get(f"{PODS}/p/log?{query}")).status == 422


async def test_a_pod_without_a_node_has_no_log_and_runs_nothing(api: Any, node: Node) -> None:
    await make_pod(api, "p", "main", node="")
    assert (await api.get(f"{PODS}/p/log")).body == b""
    answer = await api.request("POST", f"{PODS}/p/exec?command=ls&stdout=1", **UPGRADE)
    assert (answer.status, answer.message) == (400, "pod p does not have a host assigned")


async def test_a_node_that_does_not_answer_is_an_error(api: Any, node: Node) -> None:
    await make_pod(api, "p", "main")
    status = {"daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}}
    patch = {"body": {"status": status}, "Content_Type": "application/merge-patch+json"}
    await api.request("PATCH", "/api/v1/nodes/n1/status", **patch)
    why = "dial tcp 127.0.0.1:1: connect: connection refused"
    log = await api.get(f"{PODS}/p/log")
    assert (log.status, log.message) == (500, f"error dialing backend: {why}")
    page = await api.get("/api/v1/nodes/n1/proxy/pods")
    assert (page.status, page.message) == (503, f"error trying to reach service: {why}")


async def upgrade(api: Any, target: str) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = api.url.removeprefix("https://").split(":")
    tls = ssl.create_default_context(cafile=str(api.keys.authority.certificate))
    reader, writer = await asyncio.open_connection(host, int(port), ssl=tls)
    head = f"POST {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token}\r\n"
    head += "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(5):
        return await reader.readuntil(b"\r\n\r\n"), reader, writer


async def test_exec_is_a_tunnel_to_the_node(api: Any, node: Node) -> None:
    await make_pod(api, "p", "main")
    head, reader, writer = await upgrade(
        api, f"{PODS}/p/exec?command=ls&command=-l&stdin=1&stdout=1&stderr=1&tty=1"
    )
    assert head.startswith(b"HTTP/1.1 101 ")
    writer.write(b"hello\x00\xff")
    async with asyncio.timeout(5):
        assert await reader.readexactly(7) == b"HELLO\x00\xff"
    writer.close()
    await writer.wait_closed()
    target = node.asked[0].split("\r\n")[0]
    assert target == "POST /exec/default/p/main?command=ls&command=-l&input=1&output=1&tty=1 HTTP/1.1"
    assert "X-Stream-Protocol-Version: v4.channel.k8s.io" in node.asked[0]
    assert "Authorization" not in node.asked[0]


async def test_a_stopping_server_ends_a_tunnel(api: Any, node: Node) -> None:
    await make_pod(api, "p", "main")
    _, reader, writer = await upgrade(api, f"{PODS}/p/attach?stdout=1")
    async with asyncio.timeout(2):
        await api.stop()
        assert await reader.read() == b""
    writer.close()


async def test_a_refused_upgrade_leaves_no_way_to_the_node(api: Any, node: Node) -> None:
    await make_pod(api, "denied", "main")
    head, _, writer = await upgrade(api, f"{PODS}/denied/portforward")
    assert head.startswith(b"HTTP/1.1 400 ")
    writer.write(b"GET /pods HTTP/1.1\r\nHost: x\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    assert len(node.asked) == 1


def test_a_refused_upgrade_is_told_as_kubectls_users_know_it() -> None:
    error = refusal(500, b'container not found ("main")', failed="unable to upgrade connection: ")
    text = 'Internal error occurred: unable to upgrade connection: container not found ("main")'
    assert (error.code, error.message) == (500, text)


async def test_exec_needs_an_upgrade_a_command_and_a_stream(api: Any, node: Node) -> None:
    await make_pod(api, "p", "main")
    assert (await api.get(f"{PODS}/p/exec?command=ls&stdout=1")).message == "Upgrade request required"
    assert (await api.get(f"{PODS}/p/exec?stdout=1")).status == 422
    assert (await api.get(f"{PODS}/p/exec?command=ls")).status == 400


async def test_any_request_can_be_proxied_to_a_node(api: Any, node: Node) -> None:
    answer = await api.get("/api/v1/nodes/n1/proxy/some%20path?x=1")
    assert (answer.status, answer.body) == (200, b"GET /some%20path?x=1 HTTP/1.1")
    posted = await api.request("POST", "/api/v1/nodes/n1/proxy/images", body=b"x" * 5_000_000)
    assert posted.status == 200
    assert len(node.received) == 5_000_000


async def test_an_unknown_node_is_not_found(api: Any) -> None:
    answer = await api.get("/api/v1/nodes/n2/proxy/")
    assert (answer.status, answer.message) == (404, 'nodes "n2" not found')
