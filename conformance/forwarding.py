"""`kubectl port-forward` in the background, and talking through it.

Not here: port-forward by the Python client.
"""

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from conformance.kubectl import Kubectl


@contextmanager
def forwarded(kubectl: Kubectl, target: str, port: int) -> Iterator[int]:
    """The local port, once it is open."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = kubectl.start("port-forward", target, f":{port}", "--address=127.0.0.1", **streams)
    assert process.stdout
    try:
        line = process.stdout.readline().decode()
        found = re.search(r"Forwarding from 127\.0\.0\.1:(\d+) -> \d+", line)
        assert found, f"kubectl port-forward says {line!r}"
        yield int(found[1])
    finally:
        process.kill()
        process.communicate()


def read_all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)
