"""The stored form of a custom resource, as one of its versions sees it.

What is stored is pruned and defaulted by the schema of the version it is stored in, then converted: without a
webhook the apiVersion is another one, and what the other version does not know goes. The outcome hangs on the
record, so that it is made once.
"""

from collections.abc import Mapping, Sequence

import orjson

from kubeling.objects.meta import Object
from server.registry.custom.conversion import WebhookConverter
from server.schema.custom import CustomSchema
from server.schema.decode import decode
from server.schema.errors import DecodeError
from server.storage import Record


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

    def seen(self, record: Record) -> Record | None:
        known = record.cache.get(self._key)
        if known is not None and known[0] is self:
            found: Record = known[1]
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
            record.cache[self._key] = (self, record)
        return self.seen(record)

    async def convert(self, records: Sequence[Record]) -> None:
        waiting = [record for record in records if self.seen(record) is None]
        if not waiting or self._converter is None:
            return
        objects = [self._at_rest(record) for record in waiting]
        converted = await self._converter.convert(objects, self._seen_api)
        for record, obj in zip(waiting, converted, strict=True):
            self._remembered(record, self._pruned(obj))

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
        record.cache[self._key] = (self, found)
        if found is not record:
            found.cache[self._key] = (self, found)
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
