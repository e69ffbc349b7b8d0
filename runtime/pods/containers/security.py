"""Security contexts: the pod's and the container's fields merged into what the runtime is told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object, annotations
from runtime.pods.admission.apparmor import LISTS, apparmor_profile, deprecated_name
from runtime.pods.environment.variables import ConfigError
from runtime.pods.identity import of_pod

MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_POLICIES = {"Merge": cri.Merge, "Strict": cri.Strict}
HIGHEST_USER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class SecurityDefaults:
    """What a node adds to what pods say."""

    profiles: Path = Path("/var/lib/kubelet/seccomp")
    """Where `Localhost` seccomp profiles lie."""
    seccomp: bool = False
    """Whether containers without a seccomp profile get the runtime's."""
    masked: tuple[str, ...] = ()
    """Paths that are hidden beside MASKED_PATHS."""


KUBELET = SecurityDefaults()


def namespace_options(pod: Object, users: cri.UserNamespace | None = None) -> cri.NamespaceOption:
    """`users` is the pod's own user namespace, where it has one."""
    spec = pod.get("spec") or {}
    pid = cri.POD if spec.get("shareProcessNamespace") else cri.CONTAINER
    return cri.NamespaceOption(
        network=cri.NODE if spec.get("hostNetwork") else cri.POD,
        ipc=cri.NODE if spec.get("hostIPC") else cri.POD,
        pid=cri.NODE if spec.get("hostPID") else pid,
        userns_options=users,
    )


def sandbox_context(pod: Object, users: cri.UserNamespace | None = None) -> cri.LinuxSandboxSecurityContext:
    """The pause container's context: the pod's user and groups, and always the runtime's seccomp profile."""
    given = _pod_context(pod)
    made = cri.LinuxSandboxSecurityContext(
        namespace_options=namespace_options(pod, users),
        privileged=any(_context(container).get("privileged") for container in _containers(pod)),
        selinux_options=_selinux(given),
        seccomp=cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault),
        supplemental_groups=_groups(given),
        supplemental_groups_policy=_POLICIES[given.get("supplementalGroupsPolicy") or "Merge"],
    )
    if given.get("runAsUser") is not None:
        made.run_as_user.value = given["runAsUser"]
        if given.get("runAsGroup") is not None:
            made.run_as_group.value = given["runAsGroup"]
    return made


def container_context(
    pod: Object,
    container: Object,
    image: cri.Image,
    defaults: SecurityDefaults = KUBELET,
    users: cri.UserNamespace | None = None,
) -> cri.LinuxContainerSecurityContext:
    """The container's context, with the image's user where nothing names one.

    Raises:
        ConfigError: runAsNonRoot, and the container would run as root; or a profile is not named.
    """
    given = {**_pod_context(pod), **_context(container)}
    apparmor = apparmor_profile(pod.get("spec") or {}, annotations(pod), container)
    made = cri.LinuxContainerSecurityContext(
        namespace_options=namespace_options(pod, users),
        privileged=bool(given.get("privileged")),
        readonly_rootfs=bool(given.get("readOnlyRootFilesystem")),
        supplemental_groups=_groups(_pod_context(pod)),
        supplemental_groups_policy=_POLICIES[given.get("supplementalGroupsPolicy") or "Merge"],
        no_new_privs=given.get("allowPrivilegeEscalation") is False,
        capabilities=_capabilities(given),
        selinux_options=_selinux(given),
        seccomp=_seccomp(given, defaults),
        apparmor=apparmor,
        apparmor_profile=deprecated_name(apparmor),
    )
    if given.get("procMount") != "Unmasked":
        made.masked_paths.extend((*MASKED_PATHS, *defaults.masked))
        made.readonly_paths.extend(READONLY_PATHS)
    _set_user(made, given, image)
    _verify_non_root(pod, container, given, image)
    return made


def common_user(pod: Object) -> int | None:
    """The user as which every container runs; None when one does not say, or two say otherwise."""
    users = {{**_pod_context(pod), **_context(container)}.get("runAsUser") for container in _containers(pod)}
    user = users.pop() if len(users) == 1 else None
    return None if user is None else int(user)


def _set_user(made: cri.LinuxContainerSecurityContext, given: Object, image: cri.Image) -> None:
    if given.get("runAsUser") is not None:
        made.run_as_user.value = given["runAsUser"]
    elif image.HasField("uid") or not image.username:
        made.run_as_user.value = image.uid.value
    else:
        made.run_as_username = image.username
    if given.get("runAsGroup") is not None:
        made.run_as_group.value = given["runAsGroup"]


def _verify_non_root(pod: Object, container: Object, given: Object, image: cri.Image) -> None:
    if not given.get("runAsNonRoot"):
        return
    where = f'(pod: "{of_pod(pod)}", container: {container["name"]})'
    user = given.get("runAsUser")
    if user == 0:
        raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
    if user is not None:
        return
    if not image.HasField("uid") and image.username:
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({image.username}), "
            f"cannot verify user is non-root {where}"
        )
    if image.uid.value == 0:
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")
    if not 0 < image.uid.value <= HIGHEST_USER:
        raise ConfigError(
            f"container has runAsNonRoot and image has an invalid user id ({image.uid.value}). "
            f"(Must be 1-({HIGHEST_USER})): must be between 0 and {HIGHEST_USER}, inclusive {where}"
        )


def _capabilities(given: Object) -> cri.Capability | None:
    wanted = given.get("capabilities")
    if not wanted:
        return None
    return cri.Capability(
        add_capabilities=wanted.get("add") or [], drop_capabilities=wanted.get("drop") or []
    )


def _seccomp(given: Object, defaults: SecurityDefaults) -> cri.SecurityProfile:
    """Of a privileged container the runtime ignores it."""
    profile = given.get("seccompProfile") or {}
    kind = profile.get("type") or ("RuntimeDefault" if defaults.seccomp else "Unconfined")
    if kind != "Localhost":
        return cri.SecurityProfile(profile_type=cri.SecurityProfile.ProfileType.Value(kind))
    name = profile.get("localhostProfile")
    if not name:
        raise ConfigError("localhostProfile must be set if seccompProfile type is Localhost.")
    if name.startswith("/") or ".." in name.split("/"):
        raise ConfigError(f"localhostProfile must be below the directory of profiles: {name}")
    reference = str(defaults.profiles / name)
    return cri.SecurityProfile(profile_type=cri.SecurityProfile.Localhost, localhost_ref=reference)


def _selinux(given: Object) -> cri.SELinuxOption | None:
    label = given.get("seLinuxOptions")
    if not label:
        return None
    return cri.SELinuxOption(**{key: label.get(key) or "" for key in ("user", "role", "type", "level")})


def _groups(given: dict[str, Any]) -> list[int]:
    groups = [given["fsGroup"]] if given.get("fsGroup") is not None else []
    return groups + list(given.get("supplementalGroups") or [])


def _pod_context(pod: Object) -> Object:
    return (pod.get("spec") or {}).get("securityContext") or {}


def _context(container: Object) -> Object:
    return container.get("securityContext") or {}


def _containers(pod: Object) -> list[Object]:
    spec = pod.get("spec") or {}
    return [container for kind in LISTS for container in spec.get(kind) or []]
