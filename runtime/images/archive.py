"""Reads image archives - `docker save` and OCI layout tars, also compressed - and checks them wholly.

Responsible for saying what an archive holds, or in one sentence what is wrong with it. Not responsible for
importing it.
"""

import hashlib
import json
import lzma
import posixpath
import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.errors import ImageArchiveError
from runtime.images.reference import normalized

_KEEP = 4 * 1024 * 1024  # bytes: manifests and configurations are smaller, layers are not read into memory
_CHUNK = 1024 * 1024
_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """An image of an archive. `ids` are the digests of its configurations (several: one per platform).

    `written` is the name as the archive has it, `name` the full form.
    """

    name: str
    ids: frozenset[str]
    written: str


@dataclass(slots=True)
class _Entries:
    """What was found in the tar: digests of all files, contents of the small ones."""

    digests: dict[str, str] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def digest(self, path: str) -> str:
        path = self._resolved(path)
        if path not in self.digests:
            raise ImageArchiveError(f"the archive is incomplete: {path} is missing")
        return self.digests[path]

    def document(self, path: str) -> Any:
        self.digest(path)
        try:
            return json.loads(self.contents[self._resolved(path)])
        except (KeyError, ValueError) as error:
            raise ImageArchiveError(f"the archive is damaged: {path} is not JSON") from error

    def _resolved(self, path: str) -> str:
        path = posixpath.normpath(path)
        for _ in range(8):
            if path not in self.links:
                break
            path = self.links[path]
        return path


def read_archive(path: Path) -> list[ArchivedImage]:
    """The images in an archive, all of whose parts have been read and checked.

    Raises ImageArchiveError: not an archive, cut off, damaged, or without a name for any image.
    """
    entries = _read_entries(path)
    if "oci-layout" in entries.digests:  # newer `docker save` writes both forms; importers prefer this one
        images = _oci_images(entries)
    elif "manifest.json" in entries.digests:
        images = _docker_images(entries)
    else:
        raise ImageArchiveError("not an image archive: it has neither oci-layout nor manifest.json")
    if not images:
        raise ImageArchiveError("the archive gives its image no name: save it by name and tag, not by id")
    return images


def _read_entries(path: Path) -> _Entries:
    entries = _Entries()
    try:
        with tarfile.open(path, mode="r|*") as archive:
            for member in archive:
                _read_member(archive, member, entries)
    except tarfile.ReadError as error:
        if entries.digests:
            raise ImageArchiveError("the archive is cut off or damaged") from error
        raise ImageArchiveError("not an image archive: it is not a tar file") from error
    except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        raise ImageArchiveError(f"the archive cannot be read: {error}") from error
    return entries


def _read_member(archive: tarfile.TarFile, member: tarfile.TarInfo, entries: _Entries) -> None:
    name = posixpath.normpath(member.name)
    if member.issym() or member.islnk():
        base = posixpath.dirname(name) if member.issym() else ""
        entries.links[name] = posixpath.normpath(posixpath.join(base, member.linkname))
    stream = archive.extractfile(member) if member.isreg() else None
    if stream is None:
        return
    digest, size, kept = hashlib.sha256(), 0, bytearray()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if member.size <= _KEEP:
            kept += chunk
    if size != member.size:
        raise ImageArchiveError("the archive is cut off or damaged")
    entries.digests[name] = f"sha256:{digest.hexdigest()}"
    if member.size <= _KEEP:
        entries.contents[name] = bytes(kept)


def _docker_images(entries: _Entries) -> list[ArchivedImage]:
    images = []
    for item in _items(entries.document("manifest.json"), "manifest.json"):
        config = entries.document(item["Config"])
        layers = [entries.digest(layer) for layer in item["Layers"]]
        wanted = config.get("rootfs", {}).get("diff_ids", [])
        if len(layers) != len(wanted):
            raise ImageArchiveError("the archive is damaged: layers and configuration do not belong together")
        ids = frozenset([entries.digest(item["Config"])])
        images += [ArchivedImage(normalized(tag), ids, normalized(tag)) for tag in item.get("RepoTags") or []]
    return images


def _items(manifest: Any, path: str) -> list[dict[str, Any]]:
    good = isinstance(manifest, list) and all(
        isinstance(item, dict) and "Config" in item and isinstance(item.get("Layers"), list)
        for item in manifest
    )
    if not good:
        raise ImageArchiveError(f"the archive is damaged: {path} does not describe images")
    return list(manifest)


def _oci_images(entries: _Entries) -> list[ArchivedImage]:
    images = []
    for descriptor in _manifests(entries.document("index.json")):
        ids = frozenset(_config_ids(entries, descriptor))
        notes = descriptor.get("annotations") or {}
        written = notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name")
        if written:
            images.append(ArchivedImage(normalized(written), ids, written))
    return images


def _manifests(index: Any) -> list[dict[str, Any]]:
    manifests = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(manifests, list) or not all(isinstance(item, dict) for item in manifests):
        raise ImageArchiveError("the archive is damaged: index.json does not list manifests")
    return manifests


def _config_ids(entries: _Entries, descriptor: dict[str, Any]) -> list[str]:
    """Digests of the configurations below a manifest or index; parts for other platforms may be absent."""
    path = _checked_blob(entries, descriptor)
    document = entries.document(path)
    if descriptor.get("mediaType") in _INDEX_TYPES or "manifests" in document:
        present = [m for m in _manifests(document) if _blob_path(m) in entries.digests]
        if not present:
            raise ImageArchiveError("the archive is incomplete: the manifests of its index are missing")
        return [id_ for manifest in present for id_ in _config_ids(entries, manifest)]
    for layer in document.get("layers", []):
        _checked_blob(entries, layer)
    _checked_blob(entries, document["config"])
    return [str(document["config"]["digest"])]


def _blob_path(descriptor: dict[str, Any]) -> str:
    algorithm, _, encoded = str(descriptor.get("digest", "")).partition(":")
    return f"blobs/{algorithm}/{encoded}"


def _checked_blob(entries: _Entries, descriptor: dict[str, Any]) -> str:
    path = _blob_path(descriptor)
    if entries.digest(path) != descriptor["digest"]:
        raise ImageArchiveError(f"the archive is damaged: {path} has another content than its name says")
    return path
