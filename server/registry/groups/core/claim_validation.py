"""Validation of PersistentVolumeClaims, also of those inside pods and StatefulSets."""

from typing import Any

from kubeling.objects import quantity
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object, annotations
from kubeling.objects.names import label_errors, qualified_name_errors, subdomain_errors
from server.registry.causes import (
    forbidden,
    immutable,
    invalid,
    invalids,
    not_supported,
    required,
)
from server.registry.groups.core.label_selector_validation import label_selector_causes
from server.registry.metadata import annotation_causes, label_causes

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_RESIZE_STATES = (
    "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress",
    "NodeResizeInfeasible", "NodeResizePending",
)  # fmt: skip


def claim_template_causes(field: str, template: Object) -> list[Cause]:
    own = template.get("metadata") or {}
    causes = annotation_causes(f"{field}.metadata.annotations", own.get("annotations") or {})
    causes += label_causes(f"{field}.metadata.labels", own.get("labels") or {})
    causes += [
        forbidden(f"{field}.metadata.{name}", "cannot be set")
        for name, value in own.items()
        if value and name not in ("annotations", "labels")
    ]
    return causes + claim_spec_causes(f"{field}.spec", template.get("spec") or {})


def claim_spec_causes(field: str, spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    modes = spec.get("accessModes") or []
    if not modes:
        causes.append(required(f"{field}.accessModes", "at least 1 access mode is required"))
    causes += label_selector_causes(f"{field}.selector", spec.get("selector"))
    causes += access_mode_causes(f"{field}.accessModes", modes)
    causes += _storage_causes(f"{field}.resources[storage]", spec)
    causes += class_causes(f"{field}.storageClassName", spec.get("storageClassName"))
    causes += volume_mode_causes(f"{field}.volumeMode", spec.get("volumeMode"))
    causes += _source_causes(field, spec)
    return causes + class_causes(f"{field}.volumeAttributesClassName", spec.get("volumeAttributesClassName"))


def access_mode_causes(field: str, modes: list[str]) -> list[Cause]:
    causes = [not_supported(field, mode, ACCESS_MODES) for mode in modes if mode not in ACCESS_MODES]
    known = {mode for mode in modes if mode in ACCESS_MODES}
    if "ReadWriteOncePod" in known and len(known) > 1:
        causes.append(forbidden(field, "may not use ReadWriteOncePod with other access modes"))
    return causes


def volume_mode_causes(field: str, mode: str | None) -> list[Cause]:
    return [] if mode is None or mode in VOLUME_MODES else [not_supported(field, mode, VOLUME_MODES)]


def class_causes(field: str, name: str | None) -> list[Cause]:
    return invalids(field, name, subdomain_errors(name)) if name else []


def _storage_causes(field: str, spec: Object) -> list[Cause]:
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if asked is None:
        return [required(field)]
    return positive_causes(field, asked)


def positive_causes(field: str, amount: str) -> list[Cause]:
    if quantity.parse(amount) <= 0:
        return [invalid(field, amount, "must be greater than zero")]
    return []


def _source_causes(field: str, spec: Object) -> list[Cause]:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    causes: list[Cause] = []
    if source is not None:
        causes += _reference_causes(f"{field}.dataSource", source)
    if reference is not None:
        causes += _reference_causes(f"{field}.dataSourceRef", reference)
    if source is None or reference is None:
        return causes
    if reference.get("namespace"):
        why = "may not be specified when dataSourceRef.namespace is specified"
        causes.append(invalid(field, f"{field}.dataSource", why))
    elif any(source.get(name) != reference.get(name) for name in ("apiGroup", "kind", "name")):
        causes.append(invalid(field, f"{field}.dataSource", "must match dataSourceRef"))
    return causes


def _reference_causes(field: str, reference: Object) -> list[Cause]:
    causes = [required(f"{field}.{name}") for name in ("name", "kind") if not reference.get(name)]
    group = reference.get("apiGroup") or ""
    if not group and reference.get("kind") != "PersistentVolumeClaim":
        why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        causes.append(invalid(field, reference.get("kind", ""), why))
    if group:
        causes += invalids(f"{field}.apiGroup", group, subdomain_errors(group))
    if namespace := reference.get("namespace"):
        causes += invalids(f"{field}.namespace", namespace, label_errors(namespace))
    return causes


def claim_update_causes(obj: Object, old: Object) -> list[Cause]:
    """A claim keeps its spec; once bound it may grow, and its class of attributes may change."""
    spec, before = obj["spec"], old["spec"]
    if spec == before and annotations(obj) == annotations(old):
        return []
    causes = _class_annotation_causes(obj, old)
    bound = (obj.get("status") or {}).get("phase") == "Bound"
    if _comparable(obj, spec, before, old, bound=bound) != _expected(spec, before):
        why = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for"
            " bound claims"
        )
        causes.append(forbidden("spec", why))
    causes += _shrink_causes(spec, before, old)
    if spec.get("volumeMode") != before.get("volumeMode"):
        causes.append(immutable("volumeMode", spec.get("volumeMode")))
    return causes + _attributes_class_causes(spec, before)


