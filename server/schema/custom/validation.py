"""What is wrong with a schema itself: whether it is structural, and its defaults, extensions and rules."""

from typing import Any

from kubeling.objects.errors import Cause
from server.schema import causes
from server.schema.custom.declarations import declaration_causes
from server.schema.custom.declared_defaults import default_causes
from server.schema.custom.extensions import has_rules
from server.schema.custom.structural import structural_causes
from server.schema.custom.typed import typed
from server.schema.errors import DecodeError

Schema = dict[str, Any]

_ROOT_FIELDS = {
    "description": "Description", "type": "Type", "format": "Format", "title": "Title", "maximum": "Maximum",
    "exclusiveMaximum": "ExclusiveMaximum", "minimum": "Minimum", "exclusiveMinimum": "ExclusiveMinimum",
    "maxLength": "MaxLength", "minLength": "MinLength", "pattern": "Pattern", "maxItems": "MaxItems",
    "minItems": "MinItems", "uniqueItems": "UniqueItems", "multipleOf": "MultipleOf", "required": "Required",
    "items": "Items", "properties": "Properties", "externalDocs": "ExternalDocs", "example": "Example",
    "x-kubernetes-preserve-unknown-fields": "XPreserveUnknownFields",
    "x-kubernetes-validations": "XValidations",
}  # fmt: skip
"""What may stand at the root when there is a status subresource, with upstream's names for it."""
_RATCHETED = (
    "must be atomic as item of a list", "cannot be nullable when", "this property is in",
    "must not have unknown", "exceeds budget", "contributed to estimated rule cost",
)  # fmt: skip
"""Errors that a definition may go on to have, when it was stored with such: the rules came later."""


def schema_errors(
    schema: Schema,
    path: str,
    *,
    old: Schema | None = None,
    preserve_unknown_fields: bool = False,
    status_subresource: bool = False,
) -> list[Cause]:
    """Everything that upstream's validation of a CustomResourceDefinition says of one version's schema.

    `path` is where the schema stands, such as `spec.versions[0].schema.openAPIV3Schema`, or
    `spec.validation.openAPIV3Schema` when all versions have the same one (upstream's internal form holds it
    once then, and its messages say so). `old` is the schema that is stored: what it has may stay, such as
    rules that today's limits refuse. With `preserve_unknown_fields`, which only old definitions have, the
    schema need not be structural.
    """
    if old is not None and schema == old:
        return []
    try:
        schema = typed(schema)
    except DecodeError as error:
        return [causes.invalid(path, "", str(error))]
    found = _root_causes(schema, path, status_subresource=status_subresource)
    unsound = [] if preserve_unknown_fields else structural_causes(schema, path)
    if not preserve_unknown_fields and not unsound:
        unsound = default_causes(schema, path)
    found += unsound + declaration_causes(schema, path)
    if not found and not preserve_unknown_fields:
        found = _rule_causes(schema, path)
    if found and old is not None:
        found = _tightened(found, old, path)
    return list(dict.fromkeys(found))


def _root_causes(schema: Schema, path: str, *, status_subresource: bool) -> list[Cause]:
    found: list[Cause] = []
    strange = [name for name, each in schema.items() if each and name not in _ROOT_FIELDS]
    if status_subresource and strange:
        listed = " ".join(_ROOT_FIELDS.values())
        detail = (
            f"only [{listed}] fields are allowed at the root of the schema if the status subresource"
            " is enabled"
        )
        found.append(causes.invalid(path, schema, detail))
    if schema.get("nullable"):
        found.append(causes.forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    return found


def _rule_causes(schema: Schema, path: str) -> list[Cause]:
    """What is wrong with the expressions; CEL is imported when there are any."""
    if not has_rules(schema):
        return []
    from server.schema.custom.rule_declarations import expression_causes

    return expression_causes(schema, path)


def _tightened(found: list[Cause], old: Schema, path: str) -> list[Cause]:
    """Without the errors of a sort that the old schema has as well."""
    before = " ".join(each.message for each in schema_errors(old, path))
    tolerated = [words for words in _RATCHETED if words in before]
    return [each for each in found if not any(words in each.message for words in tolerated)]
