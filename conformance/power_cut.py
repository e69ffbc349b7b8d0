"""Plays a machine that loses its power: all of a cluster's processes go at once, with what was in memory.

Not here: what must hold when it is started again.
"""

import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from conformance.cluster import Cluster
from conformance.leaks import Node, parent, processes
from conformance.processes import pid
from conformance.waiting import eventually


def cut(cluster: Cluster) -> None:
    assert cluster.home
    node = Node.of(cluster)
    supervisor = json.loads((cluster.home / "run" / "supervisor.json").read_text())["supervisor"]["pid"]
    containerd = pid(cluster, "containerd")
    assert containerd
    doomed = _with_descendants([supervisor, containerd, *node.shims()])
    for each in doomed:
        with suppress(ProcessLookupError):  # it has gone with its parent
            os.kill(each, signal.SIGKILL)
    eventually(lambda: not any(map(_lives, doomed)), what="all processes are gone")
    for point in sorted(node.mount_points(), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", point], check=True)
    shutil.rmtree(node.state)
    for bridge in node.bridges():
        subprocess.run(["ip", "link", "delete", bridge], check=True)


def _with_descendants(roots: list[int]) -> list[int]:
    """Parents first, so that none is started again."""
    parents = {each: parent(each) for each in processes()}
    found = list(roots)
    for each in found:  # grows while it is walked
        found += [child for child, of in parents.items() if of == each and child not in found]
    return found


def _lives(process: int) -> bool:
    """A zombie that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
