"""One agent to a node: whoever runs it holds a lock on the node's root directory for its life."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import NodeError


@contextmanager
def held(root: Path) -> Iterator[None]:
    """The lock is the directory's own: it needs no file, and goes with the process.

    Raises:
        NodeError: another agent has it.
    """
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _take(descriptor, root)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, root: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise NodeError(f"another agent runs the node in {root}") from error
