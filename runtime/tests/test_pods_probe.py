"""One try of a probe: what counts as what, and the words for it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest

from runtime.container_runtime import ExecResult
from runtime.errors import RuntimeFailed, RuntimeServiceError, RuntimeTimeout
from runtime.pods.probes.probe import LONGEST_OUTPUT, Outcome, run_probe
from runtime.tests.fake_runtime import FakeRuntime

HERE = "127.0.0.1"


class Commands(FakeRuntime):
    asked: list[list[str]]
    results: list[ExecResult | RuntimeServiceError]

    async def exec_sync(self, container_id: str, command: Sequence[str], *, timeout: float) -> ExecResult:
        self.asked.append(list(command))
        result = self.results.pop(0)
        if isinstance(result, RuntimeServiceError):
            raise result
        return result


async def probed(probe: dict[str, Any], *, runtime: FakeRuntime | None = None, **container: Any) -> Outcome:
    return await run_probe(runtime or FakeRuntime(), probe, {"name": "main", **container}, "id", HERE)


async def executed(
    command: list[str], *results: ExecResult | RuntimeServiceError, **container: Any
) -> tuple[Outcome, list[list[str]]]:
    runtime = Commands()
    runtime.asked, runtime.results = [], list(results)
    outcome = await probed({"exec": {"command": command}}, runtime=runtime, **container)
    return outcome, runtime.asked


async def test_a_command_succeeds_or_fails_by_its_exit_code() -> None:
    good, _ = await executed(["x"], ExecResult(b"fine", b"", 0))
    assert good == Outcome(True, "fine")
    bad, _ = await executed(["x"], ExecResult(b"out ", b"err" * LONGEST_OUTPUT, 1))
    assert bad.success is False
    assert bad.output.startswith("out err")
    assert len(bad.output) == LONGEST_OUTPUT


async def test_a_command_that_takes_too_long_fails() -> None:
    outcome, _ = await executed(["sh", "-c", "sleep 9"], RuntimeTimeout("late"))
    assert outcome == Outcome(False, 'command timed out: "sh -c sleep 9" timed out after 1s')


async def test_what_cannot_be_executed_is_tried_three_times_and_counts_as_nothing() -> None:
    outcome, asked = await executed(["x"], *[RuntimeFailed("no such file")] * 3)
    assert (outcome.success, len(asked)) == (None, 3)
    outcome, asked = await executed(["x"], RuntimeFailed("no"), ExecResult(b"", b"", 0))
    assert (outcome.success, len(asked)) == (True, 2)


async def test_a_command_knows_the_containers_plain_variables() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {}}}]
    _, asked = await executed(["$(A)", "$(B)", "$(C)", "$$(A)"], ExecResult(b"", b"", 0), env=env)
    assert asked == [["1", "", "$(C)", "$(A)"]]


Respond = Callable[[str, dict[str, str]], bytes]


@asynccontextmanager
async def serving(respond: Respond, requests: list[str] | None = None) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(await reader.readuntil(b"\r\n\r\n"), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it only wanted to know whether somebody is there, or speaks TLS
        finally:
            writer.close()

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        head = request.decode()
        if requests is not None:
            requests.append(head)
        lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:-2])}
        writer.write(respond(lines[0].split()[1], headers))
        await writer.drain()

    server = await asyncio.start_server(serve, HERE, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def response(status: int, body: str = "", **headers: str) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{lines}\r\n{body}".encode()


@pytest.mark.parametrize(
    ("status", "success", "output"),
    [
        (200, True, ""),
        (204, True, ""),
        (199 + 1, True, ""),
        (400, False, "HTTP probe failed with statuscode: 400"),
        (500, False, "HTTP probe failed with statuscode: 500"),
    ],
)
async def test_an_answer_counts_by_its_status(status: int, success: bool, output: str) -> None:
    async with serving(lambda path, headers: response(status, "secret" if status != 204 else "")) as port:
        assert await probed({"httpGet": {"port": port}}) == Outcome(success, output)


async def test_a_request_is_the_kubelets_own() -> None:
    requests: list[str] = []
    async with serving(lambda path, headers: response(200), requests) as port:
        await probed({"httpGet": {"port": port, "path": "/a?b=c"}})
        given = [
            ("X-Twice", "1"),
            ("X-Twice", "2"),
            ("Host", "other.test"),
            ("Accept", ""),
            ("user-agent", "me"),
        ]
        headers = [{"name": name, "value": value} for name, value in given]
        await probed({"httpGet": {"port": port, "path": "x", "httpHeaders": headers}})
    plain, special = (sorted(each.rstrip().lower().split("\r\n")) for each in requests)
    assert plain == [
        "accept: */*",
        "connection: close",
        "get /a?b=c http/1.1",
        f"host: {HERE}:{port}",
        "user-agent: kube-probe/1.37",
    ]
    assert special == [
        "connection: close",
        "get /x http/1.1",
        "host: other.test",
        "user-agent: me",
        "x-twice: 1",
        "x-twice: 2",
    ]


async def test_redirects_on_the_same_host_are_followed() -> None:
    def respond(path: str, headers: dict[str, str]) -> bytes:
        return (
            response(302, Location="/end") if path == "/start" else response(500 if path == "/end" else 404)
        )

    async with serving(respond) as port:
        outcome = await probed({"httpGet": {"port": port, "path": "/start"}})
    assert outcome == Outcome(False, "HTTP probe failed with statuscode: 500")


async def test_a_redirect_to_another_host_is_a_success_with_a_warning() -> None:
    async with serving(lambda path, headers: response(302, "there", Location="http://other.test/")) as port:
        outcome = await probed({"httpGet": {"port": port}})
    assert outcome == Outcome(True, "Probe terminated redirects, Response body: there", warning=True)


async def test_redirects_end() -> None:
    async with serving(lambda path, headers: response(301, Location="/again")) as port:
        outcome = await probed({"httpGet": {"port": port}})
    assert outcome == Outcome(False, f'Get "http://{HERE}:{port}/again": stopped after 10 redirects')


async def test_a_server_that_hangs_up_fails() -> None:
    async with serving(lambda path, headers: b"") as port:
        outcome = await probed({"httpGet": {"port": port}})
    assert outcome == Outcome(False, f'Get "http://{HERE}:{port}/": EOF')


async def test_a_server_without_tls_fails_https() -> None:
    async with serving(lambda path, headers: response(200)) as port:
        outcome = await probed({"httpGet": {"port": port, "scheme": "HTTPS"}, "timeoutSeconds": 1})
    assert outcome.success is False


async def test_nobody_there_fails() -> None:
    port = free_port()
    refused = f"dial tcp {HERE}:{port}: connect: connection refused"
    http = await probed({"httpGet": {"port": port}})
    tcp = await probed({"tcpSocket": {"port": port}})
    rpc = await probed({"grpc": {"port": port}})
    assert http == Outcome(False, f'Get "http://{HERE}:{port}/": {refused}')
    assert tcp == Outcome(False, refused)
    assert rpc == Outcome(
        False,
        f'timeout: failed to connect service "{HERE}:{port}" within 1s: context deadline exceeded',
    )


async def test_a_port_may_be_named() -> None:
    async with serving(lambda path, headers: response(200)) as port:
        ports = [{"name": "web", "containerPort": port}]
        for action in ("httpGet", "tcpSocket"):
            assert (await probed({action: {"port": "web"}}, ports=ports)).success
            assert await probed({action: {"port": "no"}}, ports=ports) == Outcome(
                None, "couldn't find port: no"
            )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def health(**services: bytes | grpc.StatusCode) -> AsyncIterator[int]:
    async def check(request: bytes, context: Any) -> bytes:
        found = services[request[2:].decode() or "own"]
        if isinstance(found, grpc.StatusCode):
            await context.abort(found, "so it is")
        assert isinstance(found, bytes)
        return found

    server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(check)
    made = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler})
    server.add_generic_rpc_handlers((made,))
    port = server.add_insecure_port(f"{HERE}:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("service", "answered", "outcome"),
    [
        ("", b"\x08\x01", Outcome(True)),
        ("mine", b"\x08\x01", Outcome(True)),
        ("mine", b"\x08\x02", Outcome(False, 'service unhealthy (responded with "NOT_SERVING")')),
        ("mine", b"", Outcome(False, 'service unhealthy (responded with "UNKNOWN")')),
        (
            "mine",
            grpc.StatusCode.NOT_FOUND,
            Outcome(False, "error: health rpc probe failed: rpc error: code = NotFound desc = so it is"),
        ),
        (
            "",
            grpc.StatusCode.UNIMPLEMENTED,
            Outcome(
                False,
                "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): "
                "so it is",
            ),
        ),
    ],
    ids=["own", "serving", "not-serving", "unknown", "no-such-service", "no-such-method"],
)
async def test_grpc(service: str, answered: bytes | grpc.StatusCode, outcome: Outcome) -> None:
    async with health(**{service or "own": answered}) as port:
        assert await probed({"grpc": {"port": port, "service": service}}) == outcome
