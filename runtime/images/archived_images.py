"""What images an archive holds - of `docker save`, or an OCI layout - and whether they are whole.

Of an image for several platforms only the node's own part is taken. Every digest is checked: of manifests,
configurations, layers, and of what is in the layers. Not here: reading the tar (`archive`).
"""

import json
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import ImageArchiveError
from runtime.images.archive import ArchivedFile, Entries, read_entries
from runtime.images.reference import normalized

ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_DEEPEST = 4
"""Indexes within indexes."""

Present = Callable[[str], bool]
"""Whether the node has the blob of a digest already."""


def own_platform() -> str:
    return f"linux/{ARCHITECTURES.get(platform.machine(), platform.machine())}"


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    name: str
    """In full; empty where the archive gives none."""
    id: str
    """The digest of its configuration, which is what CRI calls it by."""
    manifest: bytes
    manifest_type: str
    blobs: tuple[ArchivedFile, ...]
    """Configuration and layers, but for layers that the archive leaves out because the node has them."""


def read_images(path: Path, present: Present = lambda _: False) -> list[ArchivedImage]:
    """The images in a plain archive, all of whose parts have been read and checked.

    Raises:
        ImageArchiveError: not an archive, cut off, damaged, or for other platforms only.
    """
    entries = read_entries(path)
    try:
        if "oci-layout" in entries:  # newer `docker save` writes both forms
            return list(_oci_images(entries, present))
        if "manifest.json" in entries:
            return list(_docker_images(entries))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ImageArchiveError("the archive is damaged: it does not describe images") from error
    raise ImageArchiveError("not an image archive: it has neither oci-layout nor manifest.json")


def _docker_images(entries: Entries) -> Iterator[ArchivedImage]:
    for item in _items(entries.document("manifest.json")):
        config = entries.document(item["Config"])
        layers = [entries.file(layer) for layer in item["Layers"]]
        _check_layers([each.diff_id for each in layers], config)
        named = [normalized(tag) for tag in item.get("RepoTags") or []]
        _require_platform(_platform(config), ", ".join(named))
        file = entries.file(item["Config"])
        manifest = _manifest(file, layers)
        for name in named or [""]:
            yield ArchivedImage(name, file.digest, manifest, _MANIFEST, (file, *layers))


def _items(manifest: Any) -> list[dict[str, Any]]:
    good = isinstance(manifest, list) and all(
        isinstance(item, dict) and "Config" in item and isinstance(item.get("Layers"), list)
        for item in manifest
    )
    if not good or not manifest:
        raise ImageArchiveError("the archive is damaged: manifest.json does not describe images")
    return list(manifest)


def _manifest(config: ArchivedFile, layers: list[ArchivedFile]) -> bytes:
    """A manifest in OCI's form for what `docker save` wrote in its own."""
    described = [_descriptor(_layer_type(each), each) for each in layers]
    document = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _descriptor(_CONFIG, config),
        "layers": described,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _layer_type(layer: ArchivedFile) -> str:
    return _LAYER if layer.digest == layer.diff_id else f"{_LAYER}+gzip"


def _descriptor(kind: str, file: ArchivedFile) -> dict[str, Any]:
    return {"mediaType": kind, "digest": file.digest, "size": file.size}


def _oci_images(entries: Entries, present: Present) -> Iterator[ArchivedImage]:
    descriptors = _manifests(entries.document("index.json"))
    found: dict[str, list[dict[str, Any]]] = {}
    for descriptor in descriptors:
        found.setdefault(_name(descriptor), []).append(descriptor)
    if not found:
        raise ImageArchiveError("the archive is empty: index.json lists no images")
    for name, candidates in found.items():
        ours = [
            each
            for each in candidates
            if each.get("annotations", {}).get("vnd.docker.reference.type") is None
        ]
        for chosen in _chosen(entries, ours, name, several=not name):
            yield _oci_image(entries, chosen, name, present)


def _name(descriptor: dict[str, Any]) -> str:
    notes = descriptor.get("annotations") or {}
    written = notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name")
    return normalized(written) if written else ""


