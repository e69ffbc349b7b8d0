"""Object metadata: what the server sets, what may not change, and what form the rest must have."""

from collections.abc import Callable, Mapping
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import BadRequest, Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_value_errors, qualified_name_errors
from server.registry.causes import forbidden, immutable, invalid, invalids, required, too_long
from server.registry.kind import Kind
from server.registry.strategy import Scope

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_EXTENSIONS = ("apiextensions.k8s.io", "apiregistration.k8s.io")
"""Groups whose objects, like custom resources, may have finalizers without a domain."""
_STANDARD_FINALIZERS = (ORPHAN, FOREGROUND, "kubernetes")
_ANNOTATIONS_LIMIT = 256 * 1024
_LONGEST_GENERATED_PREFIX = 63 - 5
_SERVER_FIELDS = ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds")


def of(obj: Object) -> Object:
    """The object's metadata, made if there is none."""
    found: Object = obj.setdefault("metadata", {})
    return found


def place(kind: Kind, namespace: str, obj: Object) -> None:
    """Set the namespace that the request names.

    Raises:
        BadRequest: the object says another one, or there is none to put it into.
    """
    own = of(obj)
    if not kind.namespaced:
        own.pop("namespace", None)
    elif own.get("namespace", namespace) != namespace:
        raise BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    elif not namespace:
        raise BadRequest("an empty namespace may not be set during creation")
    else:
        own["namespace"] = namespace


def fill(scope: Scope, obj: Object) -> None:
    """What the server sets at creation."""
    own = of(obj)
    for name in _SERVER_FIELDS:
        own.pop(name, None)
    own["uid"] = meta.new_uid()
    own["creationTimestamp"] = meta.timestamp(scope.now)
    if scope.kind.strategy.has_generation:
        own["generation"] = 1


def generated_name(prefix: str) -> str:
    return prefix[:_LONGEST_GENERATED_PREFIX] + meta.random_suffix()


def keep(obj: Object, old: Object) -> None:
    """What no update can change, taken over from the stored object; an absent uid is filled in."""
    own, before = of(obj), old["metadata"]
    for name in ("creationTimestamp", "generation", *_SERVER_FIELDS):
        if name in before:
            own[name] = before[name]
        else:
            own.pop(name, None)
    own.setdefault("uid", before["uid"])
    own.setdefault("name", before["name"])


def take_entries(obj: Object, wanted: Object) -> None:
    """Of a wanted object that has been narrowed to what may change, the managedFields still count."""
    entries = wanted["metadata"].get("managedFields")
    if obj["metadata"].get("managedFields") is entries:
        return
    obj["metadata"] = {key: each for key, each in obj["metadata"].items() if key != "managedFields"}
    if entries is not None:
        obj["metadata"]["managedFields"] = entries


def differs(obj: Object, old: Object) -> bool:
    """Whether anything of the metadata differs but managedFields, which change with everything."""
    own, before = obj["metadata"], old["metadata"]
    return any(own.get(name) != before.get(name) for name in own.keys() | before.keys() - {"managedFields"})


def bump_generation(obj: Object, old: Object) -> None:
    """Count a change of anything but metadata and status."""
    if _intent(obj) != _intent(old):
        obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _intent(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in ("metadata", "status")}


def validate(kind: Kind, obj: Object) -> list[Cause]:
    """The rules that hold for every object."""
    own = of(obj)
    return [
        *_name_causes(kind, own),
        *label_causes("metadata.labels", own.get("labels") or {}),
        *_annotation_causes("metadata.annotations", own.get("annotations") or {}),
        *_finalizer_causes(own.get("finalizers") or [], any_name=kind.custom or kind.group in _EXTENSIONS),
        *_owner_causes(own.get("ownerReferences") or []),
    ]


