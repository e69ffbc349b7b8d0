"""kill -9 of the server, again and again, under a load of writes: what was acknowledged stays."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from conformance import cluster as clusters
from conformance import processes
from conformance.cluster import Cluster
from conformance.rest import Object
from conformance.waiting import eventually
from conformance.write_load import MAPS, Load

KILLS = 12


@dataclass
class Mortal:
    """A server without the supervisor, which would let one that dies so often wait longer and longer."""

    cluster: Cluster
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        assert self.cluster.home
        command = [
            sys.executable,
            "-m",
            "server",
            "--config",
            str(self.cluster.home / "config" / "server.json"),
        ]
        with (self.cluster.home / "logs" / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def mortal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    if request.config.getoption("--kubeconfig"):
        pytest.skip("only servers that the suite itself has started are killed")
    with clusters.started(tmp_path_factory.mktemp("mortal"), node=False) as cluster:
        cluster.kubeling("down")
        mortal = Mortal(cluster)
        try:
            mortal.start()
            yield mortal
        finally:
            mortal.kill()


@pytest.fixture(scope="module")
def survived(mortal: Mortal) -> tuple[Load, dict[str, Object]]:
    """The load that ran while the server was killed, and the objects that are there afterwards."""
    processes.answering(mortal.cluster)
    load = Load(mortal.cluster.kubeconfig)
    load.start(writers=4)
    for _ in range(KILLS):
        _kill_under_load(mortal, load)
    load.end()
    items = processes.answering(mortal.cluster).get(MAPS)["items"]
    return load, {item["metadata"]["name"]: item for item in items}


@pytest.mark.timeout(300)
def test_writes_went_on_between_the_kills(survived: tuple[Load, dict[str, Object]]) -> None:
    load, _ = survived
    assert not load.troubles
    assert [writer.failures for writer in load.writers] == [[]] * len(load.writers)
    assert load.count > KILLS
    assert load.resumed >= KILLS / 2


def test_every_acknowledged_write_is_there(survived: tuple[Load, dict[str, Object]]) -> None:
    load, kept = survived
    for writer in load.writers:
        for name in writer.versions.keys() - writer.deleted - writer.unsure:
            assert name in kept, f"{name} is lost"
            assert int(kept[name]["metadata"]["resourceVersion"]) == writer.versions[name]
            assert kept[name]["data"]["v"] == writer.values[name]


def test_every_acknowledged_deletion_holds(survived: tuple[Load, dict[str, Object]]) -> None:
    load, kept = survived
    deleted = {name for writer in load.writers for name in writer.deleted}
    assert deleted
    assert not deleted & kept.keys()


def test_the_resumed_watch_missed_and_repeated_nothing(survived: tuple[Load, dict[str, Object]]) -> None:
    load, kept = survived
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in load.told]
    assert versions == sorted(set(versions)), "out of order, or twice"
    seen = {
        (event["object"]["metadata"]["name"], int(v)) for event, v in zip(load.told, versions, strict=True)
    }
    acknowledged = {item for writer in load.writers for item in writer.versions.items()}
    assert not acknowledged - seen, "acknowledged, but not told of"
    assert _replayed(load.told).keys() == {name for name in kept if name.startswith("writer-")}


def _kill_under_load(mortal: Mortal, load: Load) -> None:
    """As soon as this server has acknowledged some writes, it dies, and another follows."""
    enough = load.count + 5
    eventually(lambda: load.count > enough, what="writes are acknowledged", every=0.02)
    mortal.kill()
    mortal.start()


def _replayed(events: list[Object]) -> dict[str, Object]:
    """What is there according to the events alone."""
    state: dict[str, Object] = {}
    for event in events:
        name = event["object"]["metadata"]["name"]
        if not name.startswith("writer-"):
            continue
        if event["type"] == "DELETED":
            state.pop(name)
        else:
            state[name] = event["object"]
    return state
