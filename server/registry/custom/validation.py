"""What is wrong with a CustomResourceDefinition: names, versions, columns, subresources, immutable fields.

Fields are named as upstream names them, which is by its internal form: what all versions have in common
stands at the top of the spec there (`spec.validation`, `spec.subresources`, ...). The schemas' own rules are
in `server.schema.custom`, those of conversion webhooks in `conversion_validation`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_1035_errors, subdomain_errors
from server.registry.causes import choice, immutable, invalid, required
from server.registry.custom.approval import approval_causes
from server.registry.custom.conversion_validation import conversion_causes
from server.registry.custom.definition import is_true
from server.registry.custom.version_validation import version_causes

_SCOPES = ("Cluster", "Namespaced")
_HOISTED = {
    "schema": "validation",
    "subresources": "subresources",
    "additionalPrinterColumns": "additionalPrinterColumns",
    "selectableFields": "selectableFields",
}
"""What stands once when all versions agree, by its name in a version and at the top."""


def creation_causes(obj: Object) -> list[Cause]:
    """What is wrong with a new definition."""
    return [*_name_causes(obj), *_causes(obj, None)]


def update_causes(obj: Object, old: Object) -> list[Cause]:
    """What is wrong with a definition that is to replace a stored one."""
    return [*_causes(obj, old), *_changed(obj["spec"], old["spec"], established=is_true(old, "Established"))]


def status_causes(obj: Object) -> list[Cause]:
    accepted = (obj.get("status") or {}).get("acceptedNames") or {}
    return names_causes("status.acceptedNames", accepted)


def _causes(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj["spec"]
    return [
        *_spec_causes(spec, old),
        *status_causes(obj),
        *_stored_causes((obj.get("status") or {}).get("storedVersions") or [], spec.get("versions") or []),
        *approval_causes(obj, old),
        *_preservation_causes(spec, old),
    ]


def _name_causes(obj: Object) -> list[Cause]:
    names, name = obj["spec"].get("names") or {}, obj["metadata"].get("name", "")
    if name == f"{names.get('plural', '')}.{obj['spec'].get('group', '')}":
        return []
    return [invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')]


def _spec_causes(spec: Object, old: Object | None) -> list[Cause]:
    versions = spec.get("versions") or []
    return [
        *_group_causes(spec.get("group") or ""),
        *choice("spec.scope", spec.get("scope"), _SCOPES),
        *_schema_presence(versions),
        *_versions_causes(spec, versions, old),
        *_required_names(spec.get("names") or {}),
        *names_causes("spec.names", spec.get("names") or {}),
        *_top_causes(spec, versions, old),
        *conversion_causes(spec, old),
    ]


def _group_causes(group: str) -> list[Cause]:
    if not group:
        return [required("spec.group")]
    if errors := subdomain_errors(group):
        return [invalid("spec.group", group, ",".join(errors))]
    if "." not in group:
        return [invalid("spec.group", group, "should be a domain with at least one dot")]
    return []


def _schema_presence(versions: Sequence[Object]) -> list[Cause]:
    if versions and _common(versions, "schema") and _has_schema(versions[0]):
        return []
    return [
        required(f"spec.versions[{number}].schema.openAPIV3Schema", "schemas are required")
        for number, version in enumerate(versions)
        if not _has_schema(version)
    ]


def _has_schema(version: Object) -> bool:
    return (version.get("schema") or {}).get("openAPIV3Schema") is not None


def _common(versions: Sequence[Object], name: str) -> bool:
    """Whether all versions have the same there, so that upstream speaks of it at the top of the spec."""
    return all(version.get(name) == versions[0].get(name) for version in versions[1:])


def _versions_causes(spec: Object, versions: Sequence[Object], old: Object | None) -> list[Cause]:
    causes: list[Cause] = []
    names = [version.get("name") or "" for version in versions]
    shared = {name for name in _HOISTED if versions and _common(versions, name)}
    for number, version in enumerate(versions):
        field = f"spec.versions[{number}]"
        if errors := label_1035_errors(names[number]):
            causes.append(invalid(f"{field}.name", names[number], ",".join(errors)))
        own = {key: value for key, value in version.items() if key not in shared}
        fields = {name: f"{field}.{name}" for name in _HOISTED}
        causes += version_causes(field, own, fields=fields, stored=_stored_version(old, names[number]))
    if len(set(names)) < len(names):
        causes.append(invalid("spec.versions", versions, "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        why = "must have exactly one version marked as storage version"
        causes.append(invalid("spec.versions", versions, why))
    return causes


def _top_causes(spec: Object, versions: Sequence[Object], old: Object | None) -> list[Cause]:
    """What the versions have in common, looked at once."""
    if not versions:
        return []
    common = {name: versions[0][name] for name in _HOISTED if name in versions[0] and _common(versions, name)}
    if "schema" in common:  # whether a schema may have this or that depends on the status subresource
        common["status"] = any(
            (each.get("subresources") or {}).get("status") is not None for each in versions
        )
    fields = {name: f"spec.{top}" for name, top in _HOISTED.items()}
    return version_causes("", common, fields=fields, stored=_stored_version(old, versions[0].get("name")))


def _stored_version(old: Object | None, name: Any) -> Object:
    """The version of that name as it is stored."""
    versions: Iterable[Object] = (old or {}).get("spec", {}).get("versions") or ()
    return next((version for version in versions if version.get("name") == name), {})


def _required_names(names: Object) -> list[Cause]:
    wanted = ("plural", "singular", "kind", "listKind")
    return [required(f"spec.names.{name}") for name in wanted if not names.get(name)]


def names_causes(field: str, names: Object) -> list[Cause]:
    """What is wrong with the names that are given."""
    causes: list[Cause] = []
    for name in ("plural", "singular"):
        causes += _label_causes(f"{field}.{name}", names.get(name) or "")
    for name in ("kind", "listKind"):
        value = names.get(name) or ""
        if value and (errors := label_1035_errors(value.lower())):
            why = f"may have mixed case, but should otherwise match: {','.join(errors)}"
            causes.append(invalid(f"{field}.{name}", value, why))
    for number, name in enumerate(names.get("shortNames") or ()):
        causes += _label_causes(f"{field}.shortNames[{number}]", name, empty=True)
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        causes.append(
            invalid(f"{field}.listKind", names["listKind"], "kind and listKind may not be the same")
        )
    for number, name in enumerate(names.get("categories") or ()):
        causes += _label_causes(f"{field}.categories[{number}]", name, empty=True)
    return causes


def _label_causes(field: str, value: str, *, empty: bool = False) -> list[Cause]:
    errors = label_1035_errors(value) if value or empty else []
    return [invalid(field, value, ",".join(errors))] if errors else []


def _stored_causes(stored: list[str], versions: Sequence[Object]) -> list[Cause]:
    field = "status.storedVersions"
    if not stored:
        return [invalid(field, None, "must have at least one stored version")]
    known = {version.get("name") for version in versions}
    causes = [
        invalid(field, stored, f"must have the storage version {version.get('name')}")
        for version in versions
        if version.get("storage") and version.get("name") not in stored
    ]
    for number, name in enumerate(stored):
        if name not in known:
            why = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in"
                " spec.versions until a storage migration ensures no data remains persisted in"
                f" {name} and removes {name} from status.storedVersions"
            )
            causes.append(invalid(f"{field}[{number}]", name, why))
    return causes


def _preservation_causes(spec: Object, old: Object | None) -> list[Cause]:
    if not spec.get("preserveUnknownFields") or (old or {}).get("spec", {}).get("preserveUnknownFields"):
        return []
    why = (
        "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema"
        " instead"
    )
    return [invalid("spec.preserveUnknownFields", True, why)]


def _changed(spec: Object, old: Object, *, established: bool) -> list[Cause]:
    """Fields that may not change: once objects may be stored under them, or never."""
    names, before = spec.get("names") or {}, old.get("names") or {}
    pairs = [
        ("spec.scope", spec.get("scope"), old.get("scope")),
        ("spec.names.kind", names.get("kind"), before.get("kind")),
    ]
    pairs = pairs if established else []
    pairs += [
        ("spec.group", spec.get("group"), old.get("group")),
        ("spec.names.plural", names.get("plural"), before.get("plural")),
    ]
    return [immutable(field, value) for field, value, was in pairs if value != was]
