"""Which of a pod's volumes are wanted: those that a container has. Others are neither set up nor missed."""

from collections.abc import Iterator

from kubeling.objects.meta import Object
from runtime.pods.containers.kinds import containers_of


def used_volumes(pod: Object) -> list[Object]:
    """Those that containers of any kind mount, have as a device, or read variables from."""
    volumes: list[Object] = (pod.get("spec") or {}).get("volumes") or []
    names = set(_names(pod)) if volumes else set()
    return [each for each in volumes if each["name"] in names]


def only_used(pod: Object) -> Object:
    """The pod without the volumes that no container has."""
    used = used_volumes(pod)
    if len(used) == len((pod.get("spec") or {}).get("volumes") or []):
        return pod
    return {**pod, "spec": {**pod["spec"], "volumes": used}}


def _names(pod: Object) -> Iterator[str]:
    for container in containers_of(pod):
        for mounted in (*(container.get("volumeMounts") or []), *(container.get("volumeDevices") or [])):
            yield mounted["name"]
        for variable in container.get("env") or []:
            file = (variable.get("valueFrom") or {}).get("fileKeyRef")
            if file:
                yield file.get("volumeName", "")
