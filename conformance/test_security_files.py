"""What lies on the node's disk, and who may read it: pods' directories, secrets, keys, sockets."""

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import pods
from conformance.absence import absent
from conformance.cluster import Cluster
from conformance.rest import Object
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")
NOBODY = 65534


@pytest.fixture(scope="module")
def home(cluster: Cluster) -> Path:
    return cluster.home or Path(absent("the files are those of a node that the suite has started"))


@pytest.fixture(scope="module")
def keeper(shared_space: Space) -> Object:
    """A running pod that has a secret in every kind of volume that can hold one."""
    space = shared_space
    space.secret("treasure", word="only-in-memory-7f3a")
    volumes = [
        {"name": "plain", "secret": {"secretName": "treasure"}},
        {"name": "projected", "projected": {"sources": [{"secret": {"name": "treasure"}}]}},
        {"name": "memory", "emptyDir": {"medium": "Memory"}},
        {"name": "disk", "emptyDir": {}},
    ]
    mounts = [{"name": each["name"], "mountPath": f"/{each['name']}"} for each in volumes]
    env = [{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "treasure", "key": "word"}}}]
    main = pods.container(space.image, env=env, volumeMounts=mounts)
    space.create(pods.pod("keeper", main, volumes=volumes))
    return space.ready("keeper")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def directory_of(home: Path, pod: Object) -> Path:
    found: Path = home / "node" / "pods" / pod["metadata"]["uid"]
    return found


def test_a_pods_directories_are_closed(home: Path, keeper: Object) -> None:
    directory = directory_of(home, keeper)
    closed = [directory, directory / "volumes", directory / "containers", directory / "containers/main"]
    assert [oct(mode(each)) for each in closed] == ["0o750"] * 4


def test_logs_are_for_collectors_to_find_and_for_root_to_read(
    home: Path, keeper: Object, shared_space: Space
) -> None:
    uid = keeper["metadata"]["uid"]
    directory = home / "node" / "logs" / f"{shared_space.name}_keeper_{uid}"
    assert [mode(directory), mode(directory / "main")] == [0o755, 0o755]
    assert mode(directory / "main/0.log") == 0o640


def test_secrets_are_kept_in_memory(home: Path, keeper: Object) -> None:
    directory = directory_of(home, keeper)
    mounted = dict(re.findall(r"^\S+ (\S+) (\S+)", Path("/proc/mounts").read_text(), re.MULTILINE))
    volumes = directory / "volumes"
    for place in ("secret/plain", "projected/projected", "empty-dir/memory"):
        assert mounted[str(volumes / f"kubernetes.io~{place}")] == "tmpfs", place
    assert str(volumes / "kubernetes.io~empty-dir/disk") not in mounted


def test_no_secret_of_a_pod_is_on_the_nodes_disk(home: Path, keeper: Object) -> None:
    """But for the runtime's record of a process whose environment has it, which only root may read."""
    found = [path for path in files_on_disk(home / "node") if b"only-in-memory-7f3a" in path.read_bytes()]
    assert [path for path in found if path.name != "meta.db"] == []
    assert [path for path in found if as_nobody("test", "-r", str(path)) == 0] == []


def files_on_disk(root: Path) -> Iterator[Path]:
    """Regular files below, but those of images and of other file systems."""
    device = root.stat().st_dev
    for directory, names, files in os.walk(root):
        names[:] = [
            name
            for name in names
            if name not in ("io.containerd.content.v1.content", "fs")
            and (Path(directory) / name).lstat().st_dev == device
        ]
        for name in files:
            path = Path(directory) / name
            if stat.S_ISREG(path.lstat().st_mode) and path.stat().st_size < 50_000_000:
                yield path


def as_nobody(*command: str) -> int:
    """The exit code for a user of the machine who has no rights."""
    done = subprocess.run(
        command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, timeout=20, check=False
    )
    return done.returncode


def test_other_users_cannot_read_what_is_in_the_home(home: Path, keeper: Object) -> None:
    assert mode(home / "node") == mode(home / "pki") == 0o700
    for name in ("node/kubeconfig", "admin.kubeconfig", "pki/ca.key", "config/node.json", "node/pods"):
        assert (home / name).exists()
        assert as_nobody("test", "-r", str(home / name)) != 0, name


def test_keys_and_tokens_are_their_owners_even_if_the_home_were_open(home: Path) -> None:
    secret = [
        path
        for path in [*home.glob("*"), *(home / "pki").iterdir(), *(home / "config").iterdir()]
        if path.is_file() and re.search(rb"PRIVATE KEY|client-key-data|token", path.read_bytes())
    ]
    secret += [home / "node/kubeconfig", *home.glob("server/*.db*")]
    assert len(secret) > 8
    assert [path for path in secret if mode(path) & 0o077] == []


def test_the_runtimes_sockets_are_roots(home: Path) -> None:
    configured = (home / "node/containerd/config.toml").read_text()
    socket = Path(re.findall(r'^"?address"? = "([^"]*\.sock)"', configured, re.MULTILINE)[0])
    for each in (socket, Path(f"{socket}.ttrpc")):
        status = each.stat()
        assert (status.st_uid, status.st_gid) == (0, 0)
        assert stat.S_IMODE(status.st_mode) & 0o007 == 0, each
    assert mode(socket.parent) & 0o022 == 0
    assert as_nobody("test", "-w", str(socket)) != 0


def test_what_the_runtime_knows_of_a_running_container_is_closed(home: Path, keeper: Object) -> None:
    """Its configuration has the process's environment in it."""
    configured = (home / "node/containerd/config.toml").read_text()
    state = Path(re.findall(r'^"?state"? = "([^"]*)"', configured, re.MULTILINE)[0])
    container_id = pods.status_of(keeper)["containerID"].removeprefix("containerd://")
    files = list(state.glob(f"io.containerd.runtime.v2.task/*/{container_id}/config.json"))
    assert len(files) == 1
    assert as_nobody("test", "-r", str(files[0])) != 0


def test_the_runtimes_streams_are_for_the_node_alone(home: Path) -> None:
    configured = (home / "node/containerd/config.toml").read_text()
    assert re.findall(r'"?stream_server_address"? = "([^"]*)"', configured) == ["127.0.0.1"]
