"""Asks the kernel whether a TCP port is free."""

import contextlib
import socket
from collections.abc import Collection


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of all addresses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("", port))
        probe.listen(1)
        return True
    return False


def find_free(avoid: Collection[int] = ()) -> int:
    """A port that the kernel had free a moment ago and that is not one of `avoid`."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind(("", 0))
            port = int(probe.getsockname()[1])
        if port not in avoid:
            return port
