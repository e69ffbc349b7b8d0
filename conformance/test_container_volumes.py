"""Volumes of pods in short; what each kind holds and does is in `test_storage_*` and `test_volumes_*`."""

from pathlib import Path

import pytest

from conformance import pods
from conformance.cluster import Cluster
from conformance.rest import Object
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")


def test_a_volume_of_configuration_is_read_only(space: Space) -> None:
    space.config_map("settings", one="1")
    log = _seen(space, {"configMap": {"name": "settings"}}, "touch /v/x 2>&1 | cat")
    assert "Read-only file system" in log


def test_a_missing_config_map_holds_the_pod(space: Space) -> None:
    volume = {"name": "v", "configMap": {"name": "late"}}
    space.run("held", "cat /v/one", container=_mounted(), volumes=[volume])
    event = space.event("held", "FailedMount")
    assert event["message"] == 'MountVolume.SetUp failed for volume "v" : configmap "late" not found'
    assert pods.waiting_reason(space.pod("held")) == "ContainerCreating"
    space.config_map("late", one="1")
    space.phase("held", "Succeeded", timeout=60)


def test_pods_whose_volumes_are_missing_can_be_deleted(space: Space) -> None:
    sources: dict[str, Object] = {
        "config": {"configMap": {"name": "absent"}},
        "secret": {"secret": {"secretName": "absent"}},
        "projected": {"projected": {"sources": [{"secret": {"name": "absent"}}]}},
        "claim": {"persistentVolumeClaim": {"claimName": "absent"}},
    }
    node = space.rest.get("/api/v1/nodes")["items"][0]["metadata"]["name"]
    for name, source in sources.items():
        space.run(name, container=_mounted(), volumes=[{"name": "v", **source}], nodeName=node)
    for name in sources:
        space.event(name, "FailedMount")
    for name in sources:
        space.rest.delete(space.path("pods", name))
    for name in sources:
        space.rest.gone(space.path("pods", name))


def test_a_directory_of_the_host(space: Space, cluster: Cluster, tmp_path: Path) -> None:
    if not cluster.home:
        pytest.skip("the node's files are not ours to write")
    (tmp_path / "from-host").write_text("host\n")
    volume: Object = {"hostPath": {"path": str(tmp_path), "type": "Directory"}}
    assert _seen(space, volume, "cat /v/from-host; echo pod > /v/from-pod") == "host\n"
    assert (tmp_path / "from-pod").read_text() == "pod\n"


def test_a_token_for_the_api_or_none(space: Space) -> None:
    """The token itself is a later chapter; without automount there is nothing in any case."""
    script = "ls /var/run/secrets/kubernetes.io/serviceaccount 2>/dev/null || echo none"
    assert space.run_through("bare", script, automountServiceAccountToken=False) == "none\n"


def _mounted() -> Object:
    return {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}


def _seen(space: Space, source: Object, script: str) -> str:
    """The output of a script in a container that has the volume at /v."""
    return space.run_through("looker", script, container=_mounted(), volumes=[{"name": "v", **source}])
