"""Small image archives for tests, in both formats."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

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


def oci_entries(name: str | None, *, files: dict[str, bytes]) -> dict[str, bytes]:
    """The files of an OCI layout with one image, named by the standard annotation."""
    layer = tar(files)
    entries: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}

    def blob(content: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        entries[f"blobs/sha256/{digest}"] = content
        media_type = f"application/vnd.oci.image.{kind}"
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    diff_id = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    manifest = {
        "schemaVersion": 2,
        "config": blob(json.dumps(config).encode(), "config.v1+json"),
        "layers": [blob(layer, "layer.v1.tar")],
    }
    descriptor = blob(json.dumps(manifest).encode(), "manifest.v1+json")
    if name is not None:
        descriptor["annotations"] = {"org.opencontainers.image.ref.name": name}
    entries["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [descriptor]}).encode()
    return entries
