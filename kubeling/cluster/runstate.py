"""run/supervisor.json: which processes of a cluster run, as its supervisor last wrote it.

The file outlives a supervisor that was killed; whether its processes still live is asked of the kernel.
"""

import contextlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from kubeling.cluster import files
from kubeling.cluster.home import Home
from kubeling.cluster.identity import ProcessIdentity


@dataclass
class ProcessState:
    """One process as its supervisor sees it."""

    identity: ProcessIdentity | None = None
    """None while it waits to be started again."""
    restarts: int = 0
    last_exit: str = ""
    """Why it ended the last time; empty if it never did."""


@dataclass
class RunState:
    supervisor: ProcessIdentity
    processes: dict[str, ProcessState] = field(default_factory=dict)


def save(home: Home, state: RunState) -> None:
    files.write_json(home.supervisor_file, asdict(state))


def clear(home: Home) -> None:
    home.supervisor_file.unlink(missing_ok=True)


def load(home: Home) -> RunState | None:
    """What the file says; None if there is none, or none that makes sense."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        document = json.loads(home.supervisor_file.read_bytes())
        processes = {name: _process(entry) for name, entry in document["processes"].items()}
        return RunState(ProcessIdentity(**document["supervisor"]), processes)
    return None


def running(home: Home) -> RunState | None:
    """The state of a cluster whose supervisor lives."""
    state = load(home)
    return state if state and state.supervisor.alive() else None


def _process(entry: dict[str, Any]) -> ProcessState:
    identity = entry["identity"]
    return ProcessState(
        identity=ProcessIdentity(**identity) if identity else None,
        restarts=int(entry["restarts"]),
        last_exit=str(entry["last_exit"]),
    )
