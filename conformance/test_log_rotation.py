"""A container that talks much: its log is rotated, kubectl logs goes on, nothing stays of it."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import cluster as clusters
from conformance import rest
from conformance import space as spaces
from conformance.absence import absent
from conformance.cluster import Cluster
from conformance.kubectl import Kubectl
from conformance.space import Space
from conformance.waiting import eventually

KUBELET = """
containerLogMaxSize: 10Ki
containerLogMaxFiles: 3
containerLogMonitorInterval: 3s
"""
TALK = "n=0; while :; do n=$((n+1)); echo line $n of many, each of them as long as this; usleep 20000; done"


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if clusters.lacking():
        absent(clusters.lacking())
    with clusters.started(tmp_path_factory.mktemp("log-rotation"), kubelet=KUBELET) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def talker(talkative: Cluster) -> Iterator[Space]:
    with spaces.opened(rest.connect(talkative.kubeconfig), talkative.image) as space:
        space.run_ready("talker", TALK)
        yield space


def test_a_log_is_rotated_followed_without_a_gap_and_removed_with_its_pod(
    talkative: Cluster, talker: Space, newest: str, tmp_path: Path
) -> None:
    kubectl = Kubectl(newest, talkative.kubeconfig, tmp_path, talker.name)
    with (tmp_path / "followed").open("wb") as output:
        following = kubectl.start("logs", "-f", "talker", stdout=output)
        try:
            directory = logs_of(talkative, talker)
            eventually(lambda: len(compressed(directory)) == 1, what="an old log is compressed", timeout=60)
            first = compressed(directory)[0]
            eventually(lambda: first not in compressed(directory), what="the oldest is gone", timeout=60)
            assert len(list(directory.iterdir())) <= 3
            assert talker.log("talker", tailLines=1).startswith("line ")
            assert b" stdout F line " in gzip.decompress(compressed(directory)[0].read_bytes())
        finally:
            talker.remove_pod("talker")
            following.wait(20)
    followed = (tmp_path / "followed").read_text().splitlines()
    assert [line.split()[1] for line in followed] == [str(n) for n in range(1, len(followed) + 1)]
    eventually(lambda: not directory.exists(), what="the logs are removed")


def logs_of(cluster: Cluster, space: Space) -> Path:
    assert cluster.home is not None
    uid = space.pod("talker")["metadata"]["uid"]
    return cluster.home / "node" / "logs" / f"{space.name}_talker_{uid}" / "main"


def compressed(directory: Path) -> list[Path]:
    return sorted(directory.glob("0.log.*.gz"))