def _manifests(index: Any) -> list[dict[str, Any]]:
    manifests = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(manifests, list) or not all(isinstance(item, dict) for item in manifests):
        raise ImageArchiveError("the archive is damaged: index.json does not list manifests")
    return manifests


def _chosen(
    entries: Entries, candidates: list[dict[str, Any]], name: str, *, several: bool
) -> list[dict[str, Any]]:
    """The manifests for this node's platform: of a name the first one, without names all."""
    leaves = [leaf for each in candidates for leaf in _leaves(entries, each, 0)]
    offered = {_platform_of(entries, leaf): leaf for leaf in reversed(leaves)}
    ours = [leaf for leaf in leaves if _is_own(_platform_of(entries, leaf))]
    if not ours:
        _require_platform(" and ".join(sorted(offered)) or "no platform", name)
    return ours if several else ours[:1]


def _leaves(entries: Entries, descriptor: dict[str, Any], depth: int) -> Iterator[dict[str, Any]]:
    """The manifests below a descriptor; those of other platforms may have been left out."""
    path = _blob_path(descriptor)
    if depth and path not in entries:
        return
    _check_blob(entries, descriptor)
    document = entries.document(path)
    if descriptor.get("mediaType") not in _INDEX_TYPES and "manifests" not in document:
        yield descriptor
        return
    if depth >= _DEEPEST:
        raise ImageArchiveError("the archive is damaged: its indexes are nested too deeply")
    below = [leaf for each in _manifests(document) for leaf in _leaves(entries, each, depth + 1)]
    if not below:
        raise ImageArchiveError("the archive is incomplete: the manifests of its index are missing")
    yield from below


def _platform_of(entries: Entries, descriptor: dict[str, Any]) -> str:
    given = descriptor.get("platform")
    if given:
        return _platform(given)
    config = entries.document(_blob_path(descriptor))["config"]
    return _platform(entries.document(_blob_path(config)))


def _platform(described: dict[str, Any]) -> str:
    """As `linux/arm/v7`; what says nothing is taken for the node's own."""
    if not described.get("architecture"):
        return own_platform()
    variant = f"/{described['variant']}" if described.get("variant") else ""
    return f"{described.get('os') or 'linux'}/{described['architecture']}{variant}"


def _is_own(offered: str) -> bool:
    return offered == own_platform() or offered.startswith(f"{own_platform()}/")


def _require_platform(offered: str, name: str) -> None:
    if not _is_own(offered):
        image = f"the image {name}" if name else "the image"
        raise ImageArchiveError(f"{image} is for {offered}, and this node is {own_platform()}")


def _oci_image(entries: Entries, descriptor: dict[str, Any], name: str, present: Present) -> ArchivedImage:
    content = entries.content(_blob_path(descriptor))
    document = json.loads(content)
    config = _check_blob(entries, document["config"])
    layers = [
        _check_blob(entries, layer)
        for layer in document.get("layers", [])
        if _blob_path(layer) in entries or not present(layer["digest"])
    ]
    if len(layers) == len(document.get("layers", [])):
        _check_layers([each.diff_id for each in layers], entries.document(_blob_path(document["config"])))
    kind = descriptor.get("mediaType") or _MANIFEST
    return ArchivedImage(name, config.digest, content, kind, (config, *layers))


def _check_layers(diff_ids: list[str], config: dict[str, Any]) -> None:
    wanted = (config.get("rootfs") or {}).get("diff_ids") or []
    if diff_ids != wanted:
        raise ImageArchiveError("the archive is damaged: layers and configuration do not belong together")


def _blob_path(descriptor: dict[str, Any]) -> str:
    algorithm, _, encoded = str(descriptor.get("digest", "")).partition(":")
    return f"blobs/{algorithm}/{encoded}"


def _check_blob(entries: Entries, descriptor: dict[str, Any]) -> ArchivedFile:
    path = _blob_path(descriptor)
    found = entries.file(path)
    if found.digest != descriptor["digest"]:
        raise ImageArchiveError(f"the archive is damaged: {path} has another content than its name says")
    return found
