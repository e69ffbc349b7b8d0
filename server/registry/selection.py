"""Which records a request means: selectors against what a kind offers, answered from cached forms."""

from collections.abc import Callable

from kubeling.objects.errors import BadRequest
from server.registry.kind import Kind
from server.registry.options import Selection
from server.storage import Record

Matches = Callable[[Record], bool]
_GENERIC = ("metadata.name", "metadata.namespace")


def matcher(kind: Kind, selection: Selection) -> Matches | None:
    """Whether a record is selected; None when all are.

    Raises:
        BadRequest: the field selector names a field that the kind does not offer.
    """
    _check_fields(kind, selection)
    labelled, fields = selection.labels.predicate(), selection.fields
    if selection.everything:
        return None
    if fields.empty:
        return lambda record: labelled(record.labels)
    if selection.labels.empty:
        return lambda record: fields.matches(lambda path: _field(kind, record, path))
    return lambda record: labelled(record.labels) and fields.matches(lambda path: _field(kind, record, path))


def _check_fields(kind: Kind, selection: Selection) -> None:
    offered = kind.strategy.selectable
    for path, _, _ in selection.fields.requirements:
        if path in _GENERIC or path in offered:
            continue
        if offered or kind.custom:
            raise BadRequest(f"field label not supported: {path}")
        raise BadRequest(
            f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'
        )


def _field(kind: Kind, record: Record, path: str) -> str:
    if path == "metadata.name":
        return record.name
    if path == "metadata.namespace":
        return record.namespace
    return kind.strategy.field(record.parsed(), path)
