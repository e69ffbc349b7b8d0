"""Validation of pods' volumes."""

from collections.abc import Callable

from kubeling.objects import quantity
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors
from server.registry.causes import duplicate, forbidden, invalid, invalids, not_supported, required
from server.registry.groups.core.env_validation import VOLUME_FIELDS, field_ref_causes

_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"


def volume_causes(field: str, volumes: list[Object]) -> tuple[set[str], list[Cause]]:
    """The names that mounts may use, and what is wrong."""
    names: set[str] = set()
    causes: list[Cause] = []
    for position, volume in enumerate(volumes):
        where, name = f"{field}[{position}]", volume.get("name", "")
        if not name:
            causes.append(required(f"{where}.name"))
        else:
            causes += invalids(f"{where}.name", name, label_errors(name))
        if name in names:
            causes.append(duplicate(f"{where}.name", name))
        names.add(name)
        causes += _source_causes(where, volume)
    return names, causes


def _source_causes(field: str, volume: Object) -> list[Cause]:
    sources = [name for name, source in volume.items() if name != "name" and isinstance(source, dict)]
    if not sources:
        return [required(field, "must specify a volume type")]
    causes = [forbidden(f"{field}.{name}", "may not specify more than 1 volume type") for name in sources[1:]]
    check = _CHECKS.get(sources[0])
    return causes + (check(f"{field}.{sources[0]}", volume[sources[0]]) if check else [])


def _empty_dir(field: str, source: Object) -> list[Cause]:
    limit = source.get("sizeLimit")
    if limit is not None and quantity.parse(limit) < 0:
        return [forbidden(f"{field}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def _host_path(field: str, source: Object) -> list[Cause]:
    path, kind = source.get("path", ""), source.get("type", "")
    if not path:
        return [required(f"{field}.path")]
    causes = [invalid(f"{field}.path", path, "must not contain '..'")] if ".." in path.split("/") else []
    if kind not in _HOST_PATH_TYPES:
        causes.append(not_supported(f"{field}.type", kind, _HOST_PATH_TYPES))
    return causes


def _named(name_field: str, *, keys: bool = False) -> Callable[[str, Object], list[Cause]]:
    """A source that must name something, with modes and perhaps items."""

    def check(field: str, source: Object) -> list[Cause]:
        causes = [] if source.get(name_field) else [required(f"{field}.{name_field}")]
        causes += _mode_causes(f"{field}.defaultMode", source.get("defaultMode"))
        return causes + (_item_causes(f"{field}.items", source.get("items") or []) if keys else [])

    return check


def _mode_causes(field: str, mode: int | None) -> list[Cause]:
    return [] if mode is None or 0 <= mode <= 0o777 else [invalid(field, mode, _MODE)]


def _item_causes(field: str, items: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    for position, item in enumerate(items):
        where = f"{field}[{position}]"
        causes += [] if item.get("key") else [required(f"{where}.key")]
        causes += _path_causes(f"{where}.path", item.get("path", ""))
        causes += _mode_causes(f"{where}.mode", item.get("mode"))
    return causes


def _path_causes(field: str, path: str) -> list[Cause]:
    """A relative path inside the volume that does not begin with `..`, which the kubelet uses itself."""
    if not path:
        return [required(field)]
    if path.startswith("/"):
        return [invalid(field, path, "must be a relative path")]
    if ".." in path.split("/"):
        return [invalid(field, path, "must not contain '..'")]
    return [invalid(field, path, "must not start with '..'")] if path.startswith("..") else []


def _downward(field: str, source: Object) -> list[Cause]:
    causes = _mode_causes(f"{field}.defaultMode", source.get("defaultMode"))
    for position, item in enumerate(source.get("items") or ()):
        where = f"{field}.items[{position}]"
        causes += _path_causes(f"{where}.path", item.get("path", ""))
        causes += _mode_causes(f"{where}.mode", item.get("mode"))
        if reference := item.get("fieldRef"):
            causes += field_ref_causes(f"{where}.fieldRef", reference, VOLUME_FIELDS)
        elif item.get("resourceFieldRef") is None:
            causes.append(required(where, "one of fieldRef and resourceFieldRef is required"))
    return causes


def _projected(field: str, source: Object) -> list[Cause]:
    causes = _mode_causes(f"{field}.defaultMode", source.get("defaultMode"))
    for position, each in enumerate(source.get("sources") or ()):
        where = f"{field}.sources[{position}]"
        for kind, check in _PROJECTED.items():
            if (found := each.get(kind)) is not None:
                causes += check(f"{where}.{kind}", found)
    return causes


def _token(field: str, source: Object) -> list[Cause]:
    causes = _path_causes(f"{field}.path", source.get("path", ""))
    seconds = source.get("expirationSeconds")
    if seconds is not None and seconds < 600:
        why = "may not specify a duration less than 10 minutes"
        causes.append(invalid(f"{field}.expirationSeconds", seconds, why))
    return causes


_Check = Callable[[str, Object], list[Cause]]
_PROJECTED: dict[str, _Check] = {
    "secret": _named("name", keys=True),
    "configMap": _named("name", keys=True),
    "downwardAPI": _downward,
    "serviceAccountToken": _token,
}
_CHECKS: dict[str, _Check] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "secret": _named("secretName", keys=True),
    "configMap": _named("name", keys=True),
    "downwardAPI": _downward,
    "projected": _projected,
    "persistentVolumeClaim": _named("claimName"),
    "csi": _named("driver"),
}
