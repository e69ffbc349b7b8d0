"""Static pods: files in the node's folder of manifests, and their mirrors in the API."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import pods
from conformance.cluster import Cluster
from conformance.rest import Object, Rest
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")


@pytest.fixture
def folder(cluster: Cluster) -> Iterator[Path]:
    """The node's folder, empty before and after."""
    if not cluster.home:
        pytest.skip("the node's files are not ours")
    path = Path(cluster.home) / "manifests"
    yield path
    for file in path.iterdir():
        file.unlink()


@pytest.fixture
def node(rest: Rest) -> Object:
    found: Object = rest.get("/api/v1/nodes")["items"][0]
    return found


def write(folder: Path, space: Space, *, word: str = "one", **spec: object) -> None:
    pod = pods.pod("static", pods.container(space.image, f"echo {word}; {pods.IDLE}"), **spec)
    pod["metadata"]["namespace"] = space.name
    (folder / "static.yaml").write_text(json.dumps(pod))


def test_a_file_is_a_pod_as_long_as_it_is_there(space: Space, folder: Path, node: Object) -> None:
    write(folder, space, restartPolicy="Always")
    name = f"static-{node['metadata']['name']}"
    path = space.path("pods", name)
    eventually(lambda: space.rest.request("GET", path).code == 200, what="there is a mirror")
    mirror = space.ready(name)
    notes = mirror["metadata"]["annotations"]
    assert notes["kubernetes.io/config.mirror"] == notes["kubernetes.io/config.hash"]
    assert notes["kubernetes.io/config.source"] == "file"
    assert notes["kubernetes.io/config.seen"]
    assert mirror["metadata"]["ownerReferences"][0]["uid"] == node["metadata"]["uid"]
    eventually(lambda: space.log(name) == "one\n", what="it says so")
    assert "observedGeneration" not in mirror["status"]

    first = mirror["metadata"]["uid"]
    space.rest.delete(path, gracePeriodSeconds=0)
    eventually(lambda: space.rest.request("GET", path).code == 200, what="it is back")
    again = space.until(
        name, lambda pod: pod["metadata"]["uid"] != first and pods.ready(pod), what="is mirrored again"
    )
    assert pods.status_of(again)["containerID"] == pods.status_of(mirror)["containerID"]

    write(folder, space, word="two", restartPolicy="Always")
    changed = lambda: space.rest.request("GET", path + "/log").text == "two\n"  # noqa: E731
    eventually(changed, what="the changed pod runs")
    assert (
        space.pod(name)["metadata"]["annotations"]["kubernetes.io/config.hash"]
        != notes["kubernetes.io/config.hash"]
    )

    (folder / "static.yaml").unlink()
    space.rest.gone(path)


def test_a_manifest_that_refers_to_the_api_runs_nothing(space: Space, folder: Path, node: Object) -> None:
    volumes = [{"name": "s", "secret": {"secretName": "mine"}}]
    write(folder, space, volumes=volumes)
    good = pods.pod("good", pods.container(space.image))
    good["metadata"]["namespace"] = space.name
    (folder / "good.json").write_text(json.dumps(good))
    name = node["metadata"]["name"]
    eventually(
        lambda: space.rest.request("GET", space.path("pods", f"good-{name}")).code == 200,
        what="good is there",
    )
    space.ready(f"good-{name}")
    space.rest.refusal(404, "GET", space.path("pods", f"static-{name}"))
