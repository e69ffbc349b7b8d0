"""Validation of the sources that volumes of pods and PersistentVolumes share: disks, file systems, hosts."""

import re
from collections.abc import Callable, Mapping

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, subdomain_errors
from server.registry.causes import (
    forbidden,
    in_range,
    invalid,
    invalids,
    not_supported,
    required,
    too_long,
    unsupported,
)
from server.registry.groups.core.paths import backstep_causes, descending_causes

Check = Callable[[str, Object], list[Cause]]
_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_IQN = re.compile(r"iqn\.[0-9]{4}-[0-9]{2}\.([a-z0-9\-]+\.)+[a-z0-9\-]+(:[^\s:]+)?(:.+)*", re.IGNORECASE)
_EUI = re.compile(r"eui\.[0-9a-fA-F]{16}")
_NAA = re.compile(r"naa\.[0-9a-fA-F]{32}")
_HOST_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*):[^:]*")
_LONGEST_DRIVER = 63
_RESERVED = (".kubernetes.io", ".k8s.io")


def more_than_one(field: str) -> Cause:
    return forbidden(field, "may not specify more than 1 volume type")


def _needs(*names: str) -> Check:
    """A source that is complete once these are given."""

    def check(field: str, source: Object) -> list[Cause]:
        return [required(f"{field}.{name}") for name in names if not source.get(name)]

    return check


def host_path_causes(field: str, source: Object) -> list[Cause]:
    path, kind = source.get("path", ""), source.get("type", "")
    if not path:
        return [required(f"{field}.path")]
    causes = backstep_causes(f"{field}.path", path)
    if kind not in _HOST_PATH_TYPES:
        causes.append(not_supported(f"{field}.type", kind, _HOST_PATH_TYPES))
    return causes


def _git_repo(field: str, source: Object) -> list[Cause]:
    causes = [] if source.get("repository") else [required(f"{field}.repository")]
    return causes + descending_causes(f"{field}.directory", source.get("directory", ""))


def _partitioned(name: str) -> Check:
    """A cloud's disk; upstream calls GCE's field persistentDisk in its messages."""

    def check(field: str, source: Object) -> list[Cause]:
        where = field.replace("gcePersistentDisk", "persistentDisk")
        causes = [] if source.get(name) else [required(f"{where}.{name}")]
        partition = source.get("partition", 0)
        if not 0 <= partition <= 255:
            causes.append(invalid(f"{where}.partition", partition, "must be between 1 and 255, inclusive"))
        return causes

    return check


def _iscsi(field: str, source: Object) -> list[Cause]:
    causes = [] if source.get("targetPortal") else [required(f"{field}.targetPortal")]
    if not source.get("iqn"):
        causes.append(required(f"{field}.iqn"))
    else:
        causes += _iscsi_name_causes(f"{field}.iqn", source["iqn"])
    causes += in_range(f"{field}.lun", source.get("lun", 0), 0, 255)
    chap = source.get("chapAuthDiscovery") or source.get("chapAuthSession")
    if chap and source.get("secretRef") is None:
        causes.append(required(f"{field}.secretRef"))
    if (initiator := source.get("initiatorName")) is not None:
        causes += _iscsi_name_causes(f"{field}.initiatorname", initiator)
    return causes


def _iscsi_name_causes(field: str, name: str) -> list[Cause]:
    for prefix, form in (("iqn", _IQN), ("eui", _EUI), ("naa", _NAA)):
        if name.startswith(prefix):
            return [] if form.fullmatch(name) else [invalid(field, name, "must be valid format")]
    return [invalid(field, name, "must be valid format starting with iqn, eui, or naa")]


def _fibre_channel(field: str, source: Object) -> list[Cause]:
    names, ids, lun = source.get("targetWWNs"), source.get("wwids"), source.get("lun")
    causes: list[Cause] = []
    if not names and not ids:
        why = "must specify either targetWWNs or wwids, but not both"
        causes.append(required(f"{field}.targetWWNs", why))
    if names and ids:
        why = "targetWWNs and wwids can not be specified simultaneously"
        causes.append(invalid(f"{field}.targetWWNs", names, why))
    if names and lun is None:
        causes.append(required(f"{field}.lun", "lun is required if targetWWNs is specified"))
    elif names:
        causes += in_range(f"{field}.lun", lun or 0, 0, 255)
    return causes


def _nfs(field: str, source: Object) -> list[Cause]:
    path = source.get("path", "")
    causes = _needs("server", "path")(field, source)
    if not path.startswith("/"):
        causes.append(invalid(f"{field}.path", path, "must be an absolute path"))
    return causes


