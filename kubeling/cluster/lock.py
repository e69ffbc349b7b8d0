"""The lock of a home: held by whoever starts or cleans its cluster, then by the supervisor for its life."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from kubeling.cluster import files
from kubeling.cluster.errors import AlreadyRunning
from kubeling.cluster.home import Home


def acquire(home: Home) -> int:
    """A descriptor that holds the lock until every copy of it is closed. Raises AlreadyRunning."""
    files.private_directory(home.run)
    descriptor = os.open(home.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise AlreadyRunning(
            f"the cluster of {home.root} is running or being started already",
            hint="see `kubeling status`; `kubeling down` stops it; --home starts another one",
        ) from error
    return descriptor


@contextlib.contextmanager
def held(home: Home) -> Iterator[int]:
    descriptor = acquire(home)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
