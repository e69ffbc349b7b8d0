"""How far containerd's downloads are, from its files: newer versions watch over that themselves."""

from collections.abc import Hashable
from pathlib import Path

_INGESTS = "io.containerd.content.v1.content/ingest"


def progress(root: Path) -> Hashable:
    """Differs from the last time when any download of the containerd at `root` has got on."""
    found = []
    for file in (root / _INGESTS).glob("*/data"):
        try:
            found.append((file.parent.name, file.stat().st_size))
        except FileNotFoundError:  # it has just been finished
            continue
    return tuple(sorted(found))
