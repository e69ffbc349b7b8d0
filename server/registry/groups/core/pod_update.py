"""What an update of a pod may change: images, deadlines, tolerations to be added, gates to be removed."""

from typing import Any

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import forbidden, invalid

_MESSAGE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_WHILE_GATED = ("nodeSelector", "affinity")


def update_causes(obj: Object, old: Object) -> list[Cause]:
    spec, before = obj["spec"], old["spec"]
    if spec == before:
        return []
    causes = [
        *_container_count_causes(spec, before),
        *_deadline_causes(spec, before),
        *_toleration_causes(spec, before),
        *_gate_causes(spec, before),
    ]
    if causes:
        return causes
    return [] if _munged(spec, before) == before else [forbidden("spec", _MESSAGE)]


def _container_count_causes(spec: Object, before: Object) -> list[Cause]:
    return [
        forbidden(f"spec.{name}", "pod updates may not add or remove containers")
        for name in ("containers", "initContainers")
        if len(spec.get(name) or ()) != len(before.get(name) or ())
    ]


def _deadline_causes(spec: Object, before: Object) -> list[Cause]:
    new, old = spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds")
    if old is not None and new is None:
        return [
            invalid(
                "spec.activeDeadlineSeconds", None, "must not update from a positive integer to nil value"
            )
        ]
    if old is not None and new > old:
        why = "must be less than or equal to previous value"
        return [invalid("spec.activeDeadlineSeconds", new, why)]
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
    added = [each["name"] for each in spec.get("schedulingGates") or () if each.get("name") not in names]
    why = f"only deletion is allowed, but found new scheduling gate '{added[0]}'" if added else ""
    return [forbidden("spec.schedulingGates", why)] if added else []


def _munged(spec: Object, before: Object) -> Object:
    """The new spec with everything that may differ set back."""
    fields = ["activeDeadlineSeconds", "tolerations", "schedulingGates"]
    if before.get("schedulingGates"):
        fields += _WHILE_GATED
    if before.get("terminationGracePeriodSeconds", 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        fields.append("terminationGracePeriodSeconds")
    munged = {key: value for key, value in spec.items() if key not in fields}
    munged |= {name: before[name] for name in fields if name in before}
    for name in ("containers", "initContainers"):
        if name in munged:
            munged[name] = _with_images_of(munged[name], before.get(name) or [])
    return munged


def _with_images_of(containers: list[Any], before: list[Any]) -> list[Any]:
    return [
        {**each, "image": old["image"]} if "image" in old else each
        for each, old in zip(containers, before, strict=False)
    ]
