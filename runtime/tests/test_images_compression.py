"""Compressed image archives: what containerd gets to see of them."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.errors import ImageArchiveError
from runtime.images.compression import unpacked

CONTENT = b"an archive" * 100_000


def stored(directory: Path, content: bytes) -> Path:
    path = directory / "image.tar"
    path.write_bytes(content)
    return path


def test_a_plain_archive_is_taken_as_it_is(tmp_path: Path) -> None:
    archive = stored(tmp_path, CONTENT)
    with unpacked(archive) as plain:
        assert plain == archive


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_archive_is_unpacked_for_a_while(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    archive = stored(tmp_path, compress(CONTENT))
    with unpacked(archive) as plain:
        assert plain.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:20] + b"?" * 40 + data[60:]])
def test_a_damaged_one_is_told_as_such(
    tmp_path: Path, compress: Callable[[bytes], bytes], damage: Callable[[bytes], bytes]
) -> None:
    archive = stored(tmp_path, damage(compress(CONTENT)))
    with pytest.raises(ImageArchiveError, match="cut off or damaged"), unpacked(archive):
        pass


def test_an_unknown_compression_is_named(tmp_path: Path) -> None:
    archive = stored(tmp_path, b"\x28\xb5\x2f\xfd" + CONTENT)
    with pytest.raises(ImageArchiveError, match="zstd"), unpacked(archive):
        pass
