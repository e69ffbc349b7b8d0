"""Writes files whole or not at all, private where they hold secrets. Not here: what is in them."""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def private_directory(path: Path) -> Path:
    """The directory, made (with its parents) if need be and open to its owner only."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def write(path: Path, data: bytes, *, mode: int = 0o600, owner: tuple[int, int] | None = None) -> None:
    """Replaces the file atomically. The temporary file is never readable by others while it is written."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            if owner and owner != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_json(path: Path, document: Any, *, mode: int = 0o600) -> None:
    write(path, json.dumps(document, indent=2).encode() + b"\n", mode=mode)


def write_if_changed(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    with contextlib.suppress(OSError):
        if path.read_bytes() == data:
            return
    write(path, data, mode=mode)
