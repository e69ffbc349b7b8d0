"""Validation of security contexts: of a pod and of its containers."""

import re
from typing import Any

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import (
    duplicate,
    forbidden,
    in_range,
    invalid,
    not_supported,
    required,
    too_long,
    unsupported,
)
from server.registry.groups.core.paths import descending_causes
from server.registry.groups.core.windows_validation import windows_options_causes

_LARGEST_ID = 2**31 - 1
_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL_TEXT = rf"^({_SEGMENT}[\./])*{_SEGMENT}$"
_SYSCTL = re.compile(_SYSCTL_TEXT)
_LONGEST_SYSCTL = 253
_LONGEST_PROFILE = 4095
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_NETWORK_SYSCTLS = ("net.",)
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")


def id_causes(field: str, holder: Object, *names: str) -> list[Cause]:
    """Users and groups are numbers of 31 bits."""
    causes: list[Cause] = []
    for name in names:
        if (value := holder.get(name)) is not None:
            causes += in_range(f"{field}.{name}", value, 0, _LARGEST_ID)
    return causes


def pod_security_causes(field: str, context: Object, spec: Object) -> list[Cause]:
    if not context and not spec.get("shareProcessNamespace"):
        return []
    causes = id_causes(field, context, "fsGroup", "runAsUser", "runAsGroup")
    for position, group in enumerate(context.get("supplementalGroups") or ()):
        causes += in_range(f"{field}.supplementalGroups[{position}]", group, 0, _LARGEST_ID)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        why = "ShareProcessNamespace and HostPID cannot both be enabled"
        causes.append(invalid(f"{field}.shareProcessNamespace", True, why))
    causes += _sysctl_causes(f"{field}.sysctls", context.get("sysctls") or [], spec)
    causes += _chosen(f"{field}.fsGroupChangePolicy", context, ("Always", "OnRootMismatch"))
    causes += _shared_causes(field, context)
    causes += _chosen(f"{field}.supplementalGroupsPolicy", context, ("Merge", "Strict"))
    return causes + _chosen(f"{field}.seLinuxChangePolicy", context, ("MountOption", "Recursive"))


def container_security_causes(field: str, context: Object, *, host_users: bool) -> list[Cause]:
    if not context:
        return []
    causes = id_causes(field, context, "runAsUser", "runAsGroup")
    if mount := context.get("procMount"):
        if mount not in ("Default", "Unmasked"):
            causes.append(unsupported(f"{field}.procMount", mount, ("Default", "Unmasked")))
        elif mount == "Unmasked" and host_users:
            why = "`hostUsers` must be false to use `Unmasked`"
            causes.append(invalid(f"{field}.procMount", mount, why))
    causes += _seccomp_causes(f"{field}.seccompProfile", context.get("seccompProfile"))
    causes += _escalation_causes(field, context)
    causes += windows_options_causes(f"{field}.windowsOptions", context.get("windowsOptions"))
    return causes + apparmor_causes(f"{field}.appArmorProfile", context.get("appArmorProfile"))


def _shared_causes(field: str, context: Object) -> list[Cause]:
    causes = _seccomp_causes(f"{field}.seccompProfile", context.get("seccompProfile"))
    causes += windows_options_causes(f"{field}.windowsOptions", context.get("windowsOptions"))
    return causes + apparmor_causes(f"{field}.appArmorProfile", context.get("appArmorProfile"))


def _chosen(field: str, context: Object, supported: tuple[str, ...]) -> list[Cause]:
    """A field that may be absent, but if given is one of these."""
    value = context.get(field.rpartition(".")[2])
    return [] if value is None or value in supported else [not_supported(field, value, supported)]


def _escalation_causes(field: str, context: Object) -> list[Cause]:
    if context.get("allowPrivilegeEscalation") is not False:
        return []
    causes = []
    if context.get("privileged"):
        why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        causes.append(invalid(field, context, why))
    if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
        why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
        causes.append(invalid(field, context, why))
    return causes


def _seccomp_causes(field: str, profile: Object | None) -> list[Cause]:
    if profile is None:
        return []
    kind, local = profile.get("type", ""), profile.get("localhostProfile")
    causes: list[Cause] = []
    if not kind:
        causes.append(required(f"{field}.type", "type is required when seccompProfile is set"))
    elif kind not in _PROFILES:
        causes.append(unsupported(f"{field}.type", kind, _PROFILES))
    if kind != "Localhost":
        if local is not None:
            why = "can only be set when seccomp type is Localhost"
            causes.append(invalid(f"{field}.localhostProfile", profile, why))
    elif local is None:
        why = "must be set when seccomp type is Localhost"
        causes.append(required(f"{field}.localhostProfile", why))
    else:
        causes += descending_causes(f"{field}.localhostProfile", local)
    return causes


