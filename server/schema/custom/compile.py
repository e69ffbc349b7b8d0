"""One version's schema, compiled: its struct, its defaults, its validators, its rules, each on first use."""

from functools import cached_property
from typing import Any

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.schema.nodes import Struct

Schema = dict[str, Any]
"""A JSONSchemaProps as JSON, as it is stored in a CustomResourceDefinition."""


class CustomSchema:
    """What a kind's objects of one version must look like.

    A request's way: `struct.decode` (by `server.schema.decode.decode`: prunes, collects unknown fields'
    paths; raises only for metadata, apiVersion and kind), then `default`, later `validate`. A stored object's
    way to a reader: `default` (and pruning by `struct` after a conversion).
    """

    def __init__(self, schema: Schema, *, preserve_unknown_fields: bool = False) -> None:
        self.schema = schema
        self.preserve_unknown_fields = preserve_unknown_fields

    @cached_property
    def struct(self) -> Struct:
        """The type for decoding, patches and server-side apply: Struct, ListOf, MapOf, Anything, Scalar."""
        raise NotImplementedError

    @cached_property
    def has_defaults(self) -> bool:
        """Whether `default` can ever change an object: a reader may skip it otherwise."""
        raise NotImplementedError

    def default(self, obj: Object) -> bool:
        """Sets defaults in place and drops nulls that the schema does not allow; True if it changed anything.

        Idempotent. The default values that are put in are copies.
        """
        raise NotImplementedError

    def validate(self, obj: Object, old: Object | None = None) -> list[Cause]:
        """What is wrong with an object, in upstream's order: schema, list types, embedded objects, rules.

        With the old object (of the same version, defaulted) errors of unchanged parts are left out
        (ratcheting) and transition rules are checked. Metadata of the object itself is not looked at, except
        where the schema restricts metadata.name and generateName. Never raises.
        """
        raise NotImplementedError

    def validate_status(self, obj: Object, old: Object) -> list[Cause]:
        """The same for an update of the status subresource."""
        return self.validate(obj, old)


def compiled(schema: Schema | None, *, preserve_unknown_fields: bool = False) -> CustomSchema:
    """The compiled form of a version's `schema.openAPIV3Schema`, which may be absent.

    `preserve_unknown_fields` is `spec.preserveUnknownFields` of the definition: nothing is pruned then.
    Cheap: the parts are built on first use. Keep the result for as long as the definition stays.
    """
    return CustomSchema(schema or {}, preserve_unknown_fields=preserve_unknown_fields)
