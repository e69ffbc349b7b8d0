"""kill -9 of the server, again and again, under a load of writes: what was acknowledged stays."""

import os
import signal
from collections.abc import Iterator

import pytest

from conformance import cluster as clusters
from conformance import processes
from conformance.cluster import Cluster
from conformance.rest import Object
from conformance.waiting import eventually
from conformance.write_load import MAPS, Load

KILLS = 30


@pytest.fixture(scope="module")
def mortal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if request.config.getoption("--kubeconfig"):
        pytest.skip("only clusters that the suite itself has started are killed")
    with clusters.started(tmp_path_factory.mktemp("mortal"), node=False) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def survived(mortal: Cluster) -> tuple[Load, dict[str, Object]]:
    """The load that ran while the server was killed, and the objects that are there afterwards."""
    load = Load(mortal.kubeconfig)
    load.start(writers=4)
    for _ in range(KILLS):
        _kill_under_load(mortal, load)
    load.end()
    rest = processes.answering(mortal)
    items = rest.get(MAPS)["items"]
    return load, {item["metadata"]["name"]: item for item in items}


@pytest.mark.timeout(150)
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


def _kill_under_load(cluster: Cluster, load: Load) -> None:
    """Kills the server as soon as some writes of its own were acknowledged."""
    enough = load.count + 5
    eventually(lambda: load.count > enough, what="writes are acknowledged", every=0.02)
    pid = cluster.pid("server")
    assert pid
    os.kill(pid, signal.SIGKILL)


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
