"""From a client's JSON object to what is stored: types checked, unknown fields and nulls left out."""

from collections.abc import Sequence
from typing import NamedTuple

from kubeling.objects.meta import Object
from server.schema.duplicates import MOST_TOLD
from server.schema.nodes import Path, Struct


class Decoded(NamedTuple):
    obj: Object
    unknown: Sequence[str]
    """Paths of fields that the type does not have, such as `spec.containers[0].foo`; not more than
    a hundred."""


def decode(struct: Struct, obj: Object) -> Decoded:
    """A new object; parts without inner structure may be shared with the given one.

    Raises:
        DecodeError: a value does not fit its type.
    """
    unknown: list[Path] = []
    decoded: Object = struct.decode(obj, unknown)
    return Decoded(decoded, [path_text(path) for path in unknown[:MOST_TOLD]])


def path_text(path: Path) -> str:
    """A path in the form of Kubernetes' messages; it comes from the inside out."""
    text = ""
    for part in reversed(path):
        text += part if part.startswith("[") or not text else f".{part}"
    return text
