"""What a supervisor tells whoever started it: lines of JSON over a socket, until either closes it."""

import json
import select
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Event:
    what: str
    """started, exited, stopping, stopped"""
    process: str = ""
    detail: str = ""
    """Of exited: why. Of stopping: what is being stopped."""


class EventSender:
    """Never blocks and never fails: a listener that has gone or does not listen misses events."""

    def __init__(self, connection: socket.socket | None) -> None:
        self._connection = connection
        if connection:
            connection.setblocking(False)

    def send(self, event: Event) -> None:
        if self._connection:
            try:
                self._connection.send(json.dumps(asdict(event)).encode() + b"\n")
            except OSError:
                self._connection = None


class EventReader:
    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._buffer = b""
        self.closed = False
        """The supervisor has ended."""

    def wait(self, timeout: float | None) -> Iterator[Event]:
        """Waits up to `timeout` seconds (None: for ever) and yields what came, perhaps nothing."""
        if not self.closed and select.select([self.connection], [], [], timeout)[0]:
            data = self.connection.recv(65536)
            self.closed = not data
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            for line in lines:
                yield Event(**json.loads(line))
