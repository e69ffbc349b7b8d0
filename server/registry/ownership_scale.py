"""Owners of an object's replicas, as the scale subresource sees them, and back."""

from collections.abc import Sequence

from server.registry.ownership import Entry, identity, in_order
from server.schema.apply.elements import dotted
from server.schema.apply.field_set import Path, difference, has, of_path

SCALE_API_VERSION = "autoscaling/v1"
_PATH = dotted("spec", "replicas")
_REPLICAS = of_path(_PATH)


def entries_of_scale(entries: Sequence[Entry], path: Path) -> list[Entry]:
    """Those that own the object's replicas, as entries of a Scale."""
    return [
        {**entry, "apiVersion": SCALE_API_VERSION, "fieldsV1": _REPLICAS}
        for entry in entries
        if has(entry.get("fieldsV1") or {}, path)
    ]


def entries_of_object(
    entries: Sequence[Entry], of_scale: Sequence[Entry], path: Path, api_version: str
) -> list[Entry]:
    """The object's entries after its Scale has got these: who owns the Scale's replicas owns the object's."""
    replicas = of_path(path)
    owning = {_who(entry): entry for entry in of_scale if has(entry.get("fieldsV1") or {}, _PATH)}
    out = []
    for entry in entries:
        fields = entry.get("fieldsV1") or {}
        if has(fields, path) and owning.pop(_who(entry), None) is None:
            left = difference(fields, replicas)
            if left:
                out.append({**entry, "fieldsV1": left})
        else:
            out.append(entry)
    out += [{**entry, "apiVersion": api_version, "fieldsV1": replicas} for entry in owning.values()]
    return in_order(out)


def _who(entry: Entry) -> tuple[str, str, str]:
    manager, operation, _, subresource = identity(entry)
    return manager, operation, subresource
