"""Unpacks image archives that are compressed as a whole, so that their parts can be read in any order.

Not here: the layers in them, which containerd unpacks itself.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from runtime.errors import ImageArchiveError
from runtime.images.decompression import DecompressionError, Decompressor, decompressor

_CHUNK = 1024 * 1024
_LEAVE_FREE = 256 * 1024 * 1024
"""Bytes of the disk that an archive does not take."""


@contextmanager
def unpacked(archive: Path, scratch: Path) -> Iterator[Path]:
    """The archive itself, or for the time of the context a plain copy in `scratch`.

    Raises ImageArchiveError: it is damaged, cut off, or too large for the disk.
    """
    with archive.open("rb") as source:
        start = source.read(_CHUNK)
        try:
            opened = decompressor(start)
        except DecompressionError as error:
            raise ImageArchiveError(f"the archive cannot be unpacked: {error}") from error
        if opened is None:
            yield archive
            return
        source.seek(0)
        with tempfile.NamedTemporaryFile(dir=scratch, suffix=".tar") as plain:
            _unpack(source, opened, plain)
            yield Path(plain.name)


def require_room(place: Path) -> None:
    """Raises: ImageArchiveError: the disk is nearly full."""
    if shutil.disk_usage(place).free < _LEAVE_FREE:
        raise ImageArchiveError("the archive is too large: the node's disk is nearly full")


def _unpack(source: IO[bytes], opened: Decompressor, plain: IO[bytes]) -> None:
    try:
        while data := source.read(_CHUNK):
            for piece in opened.feed(data):
                require_room(Path(plain.name))
                plain.write(piece)
        plain.flush()
    except DecompressionError as error:
        raise ImageArchiveError("the archive is cut off or damaged") from error
    except OSError as error:
        raise ImageArchiveError(f"the archive cannot be unpacked on the node: {error.strerror}") from error
    if not opened.finished:
        raise ImageArchiveError("the archive is cut off or damaged")
