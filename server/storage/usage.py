"""What a store takes and holds, for whoever watches over it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    identity: str
    """The cluster's, which its database carries."""
    size: int | None
    """Bytes of the database; None while it does not say."""
    revision: int
    compacted: int
    """History is kept from this revision to the newest."""
    objects: Mapping[str, int]
    """How many there are of each resource."""
