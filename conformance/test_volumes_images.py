"""Volumes that are images: their files, read-only, whole or in part; what is said when they cannot be had."""

from pathlib import Path

import pytest

from conformance import pods, testimage
from conformance.cluster import Cluster
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")
CONTENT = "kubeling.test/content:1"


@pytest.fixture(scope="module")
def content(cluster: Cluster, containers: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image whose /etc/marker says `content`."""
    if not cluster.home:
        pytest.skip("the node's images are not ours")
    archive: Path = tmp_path_factory.mktemp("content") / "content.tar"
    archive.write_bytes(testimage.build(marker="content\n").docker_archive(CONTENT))
    cluster.kubeling("image", "load", str(archive))
    return CONTENT


def mounted(*mounts: Object) -> Object:
    return {"volumeMounts": [{"name": "v", "mountPath": "/v", **each} for each in mounts]}


def volumes(reference: str, policy: str = "IfNotPresent") -> list[Object]:
    return [{"name": "v", "image": {"reference": reference, "pullPolicy": policy}}]


def test_an_image_as_a_volume(space: Space, content: str, cluster: Cluster) -> None:
    """Two containers, one of which restarts; nothing of it stays."""
    script = "cat /v/etc/marker; touch /v/x; /v/bin/busybox true || echo not executed; test -e /d/one || {"
    script += " touch /d/one; exit 1; }"
    both = mounted({}, {"name": "d", "mountPath": "/d"})
    main = pods.container(space.image, script + " 2>&1", **both)
    part = mounted({"subPath": "etc"}, {"subPath": "etc/marker", "mountPath": "/file", "readOnly": True})
    other = pods.container(space.image, "cat /v/marker /file; ls /v", name="part", **part)
    wanted = [*volumes(content), {"name": "d", "emptyDir": {}}]
    space.create(pods.pod("images", main, other, volumes=wanted, restartPolicy="OnFailure"))
    pod = space.phase("images", "Succeeded", timeout=60)
    [shown] = [each for each in pods.status_of(pod, "main")["volumeMounts"] if each["name"] == "v"]
    assert "sha256:" in shown["volumeStatus"]["image"]["imageRef"]
    said = space.log("images", container="main")
    assert "content\n" in said
    assert "Read-only file system" in said
    assert "not executed\n" in said
    assert space.log("images", container="part") == "content\ncontent\ngroup\nmarker\npasswd\n"
    space.remove_pod("images")
    uid = pod["metadata"]["uid"]
    eventually(lambda: uid not in Path("/proc/self/mountinfo").read_text(), what="nothing stays mounted")


def test_an_image_that_is_not_there(space: Space) -> None:
    space.run("never", container=mounted({}), volumes=volumes("kubeling.test/absent:1", "Never"))
    space.run("pull", container=mounted({}), volumes=volumes("registry.invalid/absent:1"))
    space.until(
        "never",
        lambda pod: pods.waiting_reason(pod) == "ErrImageNeverPull",
        what="says that it must not pull",
    )
    refused = ("ErrImagePull", "ImagePullBackOff")
    space.until("pull", lambda pod: pods.waiting_reason(pod) in refused, what="says that it cannot pull")


def test_a_part_that_the_image_does_not_have(space: Space, content: str) -> None:
    space.run("part", container=mounted({"subPath": "no/such"}), volumes=volumes(content))
    space.until(
        "part", lambda pod: pods.waiting_reason(pod) == "CreateContainerError", what="cannot be created"
    )
