"""Image archives: what they hold, and what is said of bad ones."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from runtime.errors import ImageArchiveError
from runtime.images.archived_images import own_platform, read_images
from runtime.images.layout import layout
from runtime.tests.image_archives import docker_image, oci_entries, tar

FILES = {"hello": b"world" * 1000}


def stored(directory: Path, content: bytes) -> Path:
    path = directory / "image.tar"
    path.write_bytes(content)
    return path


def test_a_docker_archive_gives_full_names_and_the_config_digest(tmp_path: Path) -> None:
    (image,) = read_images(stored(tmp_path, docker_image("hello:1", files=FILES)))
    assert image.name == "docker.io/library/hello:1"
    assert image.id.startswith("sha256:")


def test_an_oci_archive_is_read(tmp_path: Path) -> None:
    (image,) = read_images(stored(tmp_path, tar(oci_entries("localhost/x:2", files=FILES))))
    assert image.name == "localhost/x:2"


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\x00" * 2048, b"\x1f\x8b" + b"garbage" * 100, json.dumps({}).encode()],
    ids=["empty", "text", "zeros", "bad gzip", "json"],
)
def test_garbage_is_no_archive(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ImageArchiveError):
        read_images(stored(tmp_path, content))


def test_another_tar_is_no_image_archive(tmp_path: Path) -> None:
    with pytest.raises(ImageArchiveError, match="neither oci-layout nor manifest"):
        read_images(stored(tmp_path, tar({"etc/passwd": b"x"})))


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_a_truncated_archive_is_told_as_such(tmp_path: Path, part: float) -> None:
    whole = docker_image("hello:1", files={"big": bytes(100_000)})
    with pytest.raises(ImageArchiveError, match=r"cut off|incomplete"):
        read_images(stored(tmp_path, whole[: int(len(whole) * part)]))


def test_a_changed_blob_is_noticed(tmp_path: Path) -> None:
    entries = oci_entries("x:1", files=FILES)
    blob = max(entries, key=lambda name: len(entries[name]))
    entries[blob] = gzip.compress(b"something else")
    with pytest.raises(ImageArchiveError, match="another content"):
        read_images(stored(tmp_path, tar(entries)))


def test_a_missing_blob_is_noticed(tmp_path: Path) -> None:
    entries = oci_entries("x:1", files=FILES)
    del entries[max(entries, key=lambda name: len(entries[name]))]
    with pytest.raises(ImageArchiveError, match="incomplete"):
        read_images(stored(tmp_path, tar(entries)))


def test_an_image_may_have_no_name(tmp_path: Path) -> None:
    assert [each.name for each in read_images(stored(tmp_path, tar(oci_entries(None, files=FILES))))] == [""]


def test_of_several_platforms_ours_is_taken(tmp_path: Path) -> None:
    for platforms in [("linux/mips", own_platform()), (own_platform(), "linux/mips")]:
        entries = oci_entries("x:1", files=FILES, platforms=platforms)
        (image,) = read_images(stored(tmp_path, tar(entries)))
        config = entries[f"blobs/{image.id.replace(':', '/')}"]
        assert json.loads(config)["architecture"] == own_platform().split("/")[1]


def test_the_parts_of_other_platforms_may_be_missing(tmp_path: Path) -> None:
    whole = oci_entries("x:1", files=FILES, platforms=("linux/mips", own_platform()))
    ours = read_images(stored(tmp_path, tar(whole)))[0]
    needed = {f"blobs/{each.digest.replace(':', '/')}" for each in ours.blobs}
    needed |= {name for name, content in whole.items() if content == ours.manifest or b"manifests" in content}
    kept = {name: content for name, content in whole.items() if name in needed | {"oci-layout"}}
    assert len(kept) < len(whole)
    assert read_images(stored(tmp_path, tar(kept)))[0].id == ours.id


@pytest.mark.parametrize("platforms", [("linux/mips",), ("linux/mips", "windows/amd64")])
def test_an_image_for_others_only_is_refused(tmp_path: Path, platforms: tuple[str, ...]) -> None:
    entries = oci_entries("x:1", files=FILES, platforms=platforms)
    with pytest.raises(ImageArchiveError, match=f"is for {' and '.join(platforms)}, and this node is"):
        read_images(stored(tmp_path, tar(entries)))


def test_a_layer_that_is_not_what_the_configuration_says_is_noticed(tmp_path: Path) -> None:
    parts = _parts(docker_image("x:1", files=FILES))
    parts["layer.tar"] = tar({"hello": b"earth"})
    with pytest.raises(ImageArchiveError, match="do not belong together"):
        read_images(stored(tmp_path, tar(parts)))


def test_a_layer_that_the_node_has_may_be_missing(tmp_path: Path) -> None:
    entries = oci_entries("x:1", files=FILES)
    layer = read_images(stored(tmp_path, tar(entries)))[0].blobs[1].digest
    rest = {name: content for name, content in entries.items() if name[-64:] != layer[-64:]}
    (image,) = read_images(stored(tmp_path, tar(rest)), lambda digest: digest == layer)
    assert [each.digest for each in image.blobs] == [image.id]


def test_only_what_is_missing_is_handed_on(tmp_path: Path) -> None:
    archive = stored(tmp_path, docker_image("x:1", files=FILES))
    (image,) = read_images(archive)
    layer = image.blobs[1].digest
    whole = b"".join(layout(archive, [("a.test/x:1", image)], lambda _: False))
    rest = b"".join(layout(archive, [("a.test/x:1", image)], lambda digest: digest == layer))
    assert set(_parts(whole)) - set(_parts(rest)) == {f"blobs/{layer.replace(':', '/')}"}
    (again,) = read_images(stored(tmp_path, whole))
    assert (again.name, again.id) == ("a.test/x:1", image.id)


def _parts(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return {
            each.name: file.read()
            for each in opened
            for file in [opened.extractfile(each)]
            if file is not None
        }


@pytest.mark.parametrize("manifest", [b"[]", b"{}", b"[1]", b'[{"Config": "x"}]', b"nonsense"])
def test_a_senseless_manifest_is_refused(tmp_path: Path, manifest: bytes) -> None:
    with pytest.raises(ImageArchiveError):
        read_images(stored(tmp_path, tar({"manifest.json": manifest})))
