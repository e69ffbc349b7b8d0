"""One version's schema, compiled: its struct, its defaults, its validators, its rules, each on first use."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.schema import causes
from server.schema.custom import defaulting
from server.schema.custom.embedded import embedded_check
from server.schema.custom.extensions import has_rules
from server.schema.custom.lists import list_check
from server.schema.custom.problems import as_causes
from server.schema.custom.pruning import root_struct
from server.schema.custom.values import ABSENT, Check, value_check
from server.schema.nodes import Struct

if TYPE_CHECKING:
    from server.schema.custom.rules import RuleSet

Schema = dict[str, Any]
"""A JSONSchemaProps as JSON, as it is stored in a CustomResourceDefinition."""

Between = Callable[[Object], list[Cause]]

_UNCHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to"
    " complete validation"
)


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
        return root_struct(self.schema, preserve=self.preserve_unknown_fields)

    @cached_property
    def has_defaults(self) -> bool:
        """Whether `default` can set anything: a reader may skip it otherwise."""
        return defaulting.has_defaults(self.schema)

    def default(self, obj: Object) -> bool:
        """Sets defaults in place and drops nulls that the schema does not allow; True if anything changed.

        Idempotent. The default values that are put in are copies.
        """
        return self._default(obj)

    def validate(
        self, obj: Object, old: Object | None = None, *, between: Between | None = None
    ) -> list[Cause]:
        """What is wrong with an object, in upstream's order: schema, embedded objects, list types, rules.

        With the old object (of the same version, defaulted) errors of unchanged parts are left out
        (ratcheting) and transition rules are checked. Metadata of the object itself is not looked at, except
        where the schema restricts metadata.name and generateName. What else there is to check about the kind
        is done `between` the schema and the embedded objects. Never raises.
        """
        problems = self._check(obj, ABSENT if old is None else old)
        found = as_causes(problems) if problems else []
        if between is not None:
            found += between(obj)
        if self._embedded is not None:
            self._embedded(obj, "", found)
        if self._lists is not None:
            found += self._list_causes(obj, old)
        if self.rules is None:
            return found
        if any(each.reason in causes.BLOCKING for each in found):
            return [*found, causes.invalid(causes.NOWHERE, None, _UNCHECKED)]
        return found + self.rules.causes(obj, old)

    @cached_property
    def rules(self) -> "RuleSet | None":
        """The rules (x-kubernetes-validations) of the schema, compiled; None when it has none.

        CEL is imported with the first schema that has a rule.
        """
        if not has_rules(self.schema):
            return None
        from server.schema.custom.rules import rule_set

        return rule_set(self.schema)

    def _list_causes(self, obj: Object, old: Object | None) -> list[Cause]:
        """Items that stand twice; none when the old object had such, too."""
        assert self._lists is not None
        found: list[Cause] = []
        self._lists(obj, "", found)
        if found and old is not None:
            before: list[Cause] = []
            self._lists(old, "", before)
            return [] if before else found
        return found

    @cached_property
    def _default(self) -> defaulting.Defaulter:
        return defaulting.defaulter(self.schema)

    @cached_property
    def _check(self) -> Check:
        return value_check(self.schema)

    @cached_property
    def _lists(self) -> Any:
        return list_check(self.schema)

    @cached_property
    def _embedded(self) -> Any:
        return embedded_check(self.schema)


def compiled(schema: Schema | None, *, preserve_unknown_fields: bool = False) -> CustomSchema:
    """The compiled form of a version's `schema.openAPIV3Schema`, which may be absent.

    `preserve_unknown_fields` is `spec.preserveUnknownFields` of the definition: nothing is pruned then.
    Cheap: the parts are built on first use. Keep the result for as long as the definition stays.
    """
    return CustomSchema(schema or {}, preserve_unknown_fields=preserve_unknown_fields)