def _expected(spec: Object, before: Object) -> Object:
    """The old spec; a volume's name may be filled in once."""
    if before.get("volumeName") or not spec.get("volumeName"):
        return before
    return {**before, "volumeName": spec["volumeName"]}


def _comparable(obj: Object, spec: Object, before: Object, old: Object, *, bound: bool) -> Object:
    """The new spec with what may differ set back."""
    wanted = dict(spec)
    if _class_may_be_set(obj, spec, before, old):
        wanted.pop("storageClassName")
    if not bound:
        return wanted
    requests = (spec.get("resources") or {}).get("requests")
    kept = ((before.get("resources") or {}).get("requests") or {}).get("storage")
    if requests and kept is not None:
        wanted["resources"] = {**spec["resources"], "requests": {**requests, "storage": kept}}
    if wanted.get("volumeAttributesClassName") is not None:
        _set_or_drop(wanted, "volumeAttributesClassName", before.get("volumeAttributesClassName"))
    return wanted


def _set_or_drop(spec: Object, name: str, value: Any) -> None:
    if value is None:
        spec.pop(name, None)
    else:
        spec[name] = value


def _class_may_be_set(obj: Object, spec: Object, before: Object, old: Object) -> bool:
    """A claim without a class may be given one: the default came later, or an annotation said it."""
    name = spec.get("storageClassName")
    if name is None or before.get("storageClassName") is not None:
        return False
    return bool(annotations(old).get(CLASS_ANNOTATION, name) == name)


def _class_annotation_causes(obj: Object, old: Object) -> list[Cause]:
    new, before = (annotations(each).get(CLASS_ANNOTATION) for each in (obj, old))
    moved = before is not None and new is None and obj["spec"].get("storageClassName") == before
    if new == before or moved:
        return []
    return [immutable(f"metadata.annotations[{CLASS_ANNOTATION}]", new or "")]


def _shrink_causes(spec: Object, before: Object, old: Object) -> list[Cause]:
    new, size = (quantity.parse(_storage_of(each)) for each in (spec, before))
    capacity = ((old.get("status") or {}).get("capacity") or {}).get("storage", "0")
    if new < size and new <= quantity.parse(capacity):
        why = "field can not be less than status.capacity"
        return [forbidden("spec.resources.requests.storage", why)]
    return []


def _storage_of(spec: Object) -> str:
    return str(((spec.get("resources") or {}).get("requests") or {}).get("storage", "0"))


def _attributes_class_causes(spec: Object, before: Object) -> list[Cause]:
    name = "volumeAttributesClassName"
    if before.get(name) is None or spec.get(name) == before[name]:
        return []
    if spec.get(name) is None:
        return [forbidden(f"spec.{name}", "update from non-nil value to nil is forbidden")]
    if not spec[name]:
        return [forbidden(f"spec.{name}", "update from non-nil value to an empty string is forbidden")]
    return []


def claim_status_causes(obj: Object) -> list[Cause]:
    status = obj.get("status") or {}
    causes: list[Cause] = []
    if not obj["spec"].get("accessModes"):
        causes.append(required("Spec.accessModes"))
    for name, amount in (status.get("capacity") or {}).items():
        causes += basic_amount_causes(f"status.capacity[{name}]", amount)
    for name, state in (status.get("allocatedResourceStatuses") or {}).items():
        where = "status.allocatedResourceStatus"
        causes += _allocated_name_causes(where, name)
        if state not in _RESIZE_STATES:
            causes.append(not_supported(where, name, _RESIZE_STATES))
    for name, amount in (status.get("allocatedResources") or {}).items():
        wrong = _allocated_name_causes("status.allocatedResources", name)
        causes += wrong or basic_amount_causes(f"status.allocatedResources[{name}]", amount)
    return causes


def basic_amount_causes(field: str, amount: str) -> list[Cause]:
    if quantity.parse(amount) < 0:
        return [invalid(field, quantity.value(amount), "must be a valid resource quantity")]
    return []


def _allocated_name_causes(field: str, name: str) -> list[Cause]:
    if errors := qualified_name_errors(name):
        return invalids(field, name, errors)
    native = "/" not in name or "kubernetes.io/" in name
    return [not_supported(field, name, ("storage",))] if native and name != "storage" else []
