"""Unpacks image archives that are compressed as a whole: containerd imports plain ones.

Not here: the layers in them, which containerd unpacks itself.
"""

import bz2
import gzip
import lzma
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from runtime.errors import ImageArchiveError

_CHUNK = 1024 * 1024
_OPEN: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """The archive itself, or for the time of the context a plain copy beside it.

    Raises ImageArchiveError: it is compressed in a way that is not known here, or cut off.
    """
    with archive.open("rb") as file:
        start = file.read(8)
    if start.startswith(_ZSTANDARD):
        raise ImageArchiveError("the archive is compressed with zstd: unpack it first (zstd -d)")
    opened = next((opened for magic, opened in _OPEN.items() if start.startswith(magic)), None)
    if opened is None:
        yield archive
        return
    with tempfile.NamedTemporaryFile(dir=archive.parent, suffix=".tar") as plain:
        _unpack(archive, opened, plain)
        yield Path(plain.name)


def _unpack(archive: Path, opened: Callable[[Path], Any], plain: IO[bytes]) -> None:
    try:
        with opened(archive) as source:
            shutil.copyfileobj(source, plain, _CHUNK)
        plain.flush()
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise ImageArchiveError("the archive is cut off or damaged") from error
    except OSError as error:
        known = f"the archive cannot be unpacked on the node: {error.strerror}"
        raise ImageArchiveError(known if error.errno else "the archive is cut off or damaged") from error
