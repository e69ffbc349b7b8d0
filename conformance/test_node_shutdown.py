"""A node that is shut down where pods are given time for it: they fail, and only its own come back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import cluster as clusters
from conformance import pods, rest, space
from conformance.absence import absent
from conformance.cluster import Cluster
from conformance.space import Space
from conformance.waiting import eventually

GRACE = "shutdownGracePeriod: 10s\nshutdownGracePeriodCriticalPods: 2s\n"


@pytest.fixture(scope="module")
def considerate(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    if request.config.getoption("--kubeconfig") or clusters.lacking():
        absent(clusters.lacking() or "the node is not ours to shut down")
    with clusters.started(tmp_path_factory.mktemp("considerate"), kubelet=GRACE) as cluster:
        yield cluster


def test_pods_end_with_their_node_and_static_ones_come_back(considerate: Cluster) -> None:
    api = rest.connect(considerate.kubeconfig)
    with space.opened(api, considerate.image) as here:
        node = api.get("/api/v1/nodes")["items"][0]["metadata"]["name"]
        here.run_ready(
            "polite", "trap 'sleep 1; exit 0' TERM; while :; do sleep 0.1; done", restartPolicy="Always"
        )
        manifest = write_static(considerate, here)
        static = f"static-{node}"
        eventually(lambda: api.request("GET", here.path("pods", static)).code == 200, what="it is mirrored")
        before = here.ready(static)
        considerate.kubeling("down")
        considerate.up()
        status = here.phase("polite", "Failed")["status"]
        assert status["reason"] == "Terminated"
        assert status["message"] == "Pod was terminated in response to imminent node shutdown."
        assert pods.exit_code({"status": status}) == 0
        disruption = pods.condition({"status": status}, "DisruptionTarget")
        assert (disruption["status"], disruption["reason"]) == ("True", "TerminationByKubelet")
        again = here.until(static, lambda pod: pods.status_of(pod)["restartCount"] == 1, what="runs again")
        assert again["metadata"]["uid"] == before["metadata"]["uid"]
        manifest.unlink()
        api.gone(here.path("pods", static))


def write_static(cluster: Cluster, here: Space) -> Path:
    assert cluster.home is not None
    pod = pods.pod("static", pods.container(here.image), restartPolicy="Always")
    pod["metadata"]["namespace"] = here.name
    file = cluster.home / "manifests" / "static.json"
    file.write_text(json.dumps(pod))
    return file
