"""A directory as a tar, piece by piece: an OCI layout need not be stored a second time to be sent."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

_CHUNK = 1024 * 1024


def of(directory: Path) -> Iterator[bytes]:
    """The tar of the files in the directory, as large as `size_of` says while nobody changes them."""
    for file in _files(directory):
        size = file.stat().st_size
        yield _header(directory, file, size)
        with file.open("rb") as opened:
            left = size
            while left and (piece := opened.read(min(left, _CHUNK))):
                left -= len(piece)
                yield piece
        if left:
            raise OSError(f"{file} has become shorter")
        yield bytes(-size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def size_of(directory: Path) -> int:
    total = 2 * tarfile.BLOCKSIZE
    for file in _files(directory):
        size = file.stat().st_size
        total += len(_header(directory, file, size)) + size + -size % tarfile.BLOCKSIZE
    return total


def _files(directory: Path) -> list[Path]:
    return sorted(file for file in directory.rglob("*") if file.is_file())


def _header(directory: Path, file: Path, size: int) -> bytes:
    entry = tarfile.TarInfo(str(file.relative_to(directory)))
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)
