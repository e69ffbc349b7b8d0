"""Volumes: emptyDir, hostPath, configMap, secret; modes, items, live updates."""

from pathlib import Path

import pytest

from conformance import pods
from conformance.cluster import Cluster
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")


def test_an_empty_directory_is_shared_by_the_containers(space: Space) -> None:
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/data"}]}
    writer = pods.container(space.image, "echo hello > /data/file", name="writer", **mount)
    script = "until cat /data/file; do sleep 0.1; done"
    reader = pods.container(space.image, script, name="reader", **mount)
    space.create(pods.pod("pair", writer, reader, volumes=[{"name": "v", "emptyDir": {}}]))
    space.phase("pair", "Succeeded")
    assert space.log("pair", container="reader").endswith("hello\n")


def test_an_empty_directory_is_open_to_all(space: Space) -> None:
    assert _seen(space, {"emptyDir": {}}, "stat -c %a /v") == "777\n"


def test_an_empty_directory_in_memory(space: Space) -> None:
    script = "grep ' /v ' /proc/mounts | cut -d' ' -f3"
    assert _seen(space, {"emptyDir": {"medium": "Memory"}}, script) == "tmpfs\n"


def test_an_empty_directory_outlives_its_container(space: Space) -> None:
    script = "if [ -e /v/mark ]; then echo again; " + pods.IDLE + "; fi; touch /v/mark; exit 1"
    volume = {"name": "v", "emptyDir": {}}
    container = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    space.run("twice", script, container=container, volumes=[volume], restartPolicy="Always")
    eventually(lambda: _log_of(space, "twice") == "again\n", what="the second attempt finds the mark")


def test_a_config_map_as_files(space: Space) -> None:
    space.config_map("settings", one="1", two="2")
    volume = {"configMap": {"name": "settings"}}
    assert _seen(space, volume, "cd /v; ls; cat one two; stat -Lc %a one") == "one\ntwo\n12644\n"


def test_chosen_items_and_modes(space: Space) -> None:
    space.config_map("settings", one="1", two="2")
    items = [{"key": "two", "path": "deep/second", "mode": 0o400}]
    volume = {"configMap": {"name": "settings", "items": items, "defaultMode": 0o440}}
    script = (
        "cd /v; find . -type f -o -type l | grep -v '\\.\\.' | sort; stat -Lc %a deep/second; cat deep/second"
    )
    log = _seen(space, volume, script)
    assert log.splitlines()[-2:] == ["400", "2"], log


def test_binary_data_of_a_config_map(space: Space) -> None:
    body = {**pods.config_map("settings", {}), "binaryData": {"bytes": "AAEC/w=="}}
    space.create(body, "configmaps")
    assert _seen(space, {"configMap": {"name": "settings"}}, "od -An -tx1 /v/bytes").split() == [
        "00",
        "01",
        "02",
        "ff",
    ]


def test_a_secret_as_files_in_memory(space: Space) -> None:
    space.secret("keys", password="hunter2")
    script = "cat /v/password; echo; grep ' /v ' /proc/mounts | cut -d' ' -f3"
    assert _seen(space, {"secret": {"secretName": "keys"}}, script) == "hunter2\ntmpfs\n"


def test_a_volume_of_configuration_is_read_only(space: Space) -> None:
    space.config_map("settings", one="1")
    log = _seen(space, {"configMap": {"name": "settings"}}, "touch /v/x 2>&1 | cat")
    assert "Read-only file system" in log


def test_a_change_of_a_config_map_arrives(space: Space) -> None:
    space.config_map("settings", one="1")
    volume = {"name": "v", "configMap": {"name": "settings"}}
    script = "until [ $(cat /v/one) = 2 ]; do sleep 0.2; done; ls /v; cat /v/*"
    space.run_ready("live", script, container=_mounted(), volumes=[volume])
    space.rest.patch(space.path("configmaps", "settings"), {"data": {"one": "2", "new": "3"}})
    space.phase("live", "Succeeded", timeout=100)
    assert space.log("live") == "new\none\n32"


def test_a_change_of_a_secret_arrives(space: Space) -> None:
    space.secret("keys", one="1")
    volume = {"name": "v", "secret": {"secretName": "keys"}}
    script = "until [ $(cat /v/one) = 2 ]; do sleep 0.2; done"
    space.run_ready("live", script, container=_mounted(), volumes=[volume])
    space.rest.patch(space.path("secrets", "keys"), {"stringData": {"one": "2"}})
    space.phase("live", "Succeeded", timeout=100)


def test_one_file_by_sub_path(space: Space) -> None:
    space.config_map("settings", one="1", two="2")
    mount = {"name": "v", "mountPath": "/etc/settings/one", "subPath": "one"}
    volume = {"name": "v", "configMap": {"name": "settings"}}
    script = "ls /etc/settings; cat /etc/settings/one"
    log = space.run_through("sub", script, container={"volumeMounts": [mount]}, volumes=[volume])
    assert log == "one\n1"


def test_a_missing_config_map_holds_the_pod(space: Space) -> None:
    volume = {"name": "v", "configMap": {"name": "late"}}
    space.run("held", "cat /v/one", container=_mounted(), volumes=[volume])
    event = space.event("held", "FailedMount")
    assert event["message"] == 'MountVolume.SetUp failed for volume "v" : configmap "late" not found'
    assert pods.waiting_reason(space.pod("held")) == "ContainerCreating"
    space.config_map("late", one="1")
    space.phase("held", "Succeeded", timeout=60)


def test_an_optional_config_map(space: Space) -> None:
    assert _seen(space, {"configMap": {"name": "absent", "optional": True}}, "ls /v") == ""


def test_a_directory_of_the_host(space: Space, cluster: Cluster, tmp_path: Path) -> None:
    if not cluster.home:
        pytest.skip("the node's files are not ours to write")
    (tmp_path / "from-host").write_text("host\n")
    volume: Object = {"hostPath": {"path": str(tmp_path), "type": "Directory"}}
    assert _seen(space, volume, "cat /v/from-host; echo pod > /v/from-pod") == "host\n"
    assert (tmp_path / "from-pod").read_text() == "pod\n"


def test_a_directory_of_the_host_that_is_made(space: Space, cluster: Cluster, tmp_path: Path) -> None:
    if not cluster.home:
        pytest.skip("the node's files are not ours to write")
    volume = {"hostPath": {"path": str(tmp_path / "made"), "type": "DirectoryOrCreate"}}
    _seen(space, volume, "touch /v/x")
    assert (tmp_path / "made" / "x").exists()


def test_a_directory_of_the_host_that_must_be_there(space: Space) -> None:
    volume = {"name": "v", "hostPath": {"path": "/no/such/directory", "type": "Directory"}}
    space.run("held", container=_mounted(), volumes=[volume])
    message = space.event("held", "FailedMount")["message"]
    assert "hostPath type check failed: /no/such/directory is not a directory" in message


def test_a_token_for_the_api_or_none(space: Space) -> None:
    """The token itself is a later chapter; without automount there is nothing in any case."""
    script = "ls /var/run/secrets/kubernetes.io/serviceaccount 2>/dev/null || echo none"
    assert space.run_through("bare", script, automountServiceAccountToken=False) == "none\n"


def _mounted() -> Object:
    return {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}


def _seen(space: Space, source: Object, script: str) -> str:
    """The output of a script in a container that has the volume at /v."""
    return space.run_through("looker", script, container=_mounted(), volumes=[{"name": "v", **source}])


def _log_of(space: Space, name: str) -> str:
    return space.rest.request("GET", space.path("pods", name) + "/log").text
