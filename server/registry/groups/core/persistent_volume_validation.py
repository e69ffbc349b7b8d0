"""Validation of PersistentVolumes."""

import posixpath

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object, name
from kubeling.objects.names import label_errors, subdomain_errors
from server.registry.causes import forbidden, immutable, invalid, invalids, not_supported, required
from server.registry.groups.core.claim_validation import (
    access_mode_causes,
    basic_amount_causes,
    class_causes,
    positive_causes,
    volume_mode_causes,
)
from server.registry.groups.core.node_selector_validation import node_selector_causes
from server.registry.groups.core.paths import backstep_causes
from server.registry.groups.core.volume_sources import SOURCES, driver_causes, more_than_one

_POLICIES = ("Delete", "Recycle", "Retain")
_NAMESPACED_SECRETS = ("cinder", "storageos")
_CSI_SECRETS = (
    "controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef",
)  # fmt: skip
_SOURCES = (*(each for each in SOURCES if each != "gitRepo"), "local", "csi")
_INLINE = "may not be specified in the context of inline volumes"
_NOT_INLINE = (
    "claimRef", "capacity", "persistentVolumeReclaimPolicy", "nodeAffinity", "storageClassName", "volumeMode",
)  # fmt: skip
_BETA_LABELS = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}


def volume_causes(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    modes = spec.get("accessModes") or []
    causes = [] if modes else [required("spec.accessModes")]
    causes += access_mode_causes("spec.accessModes", modes)
    causes += _capacity_causes(spec.get("capacity") or {})
    policy = spec.get("persistentVolumeReclaimPolicy")
    if policy and policy not in _POLICIES:
        causes.append(not_supported("spec.persistentVolumeReclaimPolicy", policy, _POLICIES))
    causes += _affinity_causes(spec)
    causes += _source_causes(spec)
    path = (spec.get("hostPath") or {}).get("path", "")
    if path and posixpath.normpath(path) == "/" and policy == "Recycle":
        why = "may not be 'recycle' for a hostPath mount of '/'"
        causes.append(forbidden("spec.persistentVolumeReclaimPolicy", why))
    causes += class_causes("spec.storageClassName", spec.get("storageClassName"))
    causes += volume_mode_causes("spec.volumeMode", spec.get("volumeMode"))
    return causes + _attributes_class_causes(spec) + _iscsi_causes(obj, spec)


def _capacity_causes(capacity: Object) -> list[Cause]:
    causes = [] if capacity else [required("spec.capacity")]
    if set(capacity) != {"storage"}:
        causes.append(not_supported("spec.capacity", capacity, ("storage",)))
    for resource, amount in capacity.items():
        where = f"spec.capacity[{resource}]"
        causes += basic_amount_causes(where, amount) + positive_causes(where, amount)
    return causes


def _affinity_causes(spec: Object) -> list[Cause]:
    affinity = spec.get("nodeAffinity")
    if affinity is None:
        return []
    if affinity.get("required") is None:
        return [required("spec.nodeAffinity.required", "must specify required node constraints")]
    return node_selector_causes("spec.nodeAffinity.required", affinity["required"])


def _source_causes(spec: Object) -> list[Cause]:
    given = [each for each in _SOURCES if spec.get(each) is not None]
    if not given:
        return [required("spec", "must specify a volume type")]
    first, *others = given
    where, source = f"spec.{first}", spec[first]
    match first:
        case "local":
            causes = _local_causes(source, spec)
        case "csi":
            causes = csi_causes("spec.csi", source)
        case _:
            causes = SOURCES[first](where, source) + _secret_namespace_causes(first, source)
    return causes + [more_than_one(f"spec.{each}") for each in others]


def _secret_namespace_causes(kind: str, source: Object) -> list[Cause]:
    """Secrets of PersistentVolumes say where they are."""
    where, reference = f"spec.{kind}", source.get("secretRef")
    causes: list[Cause] = []
    if kind in _NAMESPACED_SECRETS and reference is not None and not reference.get("namespace"):
        causes.append(required(f"{where}.secretRef.namespace"))
    if kind == "iscsi" and reference is not None and not reference.get("name"):
        causes.append(required(f"{where}.secretRef.name"))
    if kind == "azureFile" and source.get("secretNamespace") == "":
        causes.append(required(f"{where}.secretNamespace"))
    if kind == "glusterfs" and (namespace := source.get("endpointsNamespace")) is not None:
        errors = label_errors(namespace)
        if not namespace:
            errors = ["if the endpointnamespace is set, it must be a valid namespace name"]
        causes += invalids(f"{where}.endpointsNamespace", namespace, errors)
    return causes


def _local_causes(source: Object, spec: Object) -> list[Cause]:
    path = source.get("path", "")
    causes = backstep_causes("spec.local.path", path) if path else [required("spec.local.path")]
    if spec.get("nodeAffinity") is None:
        causes.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
    return causes


def csi_causes(field: str, source: Object) -> list[Cause]:
    causes = driver_causes(f"{field}.driver", source.get("driver", ""))
    if not source.get("volumeHandle"):
        causes.append(required(f"{field}.volumeHandle"))
    for each in _CSI_SECRETS:
        if (reference := source.get(each)) is not None:
            causes += _secret_causes(f"{field}.{each}", reference)
    return causes


def inline_causes(field: str, spec: Object) -> list[Cause]:
    """A volume attached without a PersistentVolume: a CSI driver's, with nothing that claims ask for."""
    causes = [forbidden(f"{field}.{name}", _INLINE) for name in _NOT_INLINE if spec.get(name)]
    if spec.get("csi") is None:
        causes.append(required(f"{field}.csi", "has to be specified in the context of inline volumes"))
    else:
        causes += csi_causes(f"{field}.csi", spec["csi"])
    modes = spec.get("accessModes") or []
    causes += [] if modes else [required(f"{field}.accessModes")]
    return causes + access_mode_causes(f"{field}.accessModes", modes)


def _secret_causes(field: str, reference: Object) -> list[Cause]:
    causes: list[Cause] = []
    for part, errors in (("name", subdomain_errors), ("namespace", label_errors)):
        value, where = reference.get(part, ""), f"{field}.{part}"
        causes += invalids(where, value, errors(value)) if value else [required(where)]
    return causes


def _attributes_class_causes(spec: Object) -> list[Cause]:
    chosen, field = spec.get("volumeAttributesClassName"), "spec.volumeAttributesClassName"
    if chosen is None:
        return []
    causes = class_causes(field, chosen) if chosen else [required(field, "an empty string is disallowed")]
    if spec.get("csi") is None:
        why = "has to be specified when using volumeAttributesClassName"
        causes.append(required("spec.csi", why))
    return causes


def _iscsi_causes(obj: Object, spec: Object) -> list[Cause]:
    source = spec.get("iscsi") or {}
    portal = source.get("targetPortal", "")
    if "initiatorName" in source and len(f"{name(obj)}:{portal}") > 64:
        why = (
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if"
            " iscsi.initiatorName is specified."
        )
        return [invalid("spec.iscsi.targetportal", portal, why)]
    return []


def volume_update_causes(obj: Object, old: Object) -> list[Cause]:
    spec, before = obj["spec"], old["spec"]
    causes: list[Cause] = []
    if _sources_of(spec, before) != _sources_of(before, before):
        why = "spec.persistentvolumesource is immutable after creation"
        causes.append(forbidden("spec.persistentvolumesource", why))
    if spec.get("volumeMode") != before.get("volumeMode"):
        causes.append(immutable("volumeMode", spec.get("volumeMode")))
    if before.get("nodeAffinity") is not None and not _same_affinity(spec, before):
        why = "field is immutable, except for updating from beta label to GA"
        causes.append(invalid("nodeAffinity", spec.get("nodeAffinity"), why))
    chosen = "volumeAttributesClassName"
    if before.get(chosen) is not None and spec.get(chosen) is None:
        causes.append(forbidden(f"spec.{chosen}", "update from non-nil value to nil is forbidden"))
    return causes


def _sources_of(spec: Object, before: Object) -> Object:
    """The volume's source; the secret for expansion may be added later."""
    found = {each: spec[each] for each in _SOURCES if each in spec}
    added = "controllerExpandSecretRef"
    if "csi" in found and added not in (before.get("csi") or {}):
        found["csi"] = {key: value for key, value in found["csi"].items() if key != added}
    return found


def _same_affinity(spec: Object, before: Object) -> bool:
    return spec.get("nodeAffinity") in (before["nodeAffinity"], _with_stable_labels(before["nodeAffinity"]))


def _with_stable_labels(affinity: Object) -> Object:
    terms = [
        {
            **term,
            "matchExpressions": [
                {**each, "key": _BETA_LABELS.get(each.get("key", ""), each.get("key"))}
                for each in term.get("matchExpressions") or ()
            ],
        }
        for term in (affinity.get("required") or {}).get("nodeSelectorTerms") or ()
    ]
    return {"required": {"nodeSelectorTerms": terms}}
