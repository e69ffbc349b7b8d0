"""kubectl port-forward: HTTP, many connections, byte-exact both ways."""

import contextlib
import hashlib
import random
import socket
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from conformance import pods
from conformance.forwarding import forwarded, read_all
from conformance.kubectl import Kubectl
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")
SERVE = """
echo hello from the pod > /www/index.html
head -c 3000000 /dev/zero | tr '\\0' z > /www/large
httpd -p 8080 -h /www
nc -ll -p 7000 -e cat &
nc -ll -p 7001 -e sh -c 'cat > /tmp/stored' &
nc -ll -p 7002 -e seq 1 100000 &
echo serving
"""
ECHO, STORE, GIVE, HTTP = 7000, 7001, 7002, 8080


@pytest.fixture(scope="module")
def served(shared_space: Space) -> str:
    """The namespace of a pod `served` that answers at the ports above."""
    shared_space.run_until_it_says("serving", "served", SERVE + pods.IDLE)
    return shared_space.name


@pytest.fixture
def near(each_kubectl: Kubectl, served: str) -> Kubectl:
    return each_kubectl.within(served)


def test_http_through_a_forwarded_port(near: Kubectl) -> None:
    with forwarded(near, "pod/served", HTTP) as port:
        for _ in range(3):
            assert _fetch(port, "/") == b"hello from the pod\n"
        assert _fetch(port, "/large") == b"z" * 3_000_000


def test_several_connections_at_once(near: Kubectl) -> None:
    with forwarded(near, "pod/served", ECHO) as port:
        connections = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(5)]
        for number, connection in enumerate(connections):
            connection.sendall(f"hello {number}\n".encode())
        answers = [connection.recv(100) for connection in connections]
        for connection in connections:
            connection.close()
    assert answers == [f"hello {number}\n".encode() for number in range(5)]


def test_many_requests_side_by_side(near: Kubectl) -> None:
    with forwarded(near, "pod/served", HTTP) as port, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(partial(_fetch, port), ["/"] * 40))
    assert found == [b"hello from the pod\n"] * 40


def test_what_is_sent_comes_back_byte_for_byte(near: Kubectl) -> None:
    data = random.Random(4).randbytes(5_000_000)
    with connected(near, ECHO) as connection, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(connection.sendall, data)
        found = b""
        while len(found) < len(data) and (part := connection.recv(1 << 16)):
            found += part
        sending.result()
    assert hashlib.sha256(found).digest() == hashlib.sha256(data).digest()


def test_what_was_sent_before_the_end_arrives(near: Kubectl) -> None:
    data = random.Random(5).randbytes(1_000_000)
    expected = hashlib.sha256(data).hexdigest()
    probe = lambda: expected in near("exec", "served", "--", "sha256sum", "/tmp/stored").text  # noqa: E731
    with connected(near, STORE) as connection:
        connection.sendall(data)
        connection.close()
        eventually(probe, what="all of it is stored", timeout=10)


def test_the_pods_end_of_a_connection_is_the_clients(near: Kubectl) -> None:
    with connected(near, GIVE) as connection:
        assert read_all(connection) == b"".join(b"%d\n" % number for number in range(1, 100_001))


def test_a_port_on_which_nobody_listens(near: Kubectl) -> None:
    """The connection ends; an old kubectl goes on forwarding, a new one may end."""
    with connected(near, 9) as connection, contextlib.suppress(ConnectionResetError):
        assert read_all(connection) == b""


@contextmanager
def connected(kubectl: Kubectl, port: int) -> Iterator[socket.socket]:
    with ExitStack() as stack:
        local = stack.enter_context(forwarded(kubectl, "pod/served", port))
        yield stack.enter_context(socket.create_connection(("127.0.0.1", local), timeout=30))


def _fetch(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        content: bytes = answer.read()
    return content
