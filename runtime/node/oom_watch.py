"""Tells when the whole machine, not a container alone, was out of memory: the event SystemOOM of the node.

The kernel says so in its log, which is followed from where it ends when the agent starts. A container that
goes beyond its own limit is its pod's affair.
"""

import asyncio
import logging
import os
import re
from pathlib import Path

from runtime.node.node_events import NodeEvents

logger = logging.getLogger(__name__)

KERNEL_LOG = Path("/dev/kmsg")
_LARGEST = 8192
"""Bytes of one record, at most."""
_KILL = re.compile(r"oom-kill:constraint=(\w+),")
_VICTIM = re.compile(r"Killed process (\d+) \((.+?)\)")


class OomLog:
    """What the kernel's log says about kills, line by line."""

    def __init__(self, events: NodeEvents) -> None:
        self._events = events
        self._system = False

    def line(self, text: str) -> None:
        kill, victim = _KILL.search(text), _VICTIM.search(text)
        if kill is not None:
            self._system = kill[1] != "CONSTRAINT_MEMCG"
        elif victim is not None and self._system:
            self._system = False
            message = f"System OOM encountered, victim process: {victim[2]}, pid: {victim[1]}"
            self._events.warning("SystemOOM", message)


async def watch_oom(events: NodeEvents, log: Path = KERNEL_LOG) -> None:
    """Follow the kernel's log until cancelled; where it cannot be read, nothing is told."""
    try:
        descriptor = os.open(log, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        logger.info("the kernel's log cannot be followed: %s", error)
        return
    os.lseek(descriptor, 0, os.SEEK_END)
    loop, parsed = asyncio.get_running_loop(), OomLog(events)
    loop.add_reader(descriptor, _read, descriptor, parsed)
    try:
        await asyncio.Event().wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _read(descriptor: int, parsed: OomLog) -> None:
    """Whatever records there are; each read gives one."""
    while True:
        try:
            record = os.read(descriptor, _LARGEST)
        except BrokenPipeError:
            continue  # records were overwritten before they were read
        except OSError:
            return
        if not record:
            return
        parsed.line(record.decode(errors="replace"))
