"""Image archives: what they hold, and what is said of bad ones."""

import gzip
import json
from pathlib import Path

import pytest

from runtime.errors import ImageArchiveError
from runtime.images.archive import read_archive
from runtime.tests.image_archives import docker_image, oci_entries, tar

FILES = {"hello": b"world" * 1000}


def stored(directory: Path, content: bytes) -> Path:
    path = directory / "image.tar"
    path.write_bytes(content)
    return path


def test_a_docker_archive_gives_full_names_and_the_config_digest(tmp_path: Path) -> None:
    (image,) = read_archive(stored(tmp_path, docker_image("hello:1", files=FILES)))
    assert image.name == "docker.io/library/hello:1"
    assert all(id_.startswith("sha256:") for id_ in image.ids)


def test_a_compressed_archive_is_read(tmp_path: Path) -> None:
    (image,) = read_archive(stored(tmp_path, gzip.compress(docker_image("a.example/x:1", files=FILES))))
    assert image.name == "a.example/x:1"


def test_an_oci_archive_is_read(tmp_path: Path) -> None:
    (image,) = read_archive(stored(tmp_path, tar(oci_entries("localhost/x:2", files=FILES))))
    assert (image.name, image.written) == ("localhost/x:2", "localhost/x:2")


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\x00" * 2048, b"\x1f\x8b" + b"garbage" * 100, json.dumps({}).encode()],
    ids=["empty", "text", "zeros", "bad gzip", "json"],
)
def test_garbage_is_no_archive(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ImageArchiveError):
        read_archive(stored(tmp_path, content))


def test_another_tar_is_no_image_archive(tmp_path: Path) -> None:
    with pytest.raises(ImageArchiveError, match="neither oci-layout nor manifest"):
        read_archive(stored(tmp_path, tar({"etc/passwd": b"x"})))


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_a_truncated_archive_is_told_as_such(tmp_path: Path, part: float) -> None:
    whole = docker_image("hello:1", files={"big": bytes(100_000)})
    with pytest.raises(ImageArchiveError, match=r"cut off|incomplete"):
        read_archive(stored(tmp_path, whole[: int(len(whole) * part)]))


def test_a_truncated_compressed_archive_is_told_as_such(tmp_path: Path) -> None:
    whole = gzip.compress(docker_image("hello:1", files=FILES))
    with pytest.raises(ImageArchiveError):
        read_archive(stored(tmp_path, whole[: len(whole) // 2]))


def test_a_changed_blob_is_noticed(tmp_path: Path) -> None:
    entries = oci_entries("x:1", files=FILES)
    blob = max(entries, key=lambda name: len(entries[name]))
    entries[blob] = entries[blob].replace(b"world", b"earth")
    with pytest.raises(ImageArchiveError, match="another content"):
        read_archive(stored(tmp_path, tar(entries)))


def test_a_missing_blob_is_noticed(tmp_path: Path) -> None:
    entries = oci_entries("x:1", files=FILES)
    del entries[max(entries, key=lambda name: len(entries[name]))]
    with pytest.raises(ImageArchiveError, match="incomplete"):
        read_archive(stored(tmp_path, tar(entries)))


def test_an_image_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageArchiveError, match="no name"):
        read_archive(stored(tmp_path, tar(oci_entries(None, files=FILES))))


@pytest.mark.parametrize("manifest", [b"[]", b"{}", b"[1]", b'[{"Config": "x"}]', b"nonsense"])
def test_a_senseless_manifest_is_refused(tmp_path: Path, manifest: bytes) -> None:
    with pytest.raises(ImageArchiveError):
        read_archive(stored(tmp_path, tar({"manifest.json": manifest})))
