"""Writes an OCI layout as a tar: what containerd lacks of images, under the names that they are to have.

Not here: who reads it (`load`).
"""

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from runtime.images.archive import ArchivedFile
from runtime.images.archived_images import ArchivedImage

_CHUNK = 1024 * 1024


def layout(
    archive: Path, images: Sequence[tuple[str, ArchivedImage]], present: Callable[[str], bool]
) -> Iterator[bytes]:
    """The pieces of a tar. `images` are pairs of a name and what is to bear it; a blob that is `present` is
    left out.
    """
    manifests = {_digest(image.manifest): image.manifest for _, image in images}
    blobs = {blob.digest: blob for _, image in images for blob in image.blobs}
    index = {"schemaVersion": 2, "manifests": [_descriptor(name, image) for name, image in images]}
    yield from _small("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    for digest, manifest in manifests.items():
        yield from _small(_path(digest), manifest)
    with archive.open("rb") as file:
        configs = {image.id for _, image in images}
        for digest, blob in blobs.items():
            if digest in configs or not present(digest):
                yield from _copied(file, blob)
    yield from _small("index.json", json.dumps(index).encode())
    yield bytes(2 * tarfile.BLOCKSIZE)


def _descriptor(name: str, image: ArchivedImage) -> dict[str, object]:
    return {
        "mediaType": image.manifest_type,
        "digest": _digest(image.manifest),
        "size": len(image.manifest),
        "annotations": {"io.containerd.image.name": name},
    }


def manifest_digest(image: ArchivedImage) -> str:
    return _digest(image.manifest)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _small(path: str, content: bytes) -> Iterator[bytes]:
    yield _header(path, len(content))
    yield content + _padding(len(content))


def _copied(file: IO[bytes], blob: ArchivedFile) -> Iterator[bytes]:
    yield _header(_path(blob.digest), blob.size)
    file.seek(blob.offset)
    left = blob.size
    while left:
        piece = file.read(min(left, _CHUNK))
        if not piece:
            raise OSError("the archive has become shorter")
        left -= len(piece)
        yield piece
    yield _padding(blob.size)


def _header(path: str, size: int) -> bytes:
    entry = tarfile.TarInfo(path)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