def validate_update(obj: Object, old: Object) -> list[Cause]:
    own, before = obj["metadata"], old["metadata"]
    found = [
        immutable(f"metadata.{name}", own.get(name))
        for name in ("name", "namespace", "uid")
        if own.get(name) != before.get(name)
    ]
    if before.get("deletionTimestamp"):
        added = [each for each in own.get("finalizers") or () if each not in (before.get("finalizers") or ())]
        if added:
            listed = ", ".join(f'"{each}"' for each in added)
            why = "no new finalizers can be added if the object is being deleted, found new finalizers"
            found.append(forbidden("metadata.finalizers", f"{why} []string{{{listed}}}"))
    return found


def _name_causes(kind: Kind, own: Object) -> list[Cause]:
    errors = kind.strategy.name_errors
    found = []
    if prefix := own.get("generateName"):
        masked = f"{prefix[:-1]}a" if prefix.endswith("-") else prefix
        found += invalids("metadata.generateName", prefix, errors(masked))
    name = own.get("name")
    if not name:
        return [*found, required("metadata.name", "name or generateName is required")]
    return [*found, *invalids("metadata.name", name, errors(name))]


def label_causes(field: str, labels: Mapping[str, str]) -> list[Cause]:
    found: list[Cause] = []
    for key, value in labels.items():
        found += _checked(field, key, qualified_name_errors)
        found += invalids(field, value, label_value_errors(value))
    return found


def _checked(field: str, value: str, errors: Callable[[str], list[str]]) -> list[Cause]:
    return invalids(field, value, errors(value))


def annotation_causes(field: str, annotations: Mapping[str, str]) -> list[Cause]:
    return _annotation_causes(field, annotations)


def _annotation_causes(field: str, annotations: Mapping[str, str]) -> list[Cause]:
    found: list[Cause] = []
    size = 0
    for key, value in annotations.items():
        found += invalids(field, key, qualified_name_errors(key.lower()))
        size += len(key.encode()) + len(value.encode())
    return [*found, too_long(field, _ANNOTATIONS_LIMIT)] if size > _ANNOTATIONS_LIMIT else found


def _finalizer_causes(finalizers: list[str], *, any_name: bool) -> list[Cause]:
    found: list[Cause] = []
    for each in finalizers:
        errors = qualified_name_errors(each)
        if not errors and not any_name and "/" not in each and each not in _STANDARD_FINALIZERS:
            errors = ["name is neither a standard finalizer name nor is it fully qualified"]
        found += invalids("metadata.finalizers", each, errors)
    if ORPHAN in finalizers and FOREGROUND in finalizers:
        why = "finalizer orphan and foregroundDeletion cannot be both set"
        found.append(invalid("metadata.finalizers", finalizers, why))
    return found


def _owner_causes(references: list[dict[str, Any]]) -> list[Cause]:
    field, found = "metadata.ownerReferences", []
    controllers = [each for each in references if each.get("controller")]
    for each in references:
        for name, detail in (
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ):
            if not each.get(name):
                found.append(invalid(f"{field}.{name}", each.get(name, ""), detail))
        if (each.get("apiVersion"), each.get("kind")) == ("v1", "Event"):
            found.append(invalid(field, each, "/v1, Kind=Event is disallowed from being an owner"))
    for each in controllers[1:]:
        first, other = (f"{ref.get('kind')}/{ref.get('name')}" for ref in (controllers[0], each))
        both = f'Found "true" in references for {first} and {other}'
        found.append(
            invalid(field, references, f"Only one reference can have Controller set to true. {both}")
        )
    return found


def drop_repeated_owners(scope: Scope, obj: Object) -> None:
    """Of references to the same owner the first one counts; whoever states more is warned."""
    references = of(obj).get("ownerReferences") or []
    found: Object = {}
    repeated = [each["uid"] for each in references if found.setdefault(each.get("uid"), each) is not each]
    if not repeated:
        return
    of(obj)["ownerReferences"] = list(found.values())
    scope.context.warnings.append(
        ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+,"
        " and may reject such requests as early as 1.24; please fix your requests;"
        f" duplicate UID(s) observed: {', '.join(repeated)}"
    )
