"""Which endpoint goes into which slice: few slices are written, none is torn apart to save one.

Pure functions, with upstream's rules: slices that change anyway are filled first, then one that has room for
all that is left, then new ones.
"""

from dataclasses import dataclass, field

from kubeling.objects.meta import Object

MOST = 100
"""Endpoints in a slice: --max-endpoints-per-slice."""

Identity = tuple[object, ...]


@dataclass(slots=True)
class Packing:
    changed: dict[str, list[Object]] = field(default_factory=dict)
    """The endpoints of existing slices that are to be written."""
    emptied: list[str] = field(default_factory=list)
    created: list[list[Object]] = field(default_factory=list)


def identity(endpoint: Object) -> Identity:
    """Two endpoints with the same one are the same at different times."""
    target = endpoint.get("targetRef") or {}
    return tuple(endpoint.get("addresses") or ()), target.get("namespace"), target.get("name")


def pack(existing: dict[str, list[Object]], desired: list[Object], *, most: int = MOST) -> Packing:
    """How the slices, by name, come to hold just the desired endpoints."""
    left = {identity(endpoint): endpoint for endpoint in desired}
    packing, unchanged = Packing(), dict[str, list[Object]]()
    for name, endpoints in existing.items():
        kept = [left.pop(key) for each in endpoints if (key := identity(each)) in left]
        if kept == endpoints and kept:
            unchanged[name] = endpoints
        elif kept:
            packing.changed[name] = kept
        else:
            packing.emptied.append(name)
    remaining = list(left.values())
    for kept in sorted(packing.changed.values(), key=len, reverse=True):
        _move(remaining, kept, most)
    while remaining:
        fill = _with_room(unchanged, len(remaining), most)
        if fill is not None:
            packing.changed[fill] = [*unchanged.pop(fill), *remaining]
            remaining = []
        else:
            packing.created.append([])
            _move(remaining, packing.created[-1], most)
    return packing


def _move(remaining: list[Object], to: list[Object], most: int) -> None:
    room = max(0, most - len(to))
    to.extend(remaining[:room])
    del remaining[:room]


def _with_room(slices: dict[str, list[Object]], count: int, most: int) -> str | None:
    """The fullest slice that has room for so many more."""
    fitting = [name for name, endpoints in slices.items() if len(endpoints) + count <= most]
    return max(fitting, key=lambda name: len(slices[name]), default=None)
