"""The process's memory: what has been freed goes back to the system.

The C library keeps what was freed for the next to ask for it, so that one burst - large bodies, thousands of
connections - would mark the process for good.
"""

import ctypes
from pathlib import Path

_STATISTICS = Path("/proc/self/statm")
_PAGE = 4096
WORTHWHILE = 32 * 2**20
"""Bytes by which the process must have grown."""


class Memory:
    def __init__(self) -> None:
        self._kept = resident()

    def give_back(self) -> None:
        """Return what is free, if the process has grown since this was last done; takes some milliseconds."""
        if resident() < self._kept + WORTHWHILE:
            return
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
        self._kept = resident()


def resident() -> int:
    """Bytes of the process in memory."""
    return int(_STATISTICS.read_text().split()[1]) * _PAGE
