"""What is wrong with one version of a CustomResourceDefinition, or with what all its versions have in common.

`fields` says what messages call each part.
"""

from collections.abc import Mapping, Sequence

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import duplicate, invalid, required, too_many
from server.schema.custom import schema_errors
from server.schema.custom.field_paths import FieldPathError, selected_field

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_MAX_SELECTABLE = 8
_SELECTABLE_TYPES = ("string", "boolean", "integer")
_LONGEST_WARNING = 256


def version_causes(field: str, version: Object, *, fields: Mapping[str, str], stored: Object) -> list[Cause]:
    """`stored` is the same version as it is stored, empty for one that is new."""
    causes = _warning_causes(f"{field}.deprecationWarning", version)
    status = version.get("status", (version.get("subresources") or {}).get("status") is not None)
    if (schema := (version.get("schema") or {}).get("openAPIV3Schema")) is not None:
        causes += _schema_causes(f"{fields['schema']}.openAPIV3Schema", schema, stored, status=status)
    causes += _scale_causes(f"{fields['subresources']}.scale", version.get("subresources") or {})
    for number, column in enumerate(version.get("additionalPrinterColumns") or ()):
        causes += _column_causes(f"{fields['additionalPrinterColumns']}[{number}]", column)
    if selectable := version.get("selectableFields"):
        causes += _selectable_causes(fields["selectableFields"], selectable, schema)
    return causes


def _schema_causes(field: str, schema: Object, stored: Object, *, status: bool) -> list[Cause]:
    old = (stored.get("schema") or {}).get("openAPIV3Schema")
    return schema_errors(schema, field, old=old, status_subresource=status)


def _warning_causes(field: str, version: Object) -> list[Cause]:
    warning = version.get("deprecationWarning")
    if warning is None:
        return []
    if not version.get("deprecated"):
        return [invalid(field, warning, "can only be set for deprecated versions")]
    errors = []
    if len(warning.encode()) > _LONGEST_WARNING:
        errors.append(f"must be <= {_LONGEST_WARNING} characters long")
    if not warning:
        errors.append("must not be an empty string")
    if (strange := next((n for n, char in enumerate(warning) if not char.isprintable()), None)) is not None:
        place = len(warning[:strange].encode())
        text = "must only contain printable UTF-8 characters; non-printable character found at index"
        errors.append(f"{text} {place}")
    return [invalid(field, warning, error) for error in errors]


def _scale_causes(field: str, subresources: Object) -> list[Cause]:
    scale = subresources.get("scale")
    if scale is None:
        return []
    causes = _path_causes(f"{field}.specReplicasPath", scale.get("specReplicasPath") or "", under=".spec")
    causes += _path_causes(
        f"{field}.statusReplicasPath", scale.get("statusReplicasPath") or "", under=".status"
    )
    selector = scale.get("labelSelectorPath") or ""
    if not selector:
        return causes
    name = f"{field}.labelSelectorPath"
    if found := simple_path_causes(name, selector):
        return causes + found
    if not selector.startswith((".spec.", ".status.")):
        causes.append(invalid(name, selector, "should be a json path under either .spec or .status"))
    return causes


def _path_causes(field: str, path: str, *, under: str) -> list[Cause]:
    if not path:
        return [required(field)]
    if found := simple_path_causes(field, path):
        return found
    return (
        [] if path.startswith(f"{under}.") else [invalid(field, path, f"should be a json path under {under}")]
    )


def simple_path_causes(field: str, path: str) -> list[Cause]:
    """A JSON path that begins with a dot."""
    if path.startswith("."):
        return []
    return [invalid(field, path, "must be a simple json path starting with .")]


def _column_causes(field: str, column: Object) -> list[Cause]:
    causes = [] if column.get("name") else [required(f"{field}.name")]
    kind, listed = column.get("type") or "", ",".join(_COLUMN_TYPES)
    if not kind:
        causes.append(required(f"{field}.type", f"must be one of {listed}"))
    elif kind not in _COLUMN_TYPES:
        causes.append(invalid(f"{field}.type", kind, f"must be one of {listed}"))
    form = column.get("format") or ""
    if form and form not in _COLUMN_FORMATS:
        causes.append(invalid(f"{field}.format", form, f"must be one of {','.join(_COLUMN_FORMATS)}"))
    path = column.get("jsonPath") or ""
    return causes + (
        simple_path_causes(f"{field}.JSONPath", path) if path else [required(f"{field}.JSONPath")]
    )


def _selectable_causes(field: str, selectable: Sequence[Object], schema: Object | None) -> list[Cause]:
    if schema is None:
        why = "selectableFields may only be set when version.schema.openAPIV3Schema is not included"
        return [invalid(field, "", why)]
    causes: list[Cause] = []
    seen: set[str] = set()
    for number, each in enumerate(selectable):
        name, path = f"{field}[{number}].jsonPath", each.get("jsonPath") or ""
        if not path:
            causes.append(required(name))
            continue
        causes += _selected_path_causes(name, path, schema)
        if path in seen:
            causes.append(duplicate(name, path))
        seen.add(path)
    return [*causes, too_many(field, len(seen), _MAX_SELECTABLE)] if len(seen) > _MAX_SELECTABLE else causes


def _selected_path_causes(field: str, path: str, schema: Object) -> list[Cause]:
    try:
        found = selected_field(path, schema)
    except FieldPathError as error:
        return [invalid(field, path, f"is an invalid path: {error}")]
    causes = []
    if path.startswith(".metadata."):
        causes.append(invalid(field, path, "must not point to fields in metadata"))
    if found.get("type") not in _SELECTABLE_TYPES:
        why = (
            "must point to a field of type string, boolean or integer. Enum string fields and strings with"
            " formats are allowed."
        )
        causes.append(invalid(field, path, why))
    return causes
