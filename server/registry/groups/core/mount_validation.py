"""Validation of where containers see volumes: as directories (mounts) or as devices."""

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import forbidden, invalid, not_found, not_supported, required
from server.registry.groups.core.paths import descending_causes
from server.registry.groups.core.security_validation import is_privileged
from server.registry.groups.core.volume_validation import Volumes

_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def mount_causes(field: str, container: Object, volumes: Volumes) -> list[Cause]:
    """`field` is the container's; upstream's paths leave out the index in places, and so do these."""
    mounts, devices = container.get("volumeMounts") or [], container.get("volumeDevices") or []
    causes: list[Cause] = []
    paths: set[str] = set()
    device_names = {each.get("name") for each in devices}
    device_paths = {each.get("devicePath") for each in devices}
    for position, mount in enumerate(mounts):
        where = f"{field}.volumeMounts[{position}]"
        name, path = mount.get("name", ""), mount.get("mountPath", "")
        causes += [] if name else [required(f"{where}.name")]
        causes += [] if name in volumes else [not_found(f"{where}.name", name)]
        causes += [] if path else [required(f"{where}.mountPath")]
        if path in paths:
            causes.append(invalid(f"{where}.mountPath", path, "must be unique"))
        paths.add(path)
        if name in device_names:
            causes.append(invalid(f"{where}.name", name, "must not already exist in volumeDevices"))
        if path in device_paths:
            why = "must not already exist as a path in volumeDevices"
            causes.append(invalid(f"{where}.mountPath", path, why))
        causes += _option_causes(f"{field}.volumeMounts", where, mount, container)
    return causes + (_device_causes(f"{field}.volumeDevices", mounts, devices, volumes) if devices else [])


def _option_causes(field: str, where: str, mount: Object, container: Object) -> list[Cause]:
    causes: list[Cause] = []
    sub, expression = mount.get("subPath"), mount.get("subPathExpr")
    if sub:
        causes += descending_causes(f"{field}.subPath", sub)
    if expression:
        if sub:
            why = "subPathExpr and subPath are mutually exclusive"
            causes.append(invalid(f"{where}.subPathExpr", expression, why))
        causes += descending_causes(f"{field}.subPathExpr", expression)
    if (propagation := mount.get("mountPropagation")) is not None:
        causes += _propagation_causes(f"{field}.mountPropagation", propagation, container)
    if (recursive := mount.get("recursiveReadOnly")) is not None:
        causes += _recursive_causes(f"{field}.recursiveReadOnly", recursive, mount)
    return causes


def _propagation_causes(field: str, propagation: str, container: Object) -> list[Cause]:
    if propagation not in _PROPAGATIONS:
        return [not_supported(field, propagation, _PROPAGATIONS)]
    if propagation == "Bidirectional" and not is_privileged(container):
        why = "Bidirectional mount propagation is available only to privileged containers"
        return [forbidden(field, why)]
    return []


def _recursive_causes(field: str, recursive: str, mount: Object) -> list[Cause]:
    if recursive not in _RECURSIVE:
        return [not_supported(field, recursive, _RECURSIVE)]
    causes: list[Cause] = []
    if recursive != "Disabled" and not mount.get("readOnly"):
        causes.append(forbidden(field, "may only be specified when readOnly is true"))
    if recursive != "Disabled" and mount.get("mountPropagation", "None") != "None":
        why = "may only be specified when mountPropagation is None or not specified"
        causes.append(forbidden(field, why))
    return causes


def _device_causes(field: str, mounts: list[Object], devices: list[Object], volumes: Volumes) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    paths: set[str] = set()
    mounted = {each.get("name"): each.get("mountPath") for each in mounts}
    for position, device in enumerate(devices):
        where, name, path = f"{field}[{position}]", device.get("name", ""), device.get("devicePath", "")
        causes += _device_name_causes(f"{where}.name", name, names, volumes)
        causes += [] if path else [required(f"{where}.devicePath")]
        if path in paths:
            causes.append(invalid(f"{where}.devicePath", path, "must be unique"))
        if ".." in path.split("/"):
            causes.append(invalid(f"{where}.devicePath", path, "can not contain backsteps ('..')"))
        else:
            paths.add(path)
        if name in mounted:
            causes.append(invalid(f"{where}.name", name, "must not already exist in volumeMounts"))
        if path in mounted.values():
            why = "must not already exist as a path in volumeMounts"
            causes.append(invalid(f"{where}.devicePath", path, why))
        names.add(name)
    return causes


def _device_name_causes(field: str, name: str, names: set[str], volumes: Volumes) -> list[Cause]:
    causes = [] if name else [required(field)]
    if name and name in names:
        causes.append(invalid(field, name, "must be unique"))
    volume = volumes.get(name)
    if volume is None:
        causes.append(not_found(field, name))
    elif "persistentVolumeClaim" not in volume and "ephemeral" not in volume:
        why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
        causes.append(invalid(field, name, why))
    return causes
