"""Runs the server's backup and restoration of the objects, as a process, on a cluster's own configuration.

Not here: how they are done (`server.storage`).
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from kubeling.cluster.errors import ClusterError, StorageFailed
from kubeling.cluster.home import Home

_REFUSED = 4
"""The exit code for a database that holds objects."""


def backup(home: Home, file: Path) -> dict[str, Any]:
    """What the file is about, and how many `objects` it holds. Raises StorageFailed."""
    return _run(home, "backup", str(file))


def restore(home: Home, file: Path, *, force: bool) -> dict[str, Any]:
    """What the file was about. The caller holds the home's lock. Raises StorageFailed."""
    return _run(home, "restore", *(["--force"] if force else []), str(file))


def _run(home: Home, command: str, *arguments: str) -> dict[str, Any]:
    if not home.server_config.exists():
        raise ClusterError(f"{home.server_config} is missing", hint="`kubeling up` writes it")
    program = [sys.executable, "-P", "-m", "server.storage", command, "--config", str(home.server_config)]
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, cwd="/", check=False)
    if done.returncode == _REFUSED:
        raise StorageFailed(
            "the cluster holds objects already", hint="add --force to replace all of them by the backup's"
        )
    if done.returncode:
        *details, reason = done.stderr.strip().splitlines() or ["it says nothing"]
        raise StorageFailed(f"the {command} failed: {reason}", details=details[-10:])
    found: dict[str, Any] = json.loads(done.stdout)
    return found
