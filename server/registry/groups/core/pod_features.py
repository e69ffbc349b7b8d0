"""Fields of pods whose features are off by default: the server forgets them, as upstream does."""

from kubeling.objects.meta import Object

_POD_FIELDS = ("schedulingGroup", "evictionResponders")
_SOURCES = ("secret", "configMap", "downwardAPI", "projected")


def drop_disabled(spec: Object) -> None:
    for name in _POD_FIELDS:
        spec.pop(name, None)
    for volume in spec.get("volumes") or ():
        _drop_of_volume(volume)
    for name in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(name) or ():
            for mount in container.get("volumeMounts") or ():
                mount.pop("bindMountOptions", None)


def _drop_of_volume(volume: Object) -> None:
    if (source := volume.get("emptyDir")) is not None:
        source.pop("mode", None)
    for name in _SOURCES:
        if (source := volume.get(name)) is not None:
            source.pop("defaultUser", None)
            for item in source.get("items") or ():
                item.pop("user", None)
            for projection in source.get("sources") or ():
                _drop_of_projection(projection)


def _drop_of_projection(projection: Object) -> None:
    for source in projection.values():
        if isinstance(source, dict):
            source.pop("user", None)
            for item in source.get("items") or ():
                item.pop("user", None)
