"""The official Python client on running pods: logs, exec, attach, port-forward."""

import hashlib
import random
from typing import Any

import pytest
from kubernetes import client, watch
from kubernetes.config import new_client_from_config
from kubernetes.stream import portforward, stream

from conformance import pods
from conformance.cluster import Cluster
from conformance.forwarding import read_all
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")
SERVE = "echo hello > /www/index.html; httpd -p 8080 -h /www; nc -ll -p 7000 -e cat & echo serving; "


@pytest.fixture(scope="module")
def shell(shared_space: Space) -> str:
    """The namespace of a pod `shell` that answers HTTP at 8080 and echoes at 7000."""
    shared_space.run_until_it_says("serving", "shell", SERVE + pods.IDLE)
    return shared_space.name


@pytest.fixture
def own_core(cluster: Cluster) -> client.CoreV1Api:
    """`stream` replaces a method of its API client while it runs: none to share."""
    return client.CoreV1Api(new_client_from_config(str(cluster.kubeconfig)))


def _exec(core: client.CoreV1Api, namespace: str, *command: str, **options: Any) -> Any:
    defaults = {"stdin": False, "stdout": True, "stderr": True, "tty": False}
    method = core.connect_get_namespaced_pod_exec
    return stream(method, "shell", namespace, command=list(command), **{**defaults, **options})


def test_the_log(own_core: client.CoreV1Api, shell: str) -> None:
    assert own_core.read_namespaced_pod_log("shell", shell) == "serving\n"


def test_following_the_log(own_core: client.CoreV1Api, space: Space) -> None:
    space.run("talker", "echo one; sleep 1; echo two")
    space.until("talker", lambda pod: pod["status"]["phase"] != "Pending", what="has started")
    lines = list(watch.Watch().stream(own_core.read_namespaced_pod_log, "talker", space.name))
    assert lines == ["one", "two"]


def test_exec_collects_the_output(own_core: client.CoreV1Api, shell: str) -> None:
    assert _exec(own_core, shell, "echo", "hello") == "hello\n"


@pytest.mark.parametrize("code", [0, 1, 42])
def test_exec_tells_the_exit_code(own_core: client.CoreV1Api, shell: str, code: int) -> None:
    running = _exec(
        own_core, shell, "sh", "-c", f"echo out; echo err >&2; exit {code}", _preload_content=False
    )
    running.run_forever(timeout=20)
    assert (running.read_stdout(), running.read_stderr()) == ("out\n", "err\n")
    assert running.returncode == code


def test_exec_answers_line_by_line(own_core: client.CoreV1Api, shell: str) -> None:
    running = _exec(own_core, shell, "sh", stdin=True, _preload_content=False)
    running.write_stdin("echo $((40 + 2))\n")
    assert running.readline_stdout(timeout=20) == "42"
    running.write_stdin("echo oops >&2\n")
    assert running.readline_stderr(timeout=20) == "oops"
    running.write_stdin("exit 3\n")
    running.run_forever(timeout=20)
    assert running.returncode == 3


def test_exec_is_byte_exact(own_core: client.CoreV1Api, shell: str) -> None:
    data = random.Random(6).randbytes(2_000_000)
    command = ["sh", "-c", f"head -c {len(data)} | tee /tmp/copy | sha256sum >&2; cat /tmp/copy"]
    running = _exec(own_core, shell, *command, stdin=True, binary=True, _preload_content=False)
    for start in range(0, len(data), 50_000):
        running.write_stdin(data[start : start + 50_000])
    running.run_forever(timeout=30)
    assert running.read_stderr().split()[0].decode() == hashlib.sha256(data).hexdigest()
    assert running.read_stdout() == data
    assert running.returncode == 0


def test_exec_ends_its_input(own_core: client.CoreV1Api, shell: str) -> None:
    """Only the protocol v5 can say so; who speaks no v5 has no half-close to test."""
    running = _exec(own_core, shell, "sort", stdin=True, _preload_content=False)
    running.write_stdin("b\na\n")
    if running.subprotocol == "v5.channel.k8s.io":
        running.close_channel(0)
        running.run_forever(timeout=20)
        assert running.read_stdout() == "a\nb\n"
        assert running.returncode == 0
    running.close()


def test_exec_on_a_terminal(own_core: client.CoreV1Api, shell: str) -> None:
    running = _exec(own_core, shell, "sh", "-c", "tty; stty size", tty=True, _preload_content=False)
    running.run_forever(timeout=20)
    assert "/dev/pts/" in running.read_stdout()
    assert running.returncode == 0


def test_exec_in_a_pod_that_is_not_there(own_core: client.CoreV1Api, shell: str) -> None:
    method = own_core.connect_get_namespaced_pod_exec
    with pytest.raises(client.ApiException, match="404"):
        stream(method, "absent", shell, command=["true"], stdout=True, _preload_content=False)


def test_attach(own_core: client.CoreV1Api, space: Space) -> None:
    space.run_ready("reader", "read line; echo got $line", container={"stdin": True, "stdinOnce": True})
    method = own_core.connect_get_namespaced_pod_attach
    options = {"stdin": True, "stdout": True, "stderr": True, "tty": False, "_preload_content": False}
    running = stream(method, "reader", space.name, **options)
    running.write_stdin("hello\n")
    assert running.readline_stdout(timeout=20) == "got hello"
    running.close()
    space.phase("reader", "Succeeded")


def test_port_forward_of_http(own_core: client.CoreV1Api, shell: str) -> None:
    method = own_core.connect_get_namespaced_pod_portforward
    forward = portforward(method, "shell", shell, ports="8080")
    connection = forward.socket(8080)
    connection.settimeout(20)
    connection.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
    answer = read_all(connection)
    assert answer.startswith((b"HTTP/1.0 200 OK", b"HTTP/1.1 200 OK")), answer
    assert answer.endswith(b"hello\n"), answer
    assert forward.error(8080) is None


def test_port_forward_of_several_ports(own_core: client.CoreV1Api, shell: str) -> None:
    method = own_core.connect_get_namespaced_pod_portforward
    forward = portforward(method, "shell", shell, ports="7000,8080")
    echo, http = forward.socket(7000), forward.socket(8080)
    for connection in (echo, http):
        connection.settimeout(20)
    echo.sendall(b"ping")
    http.sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert echo.recv(4) == b"ping"
    answer = b""
    while not answer.endswith(b"hello\n"):
        part = http.recv(65536)
        assert part, answer
        answer += part
    forward.close()


def test_port_forward_to_nobody(own_core: client.CoreV1Api, shell: str) -> None:
    method = own_core.connect_get_namespaced_pod_portforward
    forward = portforward(method, "shell", shell, ports="9")
    connection = forward.socket(9)
    connection.settimeout(20)
    assert read_all(connection) == b""
    eventually(lambda: forward.error(9), what="the error says why", timeout=10)
    assert "9" in forward.error(9)
