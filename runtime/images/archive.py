"""Reads a tar of an image archive once: where its files are, their digests, the contents of the small ones.

Not here: what the files mean (`archived_images`), compression of the archive as a whole (`compression`).
"""

import hashlib
import json
import posixpath
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.errors import ImageArchiveError
from runtime.images.decompression import DecompressionError, Decompressor, decompressor

_KEEP = 4 * 1024 * 1024  # bytes: manifests and configurations are smaller, layers are not read into memory
_CHUNK = 1024 * 1024
_MOST_FILES = 100_000
_MOST_LINKS = 8


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """`diff_id` is the digest of what is in it when it is unpacked; its own when it is not compressed."""

    offset: int
    size: int
    digest: str
    diff_id: str


@dataclass(slots=True)
class Entries:
    files: dict[str, ArchivedFile] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def __contains__(self, path: str) -> bool:
        return self._resolved(path) in self.files

    def file(self, path: str) -> ArchivedFile:
        """Raises: ImageArchiveError: it is missing."""
        found = self.files.get(self._resolved(path))
        if found is None:
            raise ImageArchiveError(f"the archive is incomplete: {path} is missing")
        return found

    def content(self, path: str) -> bytes:
        if self.file(path).size > _KEEP:
            raise ImageArchiveError(f"the archive is damaged: {path} is larger than {_KEEP >> 20} MiB")
        return self.contents[self._resolved(path)]

    def document(self, path: str) -> Any:
        try:
            return json.loads(self.content(path))
        except (ValueError, RecursionError) as error:
            raise ImageArchiveError(f"the archive is damaged: {path} is not JSON") from error

    def _resolved(self, path: str) -> str:
        path = posixpath.normpath(path)
        for _ in range(_MOST_LINKS):
            if path not in self.links:
                break
            path = self.links[path]
        return path


def read_entries(path: Path) -> Entries:
    """All files of a plain tar.

    Raises:
        ImageArchiveError: it is none, cut off, or damaged.
    """
    entries = Entries()
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                _read_member(archive, member, entries)
                if len(entries.files) > _MOST_FILES:
                    raise ImageArchiveError(f"the archive has more than {_MOST_FILES} files")
                archive.members = []  # type: ignore[attr-defined]  # it would remember them all
    except tarfile.ReadError as error:
        if entries.files:
            raise ImageArchiveError("the archive is cut off or damaged") from error
        raise ImageArchiveError("not an image archive: it is not a tar file") from error
    except OSError as error:
        raise ImageArchiveError(f"the archive cannot be read: {error}") from error
    return entries


def _read_member(archive: tarfile.TarFile, member: tarfile.TarInfo, entries: Entries) -> None:
    name = posixpath.normpath(member.name)
    if member.issym() or member.islnk():
        base = posixpath.dirname(name) if member.issym() else ""
        entries.links[name] = posixpath.normpath(posixpath.join(base, member.linkname))
    stream = archive.extractfile(member) if member.isreg() else None
    if stream is None:
        return
    digest, size, kept, inner = hashlib.sha256(), 0, bytearray(), _Inner(name)
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        inner.feed(chunk)
        size += len(chunk)
        if member.size <= _KEEP:
            kept += chunk
    if size != member.size:
        raise ImageArchiveError("the archive is cut off or damaged")
    own = f"sha256:{digest.hexdigest()}"
    entries.files[name] = ArchivedFile(member.offset_data, size, own, inner.digest() or own)
    if member.size <= _KEEP:
        entries.contents[name] = bytes(kept)


class _Inner:
    """The digest of what a compressed file holds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._digest = hashlib.sha256()
        self._decompressor: Decompressor | None = None
        self._begun = False

    def feed(self, chunk: bytes) -> None:
        try:
            if not self._begun:
                self._begun, self._decompressor = True, decompressor(chunk)
            if self._decompressor is None:
                return
            for piece in self._decompressor.feed(chunk):
                self._digest.update(piece)
        except DecompressionError as error:
            raise ImageArchiveError(f"the archive is damaged: {self._name}: {error}") from error

    def digest(self) -> str:
        """Empty of what is not compressed."""
        if self._decompressor is None:
            return ""
        if not self._decompressor.finished:
            raise ImageArchiveError(f"the archive is damaged: {self._name} is cut off")
        return f"sha256:{self._digest.hexdigest()}"