def apparmor_causes(field: str, profile: Object | None) -> list[Cause]:
    if profile is None:
        return []
    kind, local = profile.get("type", ""), profile.get("localhostProfile")
    where = f"{field}.localhostProfile"
    if kind == "Localhost":
        return _local_profile_causes(where, local)
    if not kind:
        return [required(f"{field}.type", "type is required when appArmorProfile is set")]
    if kind not in _PROFILES:
        return [unsupported(f"{field}.type", kind, _PROFILES)]
    if local is not None:
        return [invalid(where, local, "can only be set when AppArmor type is Localhost")]
    return []


def _local_profile_causes(field: str, profile: str | None) -> list[Cause]:
    if profile is None or profile == "":
        return [required(field, "must be set when AppArmor type is Localhost")]
    causes = []
    if profile != profile.strip():
        causes.append(invalid(field, profile, "must not be padded with whitespace"))
    if len(profile) > _LONGEST_PROFILE:
        causes.append(too_long(field, _LONGEST_PROFILE))
    return causes


def _sysctl_causes(field: str, sysctls: list[Object], spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for position, each in enumerate(sysctls):
        where, name = f"{field}[{position}].name", each.get("name", "")
        if not name:
            causes.append(required(where))
        elif len(name) > _LONGEST_SYSCTL or not _SYSCTL.fullmatch(name):
            why = f"must have at most {_LONGEST_SYSCTL} characters and match regex {_SYSCTL_TEXT}"
            causes.append(invalid(where, name, why))
        elif name in names:
            causes.append(duplicate(where, name))
        causes += _host_sysctl_causes(where, name, spec)
        names.add(name)
    return causes


def _host_sysctl_causes(field: str, name: str, spec: Object) -> list[Cause]:
    """A setting of a namespace that the pod shares with its node would be the node's."""
    dotted = name.replace("/", ".")
    if spec.get("hostNetwork") and dotted.startswith(_NETWORK_SYSCTLS):
        return [invalid(field, name, "may not be specified when 'hostNetwork' is true")]
    if spec.get("hostIPC") and dotted.startswith(_IPC_SYSCTLS):
        return [invalid(field, name, "may not be specified when 'hostIPC' is true")]
    return []


def host_users_causes(field: str, spec: Object) -> list[Cause]:
    """A pod with users of its own shares no other namespace with its node."""
    if spec.get("hostUsers") is not False:
        return []
    why = "when `pod.Spec.HostUsers` is false"
    shown = {"hostNetwork": "hostNetwork", "hostPID": "HostPID", "hostIPC": "HostIPC"}
    return [forbidden(f"{field}.{path}", why) for name, path in shown.items() if spec.get(name)]


def is_privileged(container: Object) -> bool:
    return bool((container.get("securityContext") or {}).get("privileged"))


def annotation_match_causes(metadata: Object, spec: Object, field: str) -> list[Cause]:
    """The old annotations for profiles must say what the fields say."""
    annotations: dict[str, Any] = metadata.get("annotations") or {}
    if not annotations:
        return []
    causes: list[Cause] = []
    pod = spec.get("securityContext") or {}
    for name in ("initContainers", "containers", "ephemeralContainers"):
        for position, each in enumerate(spec.get(name) or ()):
            own = each.get("securityContext") or {}
            where = f"{field}.{name}[{position}].securityContext"
            key = f"container.apparmor.security.beta.kubernetes.io/{each.get('name', '')}"
            profile = own.get("appArmorProfile") or pod.get("appArmorProfile")
            if profile and key in annotations:
                causes += _match_causes(f"{where}.appArmorProfile", profile, annotations[key])
    return causes


def _match_causes(field: str, profile: Object, annotation: str) -> list[Cause]:
    kind, prefix = profile.get("type"), "localhost/"
    why = "apparmor type in annotation and field must match"
    expected = {"Unconfined": "unconfined", "RuntimeDefault": "runtime/default"}
    if kind in expected:
        return [] if annotation == expected[kind] else [forbidden(f"{field}.type", why)]
    if kind == "Localhost" and not annotation.startswith(prefix):
        return [forbidden(f"{field}.type", why)]
    if kind == "Localhost" and annotation.removeprefix(prefix) != profile.get("localhostProfile"):
        why = "apparmor profile in annotation and field must match"
        return [forbidden(f"{field}.localhostProfile", why)]
    return []
