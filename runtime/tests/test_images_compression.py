"""Compressed image archives: what containerd gets to see of them."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.errors import ImageArchiveError
from runtime.images.compression import unpacked
from runtime.images.decompression import decompressor


def zstd(data: bytes) -> bytes:
    """In a frame of raw blocks, or of runs of one byte: that needs no compressor."""
    header = b"\x28\xb5\x2f\xfd" + bytes([0x00, 0x58])  # no sizes; a window of 2 MiB
    blocks = [data[at : at + 65536] for at in range(0, len(data), 65536)] or [b""]
    packed = b""
    for at, block in enumerate(blocks):
        last, is_run = at == len(blocks) - 1, len(set(block)) == 1
        size = len(block) << 3 | (2 if is_run else 0) | last
        packed += size.to_bytes(3, "little") + (block[:1] if is_run else block)
    return header + packed


CONTENT = b"an archive" * 100_000


def stored(directory: Path, content: bytes) -> Path:
    path = directory / "image.tar"
    path.write_bytes(content)
    return path


def test_a_plain_archive_is_taken_as_it_is(tmp_path: Path) -> None:
    archive = stored(tmp_path, CONTENT)
    with unpacked(archive, tmp_path) as plain:
        assert plain == archive


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_a_compressed_archive_is_unpacked_for_a_while(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    archive = stored(tmp_path, compress(CONTENT))
    with unpacked(archive, tmp_path) as plain:
        assert plain.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:20] + b"?" * 40 + data[60:]])
def test_a_damaged_one_is_told_as_such(
    tmp_path: Path, compress: Callable[[bytes], bytes], damage: Callable[[bytes], bytes]
) -> None:
    archive = stored(tmp_path, damage(compress(CONTENT)))
    with pytest.raises(ImageArchiveError, match="cut off or damaged"), unpacked(archive, tmp_path):
        pass


def test_one_that_is_cut_off_is_told_as_such_with_zstd_too(tmp_path: Path) -> None:
    for damaged in (zstd(CONTENT)[:-20], zstd(CONTENT)[:100_000], zstd(b"x")[:5] + b"\xff" * 99):
        archive = stored(tmp_path, damaged)
        with pytest.raises(ImageArchiveError, match="cut off or damaged"), unpacked(archive, tmp_path):
            pass


def test_a_copy_that_leaves_no_room_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = stored(tmp_path, gzip.compress(CONTENT))
    monkeypatch.setattr("runtime.images.compression._LEAVE_FREE", 1 << 60)
    with pytest.raises(ImageArchiveError, match="too large"), unpacked(archive, tmp_path):
        pass
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_streams_may_follow_each_other(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    archive = stored(tmp_path, compress(CONTENT) + compress(b"more"))
    with unpacked(archive, tmp_path) as plain:
        assert plain.read_bytes() == CONTENT + b"more"


def test_what_is_packed_well_comes_in_bounded_pieces() -> None:
    for compress in (gzip.compress, bz2.compress, lzma.compress, zstd):
        data = compress(bytes(20_000_000))
        opened = decompressor(data)
        assert opened is not None
        sizes = [len(piece) for piece in opened.feed(data)]
        assert sum(sizes) == 20_000_000
        assert max(sizes) <= 1024 * 1024
        assert opened.finished