def _quobyte(field: str, source: Object) -> list[Cause]:
    registry, why = (
        source.get("registry", ""),
        "must be a host:port pair or multiple pairs separated by commas",
    )
    causes: list[Cause] = []
    if not registry:
        causes.append(required(f"{field}.registry", why))
    elif len(source.get("tenant", "")) > 64:
        longest = "must be a UUID and may not exceed a length of 64 characters"
        causes.append(required(f"{field}.tenant", longest))
    else:
        wrong = [each for each in registry.split(",") if not _HOST_PORT.fullmatch(each)]
        causes += [invalid(f"{field}.registry", registry, why) for _ in wrong]
    return causes + _needs("volume")(field, source)


def _flocker(field: str, source: Object) -> list[Cause]:
    name, uid = source.get("datasetName", ""), source.get("datasetUUID", "")
    causes: list[Cause] = []
    if not name and not uid:
        causes.append(required(field, "one of datasetName and datasetUUID is required"))
    if name and uid:
        why = "datasetName and datasetUUID can not be specified simultaneously"
        causes.append(invalid(field, "resource", why))
    if "/" in name:
        causes.append(invalid(f"{field}.datasetName", name, "must not contain '/'"))
    return causes


def _flex(field: str, source: Object) -> list[Cause]:
    causes = _needs("driver")(field, source)
    for key in source.get("options") or ():
        if f".{key.partition('/')[0].lower()}".endswith(_RESERVED):
            why = "kubernetes.io and k8s.io namespaces are reserved"
            causes.append(invalid(f"{field}.options[{key}]", key, why))
    return causes


def _azure_disk(field: str, source: Object) -> list[Cause]:
    causes = _needs("diskName", "diskURI")(field, source)
    uri, kind, caching = source.get("diskURI", ""), source.get("kind"), source.get("cachingMode")
    modes, kinds = ("None", "ReadOnly", "ReadWrite"), ("Dedicated", "Managed", "Shared")
    if caching is not None and caching not in modes:
        causes.append(not_supported(f"{field}.cachingMode", caching, modes))
    if kind is not None and kind not in kinds:
        causes.append(not_supported(f"{field}.kind", kind, kinds))
    managed = (
        "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
    )
    blob = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        causes.append(unsupported(f"{field}.diskURI", uri, (managed,)))
    if kind not in (None, "Managed") and not uri.startswith("https://"):
        causes.append(unsupported(f"{field}.diskURI", uri, (blob,)))
    return causes


def _storage_os(field: str, source: Object) -> list[Cause]:
    causes = _needs("volumeName")(field, source)
    for name in ("volumeName", "volumeNamespace"):
        if value := source.get(name):
            causes += invalids(f"{field}.{name}", value, label_errors(value))
    return causes + _secret_name(field, source)


def _cinder(field: str, source: Object) -> list[Cause]:
    return _needs("volumeID")(field, source) + _secret_name(field, source)


def _secret_name(field: str, source: Object) -> list[Cause]:
    reference = source.get("secretRef")
    return (
        [required(f"{field}.secretRef.name")] if reference is not None and not reference.get("name") else []
    )


def driver_causes(field: str, name: str) -> list[Cause]:
    """The name of a CSI driver."""
    causes = [] if name else [required(field)]
    if len(name) > _LONGEST_DRIVER:
        causes.append(too_long(field, _LONGEST_DRIVER))
    return causes + invalids(field, name, subdomain_errors(name.lower()))


SOURCES: Mapping[str, Check] = {
    "hostPath": host_path_causes,
    "gitRepo": _git_repo,
    "gcePersistentDisk": _partitioned("pdName"),
    "awsElasticBlockStore": _partitioned("volumeID"),
    "nfs": _nfs,
    "iscsi": _iscsi,
    "glusterfs": _needs("endpoints", "path"),
    "flocker": _flocker,
    "rbd": _needs("monitors", "image"),
    "cinder": _cinder,
    "cephfs": _needs("monitors"),
    "quobyte": _quobyte,
    "fc": _fibre_channel,
    "flexVolume": _flex,
    "azureFile": _needs("secretName", "shareName"),
    "vsphereVolume": _needs("volumePath"),
    "photonPersistentDisk": _needs("pdID"),
    "portworxVolume": _needs("volumeID"),
    "azureDisk": _azure_disk,
    "storageos": _storage_os,
    "scaleIO": _needs("gateway", "system", "volumeName"),
}
"""In the order in which they count when there are several."""
