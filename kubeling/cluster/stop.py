"""Stops a cluster: asks its supervisor to, and ends what a supervisor that was killed has left behind.

Not here: containers that outlived their node agent (`kubeling.cluster.leftovers`).
"""

import signal

from kubeling.cluster import runstate
from kubeling.cluster.errors import ClusterError
from kubeling.cluster.home import Home
from kubeling.cluster.identity import ProcessIdentity
from kubeling.cluster.runstate import RunState

SUPERVISOR_TIMEOUT = 45.0
"""More than a supervisor takes to kill processes that do not listen."""

ORPHAN_TIMEOUT = 10.0


def stop(home: Home) -> bool:
    """Stops the running cluster of this home; false if none runs. Raises ClusterError if it does not end."""
    state = runstate.running(home)
    if state is None:
        end_orphans(home)
        return False
    state.supervisor.send(signal.SIGTERM)
    if not state.supervisor.wait_gone(SUPERVISOR_TIMEOUT):
        raise ClusterError(
            f"the supervisor (pid {state.supervisor.pid}) did not end within {SUPERVISOR_TIMEOUT:.0f} s",
            hint=f"kill -9 {state.supervisor.pid}, then `kubeling down` again",
        )
    return True


def end_orphans(home: Home) -> None:
    """Ends the processes of a killed supervisor: the kernel has told them to, but they may take a while."""
    state = runstate.load(home)
    if state is None or state.supervisor.alive():
        return
    for identity in _orphans(state):
        identity.send(signal.SIGTERM)
        if not identity.wait_gone(ORPHAN_TIMEOUT):
            identity.send(signal.SIGKILL)
            identity.wait_gone(ORPHAN_TIMEOUT)
    runstate.clear(home)


def _orphans(state: RunState) -> list[ProcessIdentity]:
    return [p.identity for p in state.processes.values() if p.identity and p.identity.alive()]
