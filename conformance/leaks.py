"""What a node holds of the machine, as the machine itself shows it: what is more afterwards has leaked.

Only what belongs to the cluster of one home is seen, so that others may come and go beside it.
Not here: asking the API, which knows nothing of what was left behind.
"""

import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance.cluster import Cluster
from conformance.rest import Object
from conformance.waiting import eventually

_CGROUPS = Path("/sys/fs/cgroup")
_UID, _NAME = "io.kubernetes.pod.uid", "io.kubernetes.container.name"
_SHIM = "containerd-shim"


@dataclass(frozen=True)
class Node:
    """The places of one home's node."""

    root: Path
    state: Path

    @classmethod
    def of(cls, cluster: Cluster) -> "Node":
        assert cluster.home is not None
        config = json.loads((cluster.home / "config" / "node.json").read_text())
        return cls(Path(config["root"]), Path(config["state"]))

    @property
    def socket(self) -> Path:
        return self.state / "containerd.sock"

    def holdings(self) -> frozenset[str]:
        """Everything that pods cost this machine, one text for each thing."""
        found = [self._records(), self._addresses(), self._interfaces(), self._directories()]
        mounts = (f"mount {point}" for point in self.mount_points())
        shims = (f"shim {pid}" for pid in self.shims())
        return frozenset(each for kind in [*found, mounts, shims] for each in kind)

    def containers(self) -> list[tuple[str, str]]:
        """The pod's uid and the name of each container that the runtime has; the name of a sandbox is ""."""
        ids = self._ctr("containers", "list", "--quiet")
        labels = [json.loads("".join(self._ctr("containers", "info", each)))["Labels"] for each in ids]
        return [(each[_UID], each.get(_NAME, "")) for each in labels]

    def mount_points(self) -> list[str]:
        """Those below the node's directories, which may be mount points themselves."""
        places = (f"{self.root}/", f"{self.state}/")
        points = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        return [point for point in points if point.startswith(places)]

    def bridges(self) -> Iterator[str]:
        for file in (self.root / "cni" / "net.d").glob("*.conflist"):
            yield json.loads(file.read_text())["plugins"][0]["bridge"]

    def _records(self) -> Iterator[str]:
        """Sandboxes and containers, their tasks, and the layers that they write to."""
        for kind in ("containers", "tasks"):
            yield from (f"{kind} {each}" for each in self._ctr(kind, "list", "--quiet"))
        for line in self._ctr("snapshots", "list")[1:]:
            if line.split()[-1] == "Active":
                yield f"snapshot {line.split()[0]}"

    def _addresses(self) -> Iterator[str]:
        for file in (self.root / "cni" / "leases").rglob("*"):
            if file.is_file() and file.name[0].isdigit():
                yield f"address {file.name} of {file.read_text().splitlines()[0]}"

    def _interfaces(self) -> Iterator[str]:
        for bridge in self.bridges():
            for port in Path(f"/sys/class/net/{bridge}/brif").glob("*"):
                yield f"interface {port.name} on {bridge}"

    def shims(self) -> Iterator[int]:
        for pid in processes():
            command = _command(pid)
            if _SHIM in command[0] and str(self.socket) in command:
                yield pid

    def shims_of(self, uid: str) -> list[int]:
        """Those whose children are in the pod's control groups."""
        parents = {parent(pid) for pid in mentioned(uid)}
        return [pid for pid in self.shims() if pid in parents]

    def _directories(self) -> Iterator[str]:
        """The node's own of each pod, and containerd's of each container."""
        containerd = self.root / "containerd" / "root"
        places = [self.root / "pods", self.root / "logs"]
        for place in (containerd, self.state / "containerd"):
            cri = place / "io.containerd.grpc.v1.cri"
            tasks = place / "io.containerd.runtime.v2.task" / "k8s.io"
            places += [cri / "sandboxes", cri / "containers", tasks]
        for place in places:
            yield from (f"directory {each}" for each in place.glob("*"))

    def _ctr(self, *arguments: str) -> list[str]:
        command = ["ctr", "--address", str(self.socket), "--namespace", "k8s.io", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout.splitlines()


def traces(uids: Iterable[str]) -> Iterator[str]:
    """Control groups and processes that bear the uid of one of the pods, whichever cluster's they are."""
    wanted = set(uids)
    for directory, names, _ in os.walk(_CGROUPS):
        found = [name for name in names if name.removeprefix("pod") in wanted]
        yield from (f"cgroup {directory}/{name}" for name in found)
        names[:] = [name for name in names if name not in found and _may_hold_pods(directory, name)]
    for uid in wanted:
        yield from (f"process {pid}: {' '.join(_command(pid))}" for pid in mentioned(uid))


def mentioned(text: str) -> list[int]:
    """Processes in whose control group the text stands: the id of a container, the uid of a pod."""
    return [pid for pid in processes() if text in _read(f"/proc/{pid}/cgroup")]


@contextmanager
def nothing_left(cluster: Cluster, *, timeout: float = 10) -> Iterator[list[Object]]:
    """The block must leave nothing behind; of the pods that it puts into the list not even a cgroup."""
    node, pods = Node.of(cluster), list[Object]()
    before = node.holdings()
    yield pods
    uids = [pod["metadata"]["uid"] for pod in pods]

    def clean() -> bool:
        left = [*sorted(node.holdings() - before), *traces(uids)]
        assert not left, "\n".join(left)
        return True

    eventually(clean, what="nothing is left on the machine", timeout=timeout, every=0.3)


def processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _may_hold_pods(directory: str, name: str) -> bool:
    """Hierarchies, and what is called after kubepods or a class in it."""
    return directory == str(_CGROUPS) or "kubepods" in name or "kubepods" in directory


def _command(pid: int) -> list[str]:
    return _read(f"/proc/{pid}/cmdline").split("\0")


def parent(pid: int) -> int:
    words = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(words[1]) if words else 0


def _read(path: str) -> str:
    """ "" of what has gone meanwhile."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
