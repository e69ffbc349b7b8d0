"""What the runtime is told to make one container. Environment and mounts are worked out before, elsewhere."""

from collections.abc import Mapping, Sequence

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.expansion import expand
from kubeling.objects.meta import Object
from runtime.pods import identity
from runtime.pods.containers import stop_signal
from runtime.pods.containers.security import KUBELET, SecurityDefaults, container_context
from runtime.pods.paths import log_path


def container_config(
    pod: Object,
    container: Object,
    *,
    attempt: int,
    image: cri.Image,
    env: Mapping[str, str],
    mounts: Sequence[cri.Mount],
    devices: Sequence[cri.Device] = (),
    resources: cri.LinuxContainerResources,
    security: SecurityDefaults = KUBELET,
    users: cri.UserNamespace | None = None,
) -> cri.ContainerConfig:
    """`attempt` is the restart count.

    Raises:
        ConfigError: the container would run as root and must not.
    """
    if users is not None:
        mounts = [_mapped(mount, users) for mount in mounts]
    return cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=container["name"], attempt=attempt),
        image=cri.ImageSpec(image=image.id, user_specified_image=container.get("image", "")),
        command=[expand(word, env) for word in container.get("command") or []],
        args=[expand(word, env) for word in container.get("args") or []],
        working_dir=container.get("workingDir") or "",
        envs=[key_value(key, value) for key, value in env.items()],
        mounts=mounts,
        devices=devices,
        labels=identity.container_labels(pod, container),
        annotations=identity.container_annotations(pod, container, restart_count=attempt),
        log_path=log_path(container["name"], attempt),
        stdin=bool(container.get("stdin")),
        stdin_once=bool(container.get("stdinOnce")),
        tty=bool(container.get("tty")),
        stop_signal=stop_signal.of_name(stop_signal.of_spec(container)),
        linux=cri.LinuxContainerConfig(
            resources=resources,
            security_context=container_context(pod, container, image, security, users),
        ),
    )


def _mapped(mount: cri.Mount, users: cri.UserNamespace) -> cri.Mount:
    """Files in it belong to the same users, by number, inside of the pod's user namespace as outside."""
    made = cri.Mount(uidMappings=users.uids, gidMappings=users.gids)
    made.MergeFrom(mount)
    return made


def key_value(key: str, value: str) -> cri.KeyValue:
    """CRI's strings are UTF-8: bytes of a Secret that are not are replaced."""
    return cri.KeyValue(key=key, value=value.encode(errors="surrogateescape").decode(errors="replace"))
