"""Connected pairs of stream ends for tests, over a real socket pair."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kubeling.streams.splice import Ends


@asynccontextmanager
async def pipe() -> AsyncIterator[tuple[Ends, Ends]]:
    """Two connected ends; both are closed afterwards."""
    one, other = socket.socketpair()
    left = Ends(*await asyncio.open_connection(sock=one))
    right = Ends(*await asyncio.open_connection(sock=other))
    try:
        yield left, right
    finally:
        for ends in (left, right):
            ends.writer.transport.abort()
            with contextlib.suppress(OSError):
                await ends.writer.wait_closed()
