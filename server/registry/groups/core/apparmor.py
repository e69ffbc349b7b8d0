"""AppArmor profiles in annotations, the form before v1.30: they become fields when a pod is created."""

from collections.abc import Iterator

from kubeling.objects.meta import Object
from server.registry.groups.core.pod_defaults import containers_of
from server.registry.groups.core.security_validation import apparmor_causes

PREFIX = "container.apparmor.security.beta.kubernetes.io/"
DEPRECATED = 'deprecated since v1.30; use the "appArmorProfile" field instead'
_LOCAL = "localhost/"
_PROFILES = {"unconfined": "Unconfined", "runtime/default": "RuntimeDefault"}


def profiles_from_annotations(pod: Object) -> Iterator[str]:
    """Set the fields of containers that have an annotation only; gives the warnings about it."""
    annotations, spec = pod["metadata"].get("annotations"), pod["spec"]
    if not annotations or (spec.get("os") or {}).get("name") == "windows":
        return
    whole = (spec.get("securityContext") or {}).get("appArmorProfile")
    for container in containers_of(spec):
        annotation = annotations.get(f"{PREFIX}{container.get('name', '')}")
        if annotation is None or (container.get("securityContext") or {}).get("appArmorProfile"):
            continue
        profile = _profile(annotation)
        if profile is not None and profile == whole:
            continue
        if profile is not None:
            container.setdefault("securityContext", {})["appArmorProfile"] = profile
        yield f"metadata.annotations[{PREFIX}{container['name']}]: {DEPRECATED}"


def _profile(annotation: str) -> Object | None:
    """The field that says what the annotation says; None when it says nothing valid."""
    if annotation in _PROFILES:
        return {"type": _PROFILES[annotation]}
    if not annotation.startswith(_LOCAL):
        return None
    profile = {"type": "Localhost", "localhostProfile": annotation.removeprefix(_LOCAL)}
    return None if apparmor_causes("", profile) else profile
