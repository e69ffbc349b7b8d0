"""Watch events as lines of JSON, each encoded once however many clients watch.

Lines are shared through a small memory of the newest ones: watchers of one resource want the same event
at the same moment. Nothing hangs on the records themselves, which would double the memory of what is stored.
"""

import orjson

from kubeling.objects.meta import Object
from server.api.render import partial_metadata, table
from server.api.request import Request
from server.registry.registry import Registry
from server.registry.results import WatchEvent
from server.storage.record import Record

_REMEMBERED = 4 * 1024 * 1024
"""Bytes of lines that are kept."""


class Lines:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[tuple[object, ...], tuple[Record, bytes]] = {}
        self._size = 0

    def line(self, request: Request, event: WatchEvent, *, first: bool) -> bytes:
        """The event in the request's representation. A Table names its columns in the `first` of a watch."""
        record = event.record
        key: tuple[object, ...] = (id(record), event.type, request.kind, request.version)
        if request.representation.kind:
            key = (*key, request.representation, request.include_object, first)
        known = self._known.get(key)
        if known is not None and known[0] is record:
            return known[1]
        line = encode(event.type, self._document(request, record, first=first))
        self._remember(key, record, line)
        return line

    def _document(self, request: Request, record: Record, *, first: bool) -> bytes:
        wanted = request.representation
        if not wanted.kind:
            return self._registry.encode(record, request.kind, request.version)
        if wanted.kind == "Table":
            meta: Object = {"resourceVersion": str(record.revision)}
            return orjson.dumps(table(self._registry, request, [record], list_meta=meta, headers=first))
        document = partial_metadata(self._registry, request.kind, request.version, record, wanted)
        return orjson.dumps(document)

    def _remember(self, key: tuple[object, ...], record: Record, line: bytes) -> None:
        _, replaced = self._known.pop(key, (None, b""))
        self._known[key] = (record, line)
        self._size += len(line) - len(replaced)
        while self._size > _REMEMBERED:
            _, oldest = self._known.pop(next(iter(self._known)))
            self._size -= len(oldest)


def encode(type_: str, document: bytes) -> bytes:
    """One event as a line."""
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), document)
