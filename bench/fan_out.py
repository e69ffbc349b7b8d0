"""Watch fan-out: how many events reach how many watchers in a second, and how late, over TLS connections.

Writer and watchers are one process, as small as can be: raw bytes, lines counted, nothing parsed.
"""

import asyncio
import ssl
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

_EVENT = b'{"type":"'


@dataclass(frozen=True)
class FanOut:
    delivered: int
    lost: int
    rate: float
    """Deliveries per second."""
    p50: float
    p99: float
    """Milliseconds from a write's acknowledgement to its arrival; less than 0 when the event was first."""


async def fan_out(
    server: str, token: str, path: str, *, watchers: int, events: int, write: Callable[[int], None]
) -> FanOut:
    """Watch `path` so many times while `write`, in a thread, makes one event after the other."""
    seen: list[list[float]] = [[] for _ in range(watchers)]
    ready = [asyncio.Event() for _ in range(watchers)]
    async with asyncio.TaskGroup() as group:
        for arrivals, begun in zip(seen, ready, strict=True):
            group.create_task(_watch(server, token, path, arrivals, begun, events=events))
        for begun in ready:
            await begun.wait()
        await asyncio.sleep(0.5)
        started = time.perf_counter()
        acknowledged = await asyncio.to_thread(_write_all, write, events)
    return _summary(seen, acknowledged, started=started, expected=watchers * events)


def _write_all(write: Callable[[int], None], events: int) -> list[float]:
    acknowledged = []
    for number in range(events):
        write(number)
        acknowledged.append(time.perf_counter())
    return acknowledged


async def _watch(
    server: str, token: str, path: str, arrivals: list[float], begun: asyncio.Event, *, events: int
) -> None:
    url = urlsplit(server)
    context = ssl._create_unverified_context()
    reader, writer = await asyncio.open_connection(url.hostname, url.port, ssl=context, limit=1 << 24)
    request = f"GET {path} HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
    writer.write(request.encode())
    await reader.readuntil(b"\r\n\r\n")
    begun.set()
    while len(arrivals) < events:
        data = await asyncio.wait_for(reader.read(1 << 18), timeout=60)
        if not data:
            break
        arrivals.extend([time.perf_counter()] * data.count(_EVENT))
    writer.close()


def _summary(seen: list[list[float]], acknowledged: list[float], *, started: float, expected: int) -> FanOut:
    delivered = sum(map(len, seen))
    delays = sorted(
        1000 * (arrived - written)
        for arrivals in seen
        for arrived, written in zip(arrivals, acknowledged, strict=False)
    )
    ended = max((arrivals[-1] for arrivals in seen if arrivals), default=started)
    return FanOut(
        delivered=delivered,
        lost=expected - delivered,
        rate=delivered / (ended - started),
        p50=statistics.median(delays),
        p99=delays[int(0.99 * (len(delays) - 1))],
    )
