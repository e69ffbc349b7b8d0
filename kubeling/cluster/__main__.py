"""`python -m kubeling.cluster`: supervises the processes of one home. Imports little: it lives long.

`kubeling up` prepares the home, takes its lock and starts this; people do not call it.
"""

import argparse
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

from kubeling.cluster import lock, runstate, settings
from kubeling.cluster.child import ProcessSpec
from kubeling.cluster.errors import ClusterError, HomeError
from kubeling.cluster.events import Event, EventSender
from kubeling.cluster.home import Home, locate
from kubeling.cluster.identity import identify
from kubeling.cluster.node_patience import node_patience
from kubeling.cluster.runstate import ProcessState, RunState
from kubeling.cluster.settings import Settings
from kubeling.cluster.supervisor import Listeners, Supervisor

SERVER_STOP_TIMEOUT = 10.0


def main() -> int:
    options = _parse()
    home = locate(options.home)
    try:
        supervise(
            home, lock_descriptor=options.lock_fd, events_descriptor=options.events_fd, owned=options.owned
        )
    except ClusterError as error:
        sys.stderr.write(f"kubeling: {error.message}\n")
        return error.exit_code
    return 0


def supervise(home: Home, *, lock_descriptor: int | None, events_descriptor: int | None, owned: bool) -> None:
    """Runs the cluster until a signal; if `owned`, also until the other end of the events' socket closes."""
    kept = settings.load(home)
    if kept is None:
        raise HomeError(f"no cluster has been prepared in {home.root}", hint="use `kubeling up`")
    descriptor = lock.acquire(home) if lock_descriptor is None else lock_descriptor
    connection = socket.socket(fileno=events_descriptor) if events_descriptor is not None else None
    sender = EventSender(connection)
    own = identify(os.getpid())
    assert own is not None

    def save(processes: dict[str, ProcessState]) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the supervision
            runstate.save(home, RunState(own, processes))

    supervisor = Supervisor(specifications(home, kept), Listeners(event=sender.send, state=save))
    supervisor.run(owner=connection if owned else None)
    runstate.clear(home)
    sender.send(Event("stopped"))
    os.close(descriptor)


def specifications(home: Home, kept: Settings) -> list[ProcessSpec]:
    python = [sys.executable, "-P", "-m"]
    specs = [
        ProcessSpec(
            "server",
            [*python, "server", "--config", str(home.server_config)],
            home.logs / "server.log",
            signal.SIGTERM,
            SERVER_STOP_TIMEOUT,
        )
    ]
    if kept.node:
        specs.append(
            ProcessSpec(
                "runtime",
                [*python, "runtime", "--config", str(home.node_config)],
                home.logs / "runtime.log",
                signal.SIGINT,
                node_patience(home.kubelet_config),
            )
        )
    if kept.virtual_nodes:
        specs.append(
            ProcessSpec(
                "virtual",
                [*python, "runtime.virtual", "--config", str(home.virtual_config)],
                home.logs / "virtual.log",
                signal.SIGTERM,
                SERVER_STOP_TIMEOUT,
            )
        )
    return specs


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m kubeling.cluster")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--lock-fd", type=int)
    parser.add_argument("--events-fd", type=int)
    parser.add_argument("--owned", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
