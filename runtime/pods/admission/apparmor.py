"""AppArmor profiles: the fields of security contexts, and the annotations that came before them."""

from collections.abc import Mapping
from typing import Any

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object

_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
_UNCONFINED, _DEFAULT, _LOCAL = "unconfined", "runtime/default", "localhost/"
LISTS = ("initContainers", "containers", "ephemeralContainers")


def needs_apparmor(spec: Object, annotations: Mapping[str, str]) -> bool:
    """Whether a profile is asked for, so that the kernel must have AppArmor."""
    contexts = [spec, *(container for kind in LISTS for container in spec.get(kind) or [])]
    kinds = {_field(each).get("type") for each in contexts}
    named = {value for key, value in annotations.items() if key.startswith(_ANNOTATION)}
    return bool(kinds - {None, "Unconfined"} or named - {_UNCONFINED, ""})


def apparmor_profile(
    spec: Object, annotations: Mapping[str, str], container: Object
) -> cri.SecurityProfile | None:
    """The container's: its own field's, its annotation's, or the pod's field's; None where there is none."""
    named = annotations.get(_ANNOTATION + container["name"], "")
    field = _field(container) or _of_annotation(named) or _field(spec)
    if not field:
        return None
    kind = cri.SecurityProfile.ProfileType.Value(field["type"])
    return cri.SecurityProfile(profile_type=kind, localhost_ref=field.get("localhostProfile") or "")


def deprecated_name(profile: cri.SecurityProfile | None) -> str:
    """The profile as runtimes knew it before CRI had a message for it."""
    if profile is None:
        return ""
    if profile.profile_type == cri.SecurityProfile.Localhost:
        return _LOCAL + profile.localhost_ref
    return _DEFAULT if profile.profile_type == cri.SecurityProfile.RuntimeDefault else _UNCONFINED


def _field(holder: Object) -> Any:
    return (holder.get("securityContext") or {}).get("appArmorProfile") or {}


def _of_annotation(value: str) -> Object:
    if value.startswith(_LOCAL):
        return {"type": "Localhost", "localhostProfile": value.removeprefix(_LOCAL)}
    return {_DEFAULT: {"type": "RuntimeDefault"}, _UNCONFINED: {"type": "Unconfined"}}.get(value, {})
