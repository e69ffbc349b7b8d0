"""Another stop signal than the image's, for a runtime that cannot be told of one (containerd before 2.2).

The signal goes to the container's first process straight from here; a descriptor of it tells of its end.
"""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks


def signal_number(name: str) -> int:
    """SIGUSR1, SIGRTMIN+3, SIGRTMAX-1 as the kernel's numbers."""
    base, sign, offset = name, "", "0"
    for each in "+-":
        if each in name:
            base, sign, offset = name.partition(each)
    return int(signal.Signals[base]) + int(f"{sign or '+'}{offset}")


def pid_of(info: Mapping[str, str]) -> int:
    """The container's first process on the host, from the verbose part of its status; 0 when none is told."""
    try:
        return int(json.loads(info.get("info") or "{}").get("pid") or 0)
    except (ValueError, AttributeError):
        return 0


async def signal_container(
    pid: Callable[[], Awaitable[int]], name: str, *, seconds: float, clock: Clock
) -> None:
    """Send the signal, and wait for the end of the process for so many seconds. `pid` asks the runtime."""
    number = await pid()
    if not number:
        return
    try:
        descriptor = os.pidfd_open(number)
    except ProcessLookupError:
        return
    try:
        if await pid() != number:  # it ended meanwhile, and the number may be somebody else's
            return
        signal.pidfd_send_signal(descriptor, signal_number(name))
        await _end_of(descriptor, seconds, clock)
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)


async def _end_of(descriptor: int, seconds: float, clock: Clock) -> None:
    async with Tasks("stop-signal") as tasks:
        with _ended(descriptor) as ended:
            waits = [
                tasks.start(ended.wait(), name="end"),
                tasks.start(clock.sleep(seconds), name="grace"),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)


@contextmanager
def _ended(descriptor: int) -> Iterator[asyncio.Event]:
    """An event that is set when the process has ended."""
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(descriptor, event.set)
    try:
        yield event
    finally:
        loop.remove_reader(descriptor)
