"""What annotations ask of a pod on a virtual node. docs/virtual-nodes.md lists them.

`virtual.kubeling.dev/KEY` speaks of all containers of the pod but its init containers,
`virtual.kubeling.dev/KEY.CONTAINER` of one.
What makes no sense counts as not said.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kubeling.objects.meta import Object, annotations
from runtime.pods.status.container import is_init

PREFIX = "virtual.kubeling.dev/"
LOST = f"{PREFIX}lost"
"""On a Node: "true" makes it fall silent."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)")
_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Wishes:
    """Those of one pod, for one of its containers ("": for the pod)."""

    pod: Object
    container: str = ""

    def text(self, *keys: str) -> str:
        """The first of these that is said, for the container before all."""
        said = annotations(self.pod)
        if not said:
            return ""
        for key in keys:
            for name in self._names(key):
                if name in said:
                    return str(said[name])
        return ""

    def _names(self, key: str) -> Iterator[str]:
        if self.container:
            yield f"{PREFIX}{key}.{self.container}"
        if not is_init(self.pod, self.container):
            yield PREFIX + key

    def seconds(self, *keys: str) -> float | None:
        return duration(self.text(*keys))

    def number(self, key: str) -> int | None:
        given = self.text(key).strip()
        return int(given) if given.lstrip("-").isdecimal() else None

    def denied(self, key: str) -> bool:
        """Whether the container is said not to be so."""
        return self.text(key).strip().lower() in ("false", "no", "0")

    def trouble(self, key: str, otherwise: str) -> str:
        """What goes wrong: the annotation's text, `otherwise` for a mere "true", "" when nothing does."""
        given = self.text(key).strip()
        if given.lower() in ("", "false", "no", "0"):
            return ""
        return otherwise if given.lower() in ("true", "yes", "1") else given


def duration(text: str) -> float | None:
    """Seconds of `1m30s`, `500ms`, `5`; None for what is no duration."""
    parts = _DURATION.findall(text.strip())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def said_in(pod: Object) -> tuple[tuple[str, str], ...]:
    """All that is said, to be compared."""
    return tuple(sorted(_ours(annotations(pod).items())))


def _ours(items: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    return (item for item in items if item[0].startswith(PREFIX))
