"""Validation of what is particular to an operating system: Windows options, fields that Windows pods lack."""

import re
from collections.abc import Iterator

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import subdomain_errors
from server.registry.causes import forbidden, invalid, invalids, misfit, not_supported, required

_LONGEST_SPEC_KIB = 64
_LONGEST_DOMAIN, _LONGEST_USER = 256, 104
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NETBIOS = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}')
_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_USER_CHARACTERS = re.compile(r'["/\\:;|=,+*?<>@\[\]]')
_NO_WINDOWS = "cannot be set for a windows pod"
_POD_FIELDS = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls",
    "runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy", "seLinuxChangePolicy",
)  # fmt: skip
_SPEC_FIELDS = ("hostUsers", "hostPID", "hostIPC", "shareProcessNamespace")
_CONTAINER_FIELDS = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem",
    "privileged", "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup",
)  # fmt: skip


def os_causes(field: str, spec: Object) -> list[Cause]:
    os = spec.get("os")
    if os is None:
        return []
    name = os.get("name", "")
    if not name:
        return [required(f"{field}.os.name", "cannot be empty")]
    if name == "linux":
        return _linux_causes(field, spec)
    if name == "windows":
        return _windows_causes(field, spec)
    return [not_supported(f"{field}.os", name, ("linux", "windows"))]


def _contexts(field: str, spec: Object) -> Iterator[tuple[str, Object]]:
    """Every container's path and security context."""
    for name in ("initContainers", "containers", "ephemeralContainers"):
        for position, each in enumerate(spec.get(name) or ()):
            yield f"{field}.{name}[{position}].securityContext", each.get("securityContext") or {}


def _linux_causes(field: str, spec: Object) -> list[Cause]:
    why = "windows options cannot be set for a linux pod"
    holders = [
        (f"{field}.securityContext", spec.get("securityContext") or {}),
        *_contexts(field, spec),
    ]
    return [forbidden(f"{where}.windowsOptions", why) for where, each in holders if "windowsOptions" in each]


def _windows_causes(field: str, spec: Object) -> list[Cause]:
    own = spec.get("securityContext") or {}
    causes = [
        forbidden(f"{field}.securityContext.{name}", _NO_WINDOWS) for name in _POD_FIELDS if name in own
    ]
    causes += [forbidden(f"{field}.{name}", _NO_WINDOWS) for name in _SPEC_FIELDS if spec.get(name)]
    for where, context in _contexts(field, spec):
        causes += [forbidden(f"{where}.{name}", _NO_WINDOWS) for name in _CONTAINER_FIELDS if name in context]
    return causes


def host_process_causes(field: str, spec: Object) -> list[Cause]:
    """Either all containers are HostProcess containers or none."""
    pod = _host_process(spec.get("securityContext") or {})
    causes: list[Cause] = []
    counted = total = 0
    for where, context in _contexts(field, spec):
        own = _host_process(context)
        total += 1
        if pod is not None and own is not None and pod != own:
            shown = "true" if pod else "false"
            why = f"pod hostProcess value must be identical if both are specified, was {shown}"
            causes.append(invalid(f"{where}.windowsOptions.hostProcess", own, why))
        counted += bool(own if own is not None else pod)
    if counted and counted != total:
        why = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        causes.append(invalid(field, "", why))
    if counted and not spec.get("hostNetwork"):
        why = "hostNetwork must be true if pod contains any hostProcess containers"
        causes.append(invalid(f"{field}.hostNetwork", False, why))
    return causes


def _host_process(context: Object) -> bool | None:
    found: bool | None = (context.get("windowsOptions") or {}).get("hostProcess")
    return found


def windows_options_causes(field: str, options: Object | None) -> list[Cause]:
    if not options:
        return []
    causes: list[Cause] = []
    if (name := options.get("gmsaCredentialSpecName")) is not None:
        causes += invalids(f"{field}.gmsaCredentialSpecName", name, subdomain_errors(name))
    if (spec := options.get("gmsaCredentialSpec")) is not None:
        where = f"{field}.gmsaCredentialSpec"
        if not spec:
            causes.append(invalid(where, spec, "gmsaCredentialSpec cannot be an empty string"))
        elif len(spec) > _LONGEST_SPEC_KIB * 1024:
            causes.append(misfit(where, f"gmsaCredentialSpec size must be under {_LONGEST_SPEC_KIB} KiB"))
    if (user := options.get("runAsUserName")) is not None:
        causes += [invalid(f"{field}.runAsUserName", user, why) for why in _user_errors(user)]
    return causes


def _user_errors(name: str) -> Iterator[str]:
    if not name:
        yield "runAsUserName cannot be an empty string"
        return
    if _CONTROL.search(name):
        yield "runAsUserName cannot contain control characters"
        return
    if name.count("\\") > 1:
        yield "runAsUserName cannot contain more than one backslash"
        return
    domain, backslash, user = name.rpartition("\\")
    if len(domain) >= _LONGEST_DOMAIN:
        yield f"runAsUserName's Domain length must be under {_LONGEST_DOMAIN} characters"
    if backslash and not (_NETBIOS.fullmatch(domain) or _DOMAIN.fullmatch(domain)):
        yield "runAsUserName's Domain doesn't match the NetBios nor the DNS format"
    if not user:
        yield "runAsUserName's User cannot be empty"
    elif len(user) > _LONGEST_USER:
        yield f"runAsUserName's User length must not be longer than {_LONGEST_USER} characters"
    if user and not user.strip(". "):
        yield "runAsUserName's User cannot contain only periods or spaces"
    if _USER_CHARACTERS.search(user):
        yield "runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]"
