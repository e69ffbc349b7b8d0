"""A cluster's home directory: where it is, what lies where in it, whether it is ours.

Not here: the contents of the files.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kubeling.cluster import files
from kubeling.cluster.errors import HomeError

GIVEN = frozenset({"kubelet.yaml", "scheduler.yaml", "images", "manifests", "registries"})
"""What a user may put into a home, also before the cluster's first start."""
OURS = frozenset({"run", "cluster.json", "lost+found", *GIVEN})


@dataclass(frozen=True)
class Home:
    root: Path
    state: Path
    """Sockets and what need not outlive a boot: a short path, on a tmpfs."""

    @property
    def cluster_file(self) -> Path:
        return self.root / "cluster.json"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def server_config(self) -> Path:
        return self.root / "config" / "server.json"

    @property
    def scheduler_config(self) -> Path:
        """A KubeSchedulerConfiguration, if somebody has put one there."""
        return self.root / "scheduler.yaml"

    @property
    def kubelet_config(self) -> Path:
        """A KubeletConfiguration for the node, if somebody has put one there."""
        return self.root / "kubelet.yaml"

    @property
    def node_config(self) -> Path:
        return self.root / "config" / "node.json"

    @property
    def virtual_config(self) -> Path:
        return self.root / "config" / "virtual.json"

    @property
    def virtual_kubeconfig(self) -> Path:
        return self.root / "config" / "virtual.kubeconfig"

    @property
    def admin_kubeconfig(self) -> Path:
        return self.root / "admin.kubeconfig"

    @property
    def node_kubeconfig(self) -> Path:
        return self.root / "node" / "kubeconfig"

    @property
    def database(self) -> Path:
        return self.root / "server" / "kubeling.db"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def supervisor_log(self) -> Path:
        return self.logs / "supervisor.log"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def lock_file(self) -> Path:
        return self.run / "lock"

    @property
    def supervisor_file(self) -> Path:
        return self.run / "supervisor.json"

    @property
    def claim_file(self) -> Path:
        return self.state / "claim.json"

    def exists(self) -> bool:
        return self.cluster_file.is_file()

    def create(self) -> None:
        """Raises HomeError if this user may not."""
        try:
            files.private_directory(self.root)
        except OSError as error:
            raise HomeError(f"{self.root} cannot be created: {error.strerror}", hint=_OTHER_HOME) from error

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Translates what the system says about files that cannot be written: HomeError."""
        try:
            yield
        except OSError as error:
            raise HomeError(
                f"{error.filename or self.root} cannot be written: {error.strerror or error}",
                hint=f"mend that, or {_OTHER_HOME}",
            ) from error

    def blank(self) -> bool:
        """Whether nothing is there, or at most what a user or a start that was refused has left."""
        if not self.root.exists():
            return True
        return self.root.is_dir() and OURS.issuperset(os.listdir(self.root)) and not self.exists()

    def require_usable(self) -> None:
        """Raises HomeError if something that is not a cluster lives at this place."""
        if self.exists() or self.blank():
            return
        strangers = sorted(set(os.listdir(self.root)) - OURS)
        if strangers:
            raise HomeError(
                f"{self.root} holds {strangers[0]!r} and is not the home directory of a kubeling cluster",
                hint="choose an empty or new directory with --home",
            )


_OTHER_HOME = "choose another one with --home"


def locate(option: Path | None = None) -> Home:
    """The home that --home, else KUBELING_HOME, else the user's identity names. Nothing is created.

    Raises HomeError if no directory can be there.
    """
    named = option or os.environ.get("KUBELING_HOME") or default_root()
    root = Path(named).expanduser().absolute()
    root = Path(os.path.realpath(root))
    try:
        if not stat.S_ISDIR(root.stat().st_mode):
            raise HomeError(f"{root} is not a directory", hint=_OTHER_HOME)
    except FileNotFoundError:
        pass
    except OSError as error:  # a file among its parents, a name that is too long, no permission
        raise HomeError(f"{root} cannot be used: {error.strerror}", hint=_OTHER_HOME) from error
    return Home(root=root, state=states_directory() / hashlib.sha256(str(root).encode()).hexdigest()[:8])


def default_root() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/kubeling")
    data = os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()
    return Path(data) / "kubeling"


def states_directory() -> Path:
    """The directory that holds the state directories of all of this user's clusters."""
    if os.geteuid() == 0:
        return Path("/run/kubeling")
    runtime = os.environ.get("XDG_RUNTIME_DIR") or Path("~/.local/state").expanduser()
    return Path(runtime) / "kubeling"
