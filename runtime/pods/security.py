"""Security contexts: the pod's and the container's fields merged into what the runtime is told."""

from typing import Any

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object
from runtime.pods.environment import ConfigError
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


def namespace_options(pod: Object) -> cri.NamespaceOption:
    spec = pod.get("spec") or {}
    pid = cri.POD if spec.get("shareProcessNamespace") else cri.CONTAINER
    return cri.NamespaceOption(
        network=cri.NODE if spec.get("hostNetwork") else cri.POD,
        ipc=cri.NODE if spec.get("hostIPC") else cri.POD,
        pid=cri.NODE if spec.get("hostPID") else pid,
    )


def sandbox_context(pod: Object) -> cri.LinuxSandboxSecurityContext:
    """The pause container's context: the pod's user and groups, and always the runtime's seccomp profile."""
    given = _pod_context(pod)
    made = cri.LinuxSandboxSecurityContext(
        namespace_options=namespace_options(pod),
        privileged=any(_context(container).get("privileged") for container in _containers(pod)),
        seccomp=cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault),
        supplemental_groups=_groups(given),
        supplemental_groups_policy=_POLICIES[given.get("supplementalGroupsPolicy") or "Merge"],
    )
    if given.get("runAsUser") is not None:
        made.run_as_user.value = given["runAsUser"]
        if given.get("runAsGroup") is not None:
            made.run_as_group.value = given["runAsGroup"]
    return made


def container_context(pod: Object, container: Object, image: cri.Image) -> cri.LinuxContainerSecurityContext:
    """The container's context, with the image's user where nothing names one.

    Raises:
        ConfigError: runAsNonRoot, and the container would run as root.
    """
    given = {**_pod_context(pod), **_context(container)}
    made = cri.LinuxContainerSecurityContext(
        namespace_options=namespace_options(pod),
        privileged=bool(given.get("privileged")),
        readonly_rootfs=bool(given.get("readOnlyRootFilesystem")),
        supplemental_groups=_groups(_pod_context(pod)),
        supplemental_groups_policy=_POLICIES[given.get("supplementalGroupsPolicy") or "Merge"],
        no_new_privs=given.get("allowPrivilegeEscalation") is False,
        capabilities=_capabilities(given),
        seccomp=_seccomp(given),
    )
    if given.get("procMount") != "Unmasked":
        made.masked_paths.extend(MASKED_PATHS)
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
    elif image.HasField("uid"):
        made.run_as_user.value = image.uid.value
    else:
        made.run_as_username = image.username
    if given.get("runAsGroup") is not None:
        if not made.HasField("run_as_user") and not made.run_as_username:
            made.run_as_user.value = 0
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


def _capabilities(given: Object) -> cri.Capability | None:
    wanted = given.get("capabilities")
    if not wanted:
        return None
    return cri.Capability(
        add_capabilities=wanted.get("add") or [], drop_capabilities=wanted.get("drop") or []
    )


def _seccomp(given: Object) -> cri.SecurityProfile:
    profile = given.get("seccompProfile") or {}
    kind = "Unconfined" if given.get("privileged") else profile.get("type") or "Unconfined"
    if kind == "Localhost":
        reference = f"/var/lib/kubelet/seccomp/{profile.get('localhostProfile', '')}"
        return cri.SecurityProfile(profile_type=cri.SecurityProfile.Localhost, localhost_ref=reference)
    return cri.SecurityProfile(profile_type=cri.SecurityProfile.ProfileType.Value(kind))


def _groups(given: dict[str, Any]) -> list[int]:
    groups = [given["fsGroup"]] if given.get("fsGroup") is not None else []
    return groups + list(given.get("supplementalGroups") or [])


def _pod_context(pod: Object) -> Object:
    return (pod.get("spec") or {}).get("securityContext") or {}


def _context(container: Object) -> Object:
    return container.get("securityContext") or {}


def _containers(pod: Object) -> list[Object]:
    spec = pod.get("spec") or {}
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
