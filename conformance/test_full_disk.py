"""The node's disk is full: what runs goes on, what cannot be begun says why, and is begun when there is room.

Nothing is evicted here: the thresholds are off.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from conformance import cluster as clusters
from conformance import pods, processes, small_disk
from conformance import space as spaces
from conformance.absence import absent
from conformance.cluster import Cluster
from conformance.leaks import nothing_left
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

FULL = "no space left on device"


@pytest.fixture(scope="module")
def narrow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose node, but not its server, has a small disk of its own."""
    if request.config.getoption("--kubeconfig"):
        pytest.skip("only disks that the suite itself has made are filled")
    why = clusters.lacking() or small_disk.lacking()
    if why:
        absent(why)
    directory = tmp_path_factory.mktemp("narrow")
    with clusters.started(directory) as cluster:
        cluster.kubeling("down")
        node = directory / "home" / "node"
        node.rename(directory / "moved")
        with small_disk.mounted(directory / "disk", node, mebibytes=128):
            shutil.copytree(directory / "moved", node, symlinks=True, dirs_exist_ok=True)
            cluster.up()
            yield cluster
            cluster.kubeling("down")


@pytest.mark.timeout(150)
def test_what_a_full_disk_keeps_from_starting_starts_when_there_is_room(narrow: Cluster) -> None:
    with (
        spaces.opened(processes.answering(narrow), narrow.image) as space,
        nothing_left(narrow, timeout=30) as known,
    ):
        known.append(space.run_ready("witness", restartPolicy="Always"))
        space.config_map("files", **{f"key-{number}": "x" * 9000 for number in range(9)})
        with _full(narrow):
            known.append(_reader(space, "early"))
            eventually(lambda: _says_full(space, "early"), what="it is said that there is no space")
            processes.kill(narrow, "runtime")
            known.append(_reader(space, "late"))
            eventually(lambda: _says_full(space, "late"), what="the next agent says so, too")
            before = narrow.pid("runtime")
        for name in ("early", "late"):
            space.phase(name, "Succeeded", timeout=60)
            assert space.log(name) == "81000\n", "each file is whole"
        assert narrow.pid("runtime") == before
        witness = pods.status_of(space.pod("witness"))
        assert witness["restartCount"] == 0
        assert witness["containerID"] == pods.status_of(known[0])["containerID"]
        for name in ("witness", "early", "late"):
            space.remove_pod(name)


def _reader(space: Space, name: str) -> Object:
    """Counts the bytes of its files."""
    mounts = [{"name": "files", "mountPath": "/files"}]
    volumes = [{"name": "files", "configMap": {"name": "files"}}]
    return space.run(name, "cat /files/* | wc -c", container={"volumeMounts": mounts}, volumes=volumes)


def _says_full(space: Space, name: str) -> bool:
    said = [event["message"] for event in space.events(name) if event["type"] == "Warning"]
    assert any(FULL in message.lower() for message in said), said
    return True


@contextmanager
def _full(cluster: Cluster) -> Iterator[None]:
    """During the block there is not a byte left."""
    assert cluster.home
    filler = Path(cluster.home) / "node" / "filler"
    try:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        yield
    finally:
        filler.unlink()
