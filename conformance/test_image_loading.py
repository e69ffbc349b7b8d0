"""Images without a registry: archives that are loaded, and a folder of them that the node follows."""

import bz2
import gzip
import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import cluster as clusters
from conformance import pods, testimage
from conformance.cluster import Cluster
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")


@pytest.fixture(autouse=True)
def home(cluster: Cluster) -> Path:
    if not cluster.home:
        pytest.skip("images are loaded by the command of a cluster that we started")
    return cluster.home


def shows(space: Space, name: str, image: str) -> str:
    """What the image's marker says."""
    never = {"image": image, "imagePullPolicy": "Never"}
    return space.run_through(name, "cat /etc/marker", container=never)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress], ids=["gz", "bz2"])
def test_a_compressed_archive(
    space: Space, cluster: Cluster, tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    name = f"kubeling.test/{space.name}:1"
    (tmp_path / "packed").write_bytes(compress(testimage.build(marker=name).docker_archive(name)))
    assert cluster.kubeling("image", "load", str(tmp_path / "packed")) == f"Loaded {name}\n"
    assert shows(space, "loaded", name) == name


def test_an_image_layout_in_a_directory(space: Space, cluster: Cluster, tmp_path: Path) -> None:
    name = f"kubeling.test/{space.name}:1"
    archive = testimage.build(marker=name).oci_archive(name)
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        opened.extractall(tmp_path / "layout")
    assert cluster.kubeling("image", "load", str(tmp_path / "layout")) == f"Loaded {name}\n"
    assert shows(space, "loaded", name) == name


def test_of_several_platforms_the_nodes_own_is_taken(space: Space, cluster: Cluster, tmp_path: Path) -> None:
    """The parts for others may be missing, as tools leave them out that fetch one platform only."""
    name = f"kubeling.test/{space.name}:1"
    (tmp_path / "several").write_bytes(_with_a_foreign_platform(testimage.build(marker=name), name))
    assert cluster.kubeling("image", "load", str(tmp_path / "several")) == f"Loaded {name}\n"
    assert shows(space, "loaded", name) == name


def test_an_image_gets_the_name_that_is_wanted(space: Space, cluster: Cluster, tmp_path: Path) -> None:
    name = f"kubeling.test/{space.name}:1"
    (tmp_path / "image").write_bytes(testimage.build(marker=name).docker_archive("kubeling.test/other:1"))
    given = cluster.kubeling("image", "load", "--name", name, str(tmp_path / "image"))
    assert given == f"Loaded {name}\n"
    assert shows(space, "loaded", name) == name


def test_an_archive_that_is_bad_is_refused_and_leaves_nothing(
    space: Space, cluster: Cluster, tmp_path: Path
) -> None:
    name = f"kubeling.test/{space.name}:1"
    image = testimage.build(marker=name)
    whole = image.docker_archive(name)
    bad = {
        "cut off": whole[: len(whole) // 2],
        "not a tar file": b"something else" * 1000,
        "neither oci-layout nor manifest.json": testimage.layer_of({"a/file": b"x"}, {}),
        "do not belong together": replace(image, layers=testimage.build(marker="x").layers).docker_archive(
            name
        ),
        "another content than its name says": image.oci_archive(name).replace(
            b"kubeling's test", b"somebody's test"
        ),
    }
    for what, content in bad.items():
        (tmp_path / "bad").write_bytes(content)
        command = [*clusters.program(), "image", "load", str(tmp_path / "bad"), "--home", str(cluster.home)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode, what
        assert what in done.stderr
    assert name not in cluster.kubeling("image", "list")
    assert cluster.home is not None
    assert not any((cluster.home / "node" / "images").iterdir())


def test_archives_in_a_folder_are_imported(space: Space, home: Path) -> None:
    """A pod that waits for its image begins when it has come."""
    name = f"kubeling.test/{space.name}:1"
    space.run("waiting", "cat /etc/marker", container={"image": name, "imagePullPolicy": "Never"})
    refused = lambda pod: pods.waiting_reason(pod) == "ErrImageNeverPull"  # noqa: E731
    space.until("waiting", refused, what="waits for its image")
    archive, bad = home / "images" / f"{space.name}.tar.gz", home / "images" / f"{space.name}.tar"
    bad.write_bytes(b"no archive")
    archive.write_bytes(gzip.compress(testimage.build(marker=name).oci_archive(name), compresslevel=1))
    try:
        space.phase("waiting", "Succeeded")
        assert space.log("waiting") == name
        said = [f"Imported from {archive.name}: {name}", f"Failed to import images from {bad.name}: "]
        eventually(lambda: all(_told(space, each) for each in said), what="events on the node tell of it")
    finally:
        archive.unlink()
        bad.unlink()


def _told(space: Space, text: str) -> bool:
    events = space.rest.get("/api/v1/namespaces/default/events", fieldSelector="involvedObject.kind=Node")
    return any(event["message"].startswith(text) for event in events["items"])


def _with_a_foreign_platform(image: testimage.Image, name: str) -> bytes:
    """An OCI layout whose index also names a manifest for another platform, which is not in it."""
    with tarfile.open(fileobj=io.BytesIO(image.oci_archive(name))) as opened:
        files = {each.name: file.read() for each in opened if (file := opened.extractfile(each))}
    (own,) = json.loads(files["index.json"])["manifests"]
    foreign = {"mediaType": own["mediaType"], "digest": f"sha256:{'0' * 64}", "size": 1}
    manifests = [{**foreign, "platform": {"os": "linux", "architecture": "mips"}}, own]
    index = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()
    digest = testimage.digest(index)
    entry = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": digest,
        "size": len(index),
        "annotations": own.pop("annotations"),
    }
    files[f"blobs/{digest.replace(':', '/')}"] = index
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    return testimage.tar_of(files)
