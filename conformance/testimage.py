"""The test image: busybox and links to its applets, made here, the same bytes every time.

Not here: where it goes (`conformance.cluster` loads it, `conformance.image_registry` pushes it).
"""

import gzip
import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

NAME = "kubeling.test/busybox:1"
BUSYBOX = Path("/bin/busybox")
DIRECTORIES = ("bin", "etc", "root", "tmp", "var", "www")
FILES = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": b"root:x:0:\nnobody:x:65534:\nextra:x:7000:nobody\n",
}


@dataclass(frozen=True)
class Image:
    layers: tuple[bytes, ...]
    """gzip-compressed tars, the lowest first."""
    config: bytes

    @property
    def blobs(self) -> tuple[bytes, ...]:
        return (*self.layers, self.config)

    def with_layer(self, layer: bytes) -> "Image":
        """The image with one more layer, a plain tar, on top."""
        config = json.loads(self.config)
        config["rootfs"]["diff_ids"].append(digest(layer))
        config["history"].append(config["history"][0])
        packed = gzip.compress(layer, compresslevel=1, mtime=0)
        return replace(self, layers=(*self.layers, packed), config=_json(config))

    @property
    def manifest(self) -> bytes:
        kinds = (
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "application/vnd.docker.container.image.v1+json",
        )
        document = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": kinds[1], "size": len(self.config), "digest": digest(self.config)},
            "layers": [
                {"mediaType": kinds[0], "size": len(layer), "digest": digest(layer)} for layer in self.layers
            ],
        }
        return _json(document)

    def docker_archive(self, name: str) -> bytes:
        """What `docker save` writes."""
        layers = {f"layer{at}.tar": gzip.decompress(layer) for at, layer in enumerate(self.layers)}
        manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": list(layers)}]
        return tar_of({"manifest.json": _json(manifest), "config.json": self.config, **layers})

    def oci_archive(self, name: str) -> bytes:
        """An OCI image layout in a tar, as buildah and skopeo write it."""
        manifest = self.manifest.replace(b"vnd.docker.distribution.manifest.v2", b"vnd.oci.image.manifest.v1")
        manifest = manifest.replace(b"vnd.docker.container.image.v1", b"vnd.oci.image.config.v1")
        manifest = manifest.replace(
            b"vnd.docker.image.rootfs.diff.tar.gzip", b"vnd.oci.image.layer.v1.tar+gzip"
        )
        entry = {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest(manifest),
            "size": len(manifest),
            "annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name},
        }
        blobs = {f"blobs/sha256/{digest(blob)[7:]}": blob for blob in (manifest, *self.blobs)}
        index = {"schemaVersion": 2, "manifests": [entry]}
        return tar_of({"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": _json(index), **blobs})


def build(*, marker: str = "", entrypoint: tuple[str, ...] = (), user: str = "") -> Image:
    """`marker` becomes the contents of /etc/marker: images that differ."""
    layer = _layer({**FILES, "etc/marker": marker.encode()})
    config = {
        "created": "2026-01-01T00:00:00Z",
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {
            "User": user,
            "Env": ["PATH=/bin"],
            "Cmd": ["sh"],
            "Entrypoint": list(entrypoint),
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "kubeling's test suite"}],
    }
    return Image(layers=(gzip.compress(layer, compresslevel=1, mtime=0),), config=_json(config))


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def applets() -> list[str]:
    listed = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True, timeout=10)
    return sorted(set(listed.stdout.split()) - {"busybox"})


def _layer(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in DIRECTORIES:
            archive.addfile(_entry(name, kind=tarfile.DIRTYPE, mode=0o1777 if name == "tmp" else 0o755))
        _add(archive, "bin/busybox", BUSYBOX.read_bytes(), mode=0o755)
        for applet in applets():
            archive.addfile(_entry(f"bin/{applet}", kind=tarfile.SYMTYPE, mode=0o777, link="busybox"))
        for name, content in sorted(files.items()):
            _add(archive, name, content, mode=0o644)
    return buffer.getvalue()


def layer_of(programs: Mapping[str, bytes], links: Mapping[str, str]) -> bytes:
    """A plain tar of programs, and of symbolic links by their targets."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in programs.items():
            _add(archive, name, content, mode=0o755)
        for name, target in links.items():
            archive.addfile(_entry(name, kind=tarfile.SYMTYPE, mode=0o777, link=target))
    return buffer.getvalue()


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            _add(archive, name, content, mode=0o644)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, *, mode: int) -> None:
    entry = _entry(name, kind=tarfile.REGTYPE, mode=mode)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _entry(name: str, *, kind: bytes, mode: int, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname = kind, mode, link
    return entry


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
