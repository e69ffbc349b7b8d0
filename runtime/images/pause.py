"""The pause image: the process that holds a sandbox's namespaces, made here from the machine's busybox.

Nothing is ever pulled for it. Responsible for the archive's content; `runtime.images.load` imports it.
"""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from runtime.errors import MachineNotReady
from runtime.images.archived_images import ARCHITECTURES

PAUSE_IMAGE = "kubeling.local/pause:1"
BUSYBOX = Path("/bin/busybox")

# `wait` also reaps the orphans that a shared process namespace leaves to its first process.
_SCRIPT = "trap 'exit 0' TERM INT; while :; do /bin/busybox sleep 2147483647 & wait $!; done"


def pause_archive(busybox: Path = BUSYBOX) -> bytes:
    """A docker archive of the pause image; the same bytes for the same busybox.

    Raises MachineNotReady when there is no static busybox.
    """
    return docker_archive(
        PAUSE_IMAGE,
        layer=_tar({"bin/busybox": (_static_busybox(busybox), 0o755)}, directories=["bin"]),
        config={"Entrypoint": ["/bin/busybox", "sh", "-c", _SCRIPT], "Env": ["PATH=/bin"], "WorkingDir": "/"},
    )


def docker_archive(name: str, *, layer: bytes, config: dict[str, object]) -> bytes:
    """A one-layer image in the format of `docker save`."""
    image = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "kubeling"}],
    }
    encoded = json.dumps(image, sort_keys=True).encode()
    config_name = f"{hashlib.sha256(encoded).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    files = {config_name: encoded, "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()}
    return _tar({path: (content, 0o644) for path, content in files.items()}, directories=[])


def _static_busybox(busybox: Path) -> bytes:
    advice = "run `apt-get install busybox-static` and start again"
    if not busybox.exists():
        raise MachineNotReady(f"{busybox} is not installed: {advice}")
    content = busybox.read_bytes()
    if _is_dynamic(busybox):
        raise MachineNotReady(f"{busybox} is not statically linked: {advice}")
    return content


def _is_dynamic(program: Path) -> bool:
    """Whether an ELF program asks for an interpreter (PT_INTERP)."""
    content = program.read_bytes()[:4096]
    return b"/ld-linux" in content or b"/ld-musl" in content or b"/lib/ld" in content


def _tar(files: dict[str, tuple[bytes, int]], *, directories: list[str]) -> bytes:
    """A tar without anything that differs from one run to the next."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in directories:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
