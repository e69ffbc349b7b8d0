"""The stored form of a custom resource, as one of its versions sees it.

What is stored is pruned and defaulted by the schema of the version it is stored in, then converted: without a
webhook the apiVersion is another one, and what the other version does not know goes. The outcome hangs on the
record, so that it is made once.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from time import monotonic

import orjson

from kubeling.objects.errors import ApiError
from kubeling.objects.meta import Object
from server.registry.custom.conversion import WebhookConverter
from server.registry.unconverted import Unconverted
from server.schema.custom import CustomSchema
from server.schema.decode import decode
from server.schema.errors import DecodeError
from server.schema.nodes import Struct
from server.storage import Record

logger = logging.getLogger(__name__)

SLICE_SECONDS = 0.005
"""How long the event loop is kept from its other work while many records are looked at for the first time."""
_MOST_TRANSLATIONS = 256
_STEP = 32
"""Records between two looks at the clock."""


class CustomForm:
    """Implements `StoredForm`."""

    def __init__(
        self,
        *,
        group: str,
        seen: str,
        stored: str,
        schemas: Mapping[str, CustomSchema],
        converter: WebhookConverter | None,
    ) -> None:
        """Objects are `seen` in one version and `stored` in another; schemas and the rest by apiVersion."""
        self.version = stored
        self._seen_api, self._stored_api = f"{group}/{seen}", f"{group}/{stored}"
        self._schemas = schemas
        self._converter = converter
        self._key = f"form {self._seen_api}"
        self._translations: dict[tuple[str, bytes], Object | None] = {}
        self._listed: tuple[Sequence[Record], Sequence[Record]] | None = None

    def seen(self, record: Record) -> Record | None:
        known = record.cache.get(self._key)
        if known is not None and known[0] is self:
            found: Record = known[1] or record
            return found
        stored_api = record.parsed().get("apiVersion")
        if stored_api != self._seen_api and self._converter is not None:
            return None
        obj = self._at_rest(record)
        if stored_api != self._seen_api:
            obj = self._pruned({**obj, "apiVersion": self._seen_api})
        return self._remembered(record, obj)

    def written(self, record: Record) -> Record | None:
        """`seen` for a record that has just been stored: of this version it is as it should be."""
        if record.parsed().get("apiVersion") == self._seen_api:
            record.cache[self._key] = (self, None)
        return self.seen(record)

    async def seen_all(self, records: Sequence[Record]) -> Sequence[Record]:
        """The store hands out the same tuple until something is written: what was made of it is kept."""
        if self._listed is not None and self._listed[0] is records:
            return self._listed[1]
        found = await self._look_at_all(records)
        if type(records) is tuple:
            self._listed = (records, found)
        return found

    async def _look_at_all(self, records: Sequence[Record]) -> Sequence[Record]:
        found = await self._in_slices(records)
        missing = [record for record, seen in zip(records, found, strict=True) if seen is None]
        converted = iter(await self.convert(missing) if missing else ())
        return [next(converted) if record is None else record for record in found]

    async def _in_slices(self, records: Sequence[Record]) -> list[Record | None]:
        found: list[Record | None] = []
        began = monotonic()
        for start in range(0, len(records), _STEP):
            found += map(self.seen, records[start : start + _STEP])
            if monotonic() - began > SLICE_SECONDS:
                await asyncio.sleep(0)
                began = monotonic()
        return found

    async def convert(self, records: Sequence[Record]) -> list[Record]:
        if self._converter is None:
            return [self.seen(record) or record for record in records]
        objects = [self._at_rest(record) for record in records]
        converted = await self._converter.convert(objects, self._seen_api)
        return [
            self._remembered(record, self._pruned(obj))
            for record, obj in zip(records, converted, strict=True)
        ]

    def translated(self, obj: Object, api_version: str) -> tuple[Struct, Object] | None:
        schema = self._schemas.get(api_version)
        if schema is None:
            return None
        if self._converter is None:
            return schema.struct, self._pruned({**obj, "apiVersion": api_version})
        key = (api_version, orjson.dumps(obj))
        if key not in self._translations:
            raise Unconverted(partial(self._translate, key, obj))
        found = self._translations[key]
        return None if found is None else (schema.struct, found)

    async def _translate(self, key: tuple[str, bytes], obj: Object) -> None:
        """A failure must not refuse a write that needs no conversion but for the record of who owns what."""
        assert self._converter is not None
        found: Object | None = None
        try:
            found = self._pruned((await self._converter.convert([obj], key[0]))[0])
        except ApiError as error:
            logger.warning("owners of fields in %s: %s", key[0], error)
        if len(self._translations) >= _MOST_TRANSLATIONS:
            self._translations.clear()
        self._translations[key] = found

    async def stored(self, obj: Object) -> Object:
        if self._seen_api == self._stored_api:
            return obj
        if self._converter is None:
            return self._pruned({**obj, "apiVersion": self._stored_api})
        converted = await self._converter.convert([obj], self._stored_api)
        return self._pruned(converted[0])

    def _at_rest(self, record: Record) -> Object:
        """The stored object as its own version's schema has it."""
        obj = record.copy()
        schema = self._schemas.get(obj.get("apiVersion", ""))
        if schema is None:
            return obj
        obj = self._pruned(obj)
        schema.default(obj)
        return obj

    def _pruned(self, obj: Object) -> Object:
        schema = self._schemas.get(obj["apiVersion"])
        if schema is None:
            return obj
        try:
            return decode(schema.struct, obj).obj
        except DecodeError:
            return obj  # stored before the rules were: better seen than lost

    def _remembered(self, record: Record, obj: Object) -> Record:
        found = record if obj == record.parsed() else _with_body(record, obj)
        record.cache[self._key] = (self, None if found is record else found)
        if found is not record:
            found.cache[self._key] = (self, None)
        return found


def _with_body(record: Record, obj: Object) -> Record:
    return Record(
        resource=record.resource,
        namespace=record.namespace,
        name=record.name,
        uid=record.uid,
        revision=record.revision,
        created_revision=record.created_revision,
        body=orjson.dumps(obj),
    )
