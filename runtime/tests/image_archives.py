"""Small image archives for tests, in both formats."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from runtime.images.archived_images import own_platform
from runtime.images.pause import docker_archive

BUSYBOX = Path("/bin/busybox")


def tar(files: dict[str, bytes], *, mode: int = 0o755) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def docker_image(name: str, *, files: dict[str, bytes] | None = None, **config: Any) -> bytes:
    """An archive as `docker save` writes; with busybox unless other files are given."""
    layer = tar(files if files is not None else {"bin/busybox": BUSYBOX.read_bytes()})
    return docker_archive(name, layer=layer, config={"Cmd": ["/bin/busybox", "sh"], **config})


def oci_entries(
    name: str | None, *, files: dict[str, bytes], platforms: tuple[str, ...] = (own_platform(),)
) -> dict[str, bytes]:
    """The files of an OCI layout with one image, named by the standard annotation; with several platforms
    (`linux/amd64`) under an index.
    """
    entries: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    made = [_oci_manifest(entries, files, platform) for platform in platforms]
    descriptor = made[0]
    if len(made) > 1:
        index = {"schemaVersion": 2, "manifests": made}
        descriptor = _blob(entries, json.dumps(index).encode(), "index.v1+json")
    if name is not None:
        descriptor["annotations"] = {"org.opencontainers.image.ref.name": name}
    entries["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [descriptor]}).encode()
    return entries


def _oci_manifest(entries: dict[str, bytes], files: dict[str, bytes], platform: str) -> dict[str, Any]:
    layer = tar({**files, "platform": platform.encode()})
    diff_id = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    os, architecture = platform.split("/")
    config = {"architecture": architecture, "os": os, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    packed = gzip.compress(layer, mtime=0)
    manifest = {
        "schemaVersion": 2,
        "config": _blob(entries, json.dumps(config).encode(), "config.v1+json"),
        "layers": [_blob(entries, packed, "layer.v1.tar+gzip")],
    }
    described = _blob(entries, json.dumps(manifest).encode(), "manifest.v1+json")
    return {**described, "platform": {"architecture": architecture, "os": os}}


def _blob(entries: dict[str, bytes], content: bytes, kind: str) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    entries[f"blobs/sha256/{digest}"] = content
    media_type = f"application/vnd.oci.image.{kind}"
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}
