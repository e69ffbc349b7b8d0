"""What an update of a pod may change: images, deadlines, tolerations to be added, gates to be removed."""

from typing import Any

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object, annotations
from server.registry.causes import forbidden, in_range, invalid
from server.registry.groups.core.apparmor import PREFIX as APPARMOR

MIRROR = "kubernetes.io/config.mirror"
"""The annotation of pods that a node runs on its own account."""
_MESSAGE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_LONGEST = 2**31 - 1


def update_causes(obj: Object, old: Object) -> list[Cause]:
    spec, before = obj["spec"], old["spec"]
    causes = annotation_update_causes(obj, old)
    if spec == before:
        return causes
    for name in ("containers", "initContainers"):
        if len(spec.get(name) or ()) != len(before.get(name) or ()):
            return [*causes, forbidden(f"spec.{name}", "pod updates may not add or remove containers")]
    causes += _deadline_causes(spec, before)
    causes += _toleration_causes(spec, before)
    causes += _gate_causes(spec, before)
    if before.get("schedulingGates"):
        causes += _node_selector_causes(spec, before) + _node_affinity_causes(spec, before)
    return causes if _munged(spec, before) == before else [*causes, forbidden("spec", _MESSAGE)]


def annotation_update_causes(obj: Object, old: Object) -> list[Cause]:
    """Annotations that say how the pod runs stay: mirrors of a node's own pods, AppArmor's profiles."""
    new, before = annotations(obj), annotations(old)
    if new == before:
        return []
    changed = [key for key, value in before.items() if new.get(key) != value]
    added = [key for key in new if key not in before]
    causes = []
    for keys, what in ((changed, "remove or update"), (added, "add")):
        for key in keys:
            if key == MIRROR or key.startswith(APPARMOR):
                noun = "mirror pod annotation" if key == MIRROR else "AppArmor annotations"
                causes.append(forbidden(f"metadata.annotations[{key}]", f"may not {what} {noun}"))
    return causes


def _deadline_causes(spec: Object, before: Object) -> list[Cause]:
    new, old = spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds")
    field = "spec.activeDeadlineSeconds"
    if new is not None and not 0 <= new <= _LONGEST:
        return in_range(field, new, 0, _LONGEST)
    if old is not None and new is None:
        return [invalid(field, None, "must not update from a positive integer to nil value")]
    if old is not None and new is not None and new > old:
        return [invalid(field, new, "must be less than or equal to previous value")]
    return []


def _toleration_causes(spec: Object, before: Object) -> list[Cause]:
    """Existing tolerations must stay; only how long they tolerate may change."""
    kept = [_without_seconds(each) for each in spec.get("tolerations") or ()]
    if all(_without_seconds(each) in kept for each in before.get("tolerations") or ()):
        return []
    why = "existing toleration can not be modified except its tolerationSeconds"
    return [forbidden("spec.tolerations", why)]


def _without_seconds(toleration: Object) -> Object:
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}


def _gate_causes(spec: Object, before: Object) -> list[Cause]:
    names = {each.get("name") for each in before.get("schedulingGates") or ()}
    return [
        forbidden(
            f"spec.schedulingGates[{position}].name",
            f"only deletion is allowed, but found new scheduling gate '{each.get('name')}'",
        )
        for position, each in enumerate(spec.get("schedulingGates") or ())
        if each.get("name") not in names
    ]


def _node_selector_causes(spec: Object, before: Object) -> list[Cause]:
    new, old = spec.get("nodeSelector") or {}, before.get("nodeSelector") or {}
    if all(new.get(key) == value for key, value in old.items()):
        return []
    why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
    return [invalid("spec.nodeSelector", new, why)]


def _node_affinity_causes(spec: Object, before: Object) -> list[Cause]:
    """Of what is required, terms may become narrower, no more."""
    field = f"spec.affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms"
    old, new = _required_terms(before), _required_terms(spec)
    if not old:
        return []
    if len(old) != len(new):
        why = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [invalid(field, new, why)]
    why = "only additions are allowed (no mutations or deletions)"
    return [
        invalid(f"{field}[{position}]", term, why)
        for position, (term, was) in enumerate(zip(new, old, strict=True))
        if not _only_added(term, was)
    ]


def _required_terms(spec: Object) -> list[Object]:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    found: list[Object] = (affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or []
    return found


def _only_added(term: Object, was: Object) -> bool:
    pairs = [(term.get(name) or [], was.get(name) or []) for name in ("matchExpressions", "matchFields")]
    if not any(old for _, old in pairs) and any(new for new, _ in pairs):
        return False
    return all(new[: len(old)] == old for new, old in pairs)


def _munged(spec: Object, before: Object) -> Object:
    """The new spec with everything that may differ set back."""
    fields = ["activeDeadlineSeconds", "tolerations", "schedulingGates"]
    gated = bool(before.get("schedulingGates"))
    if gated:
        fields.append("nodeSelector")
    if before.get("terminationGracePeriodSeconds", 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        fields.append("terminationGracePeriodSeconds")
    munged = {key: value for key, value in spec.items() if key not in fields}
    munged |= {name: before[name] for name in fields if name in before}
    for name in ("containers", "initContainers"):
        if name in munged:
            munged[name] = _with_images_of(munged[name], before.get(name) or [])
    if gated:
        _restore_node_affinity(munged, before)
    return munged


def _restore_node_affinity(munged: Object, before: Object) -> None:
    affinity = dict(munged.get("affinity") or {})
    affinity.pop("nodeAffinity", None)
    kept = (before.get("affinity") or {}).get("nodeAffinity")
    if kept is not None:
        affinity["nodeAffinity"] = kept
    munged.pop("affinity", None)
    if affinity or "affinity" in before:
        munged["affinity"] = affinity


def _with_images_of(containers: list[Any], before: list[Any]) -> list[Any]:
    return [
        {**each, "image": old["image"]} if "image" in old else each
        for each, old in zip(containers, before, strict=False)
    ]


def ephemeral_update_causes(obj: Object, old: Object) -> list[Cause]:
    """Debugging containers may be added, never changed or removed."""
    if MIRROR in annotations(old):
        return [forbidden("", "static pods do not support ephemeral containers")]
    field = "spec.ephemeralContainers"
    by_name = {each.get("name"): each for each in obj["spec"].get("ephemeralContainers") or ()}
    causes: list[Cause] = []
    for each in old["spec"].get("ephemeralContainers") or ():
        name = each.get("name")
        if name not in by_name:
            why = f'existing ephemeral containers "{name}" may not be removed\n'
            causes.append(forbidden(field, why))
        elif by_name[name] != each:
            why = f'existing ephemeral containers "{name}" may not be changed\n'
            causes.append(forbidden(field, why))
    return causes
