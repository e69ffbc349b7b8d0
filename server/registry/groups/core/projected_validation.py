"""Validation of volumes made of the API's own objects: secrets, config maps, the pod's fields, tokens."""

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import subdomain_errors
from server.registry.causes import forbidden, in_range, invalid, invalids, not_supported, required
from server.registry.groups.core.env_validation import (
    VOLUME_FIELDS,
    field_ref_causes,
    resource_ref_causes,
)
from server.registry.groups.core.label_selector_validation import label_selector_causes
from server.registry.groups.core.paths import local_path_causes, required_local_path_causes
from server.registry.groups.core.signer_names import signer_name_causes

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_SHORTEST_TOKEN, _LONGEST_TOKEN = 600, 2**32
_KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
_SHORTEST_CERTIFICATE, _LONGEST_CERTIFICATE = 3600, 91 * 86400


def mode_causes(field: str, mode: int | None) -> list[Cause]:
    return [] if mode is None or 0 <= mode <= 0o777 else [invalid(field, mode, _MODE)]


def secret_causes(field: str, source: Object) -> list[Cause]:
    return _keyed_causes(field, source, "secretName")


def config_map_causes(field: str, source: Object) -> list[Cause]:
    return _keyed_causes(field, source, "name")


def _keyed_causes(field: str, source: Object, name: str) -> list[Cause]:
    causes = [] if source.get(name) else [required(f"{field}.{name}")]
    causes += mode_causes(f"{field}.defaultMode", source.get("defaultMode"))
    for position, item in enumerate(source.get("items") or ()):
        causes += _item_causes(f"{field}.items[{position}]", item)
    return causes


def _item_causes(field: str, item: Object) -> list[Cause]:
    causes = [] if item.get("key") else [required(f"{field}.key")]
    causes += required_local_path_causes(f"{field}.path", item.get("path", ""))
    return causes + mode_causes(f"{field}.mode", item.get("mode"))


def downward_causes(field: str, source: Object) -> list[Cause]:
    causes = mode_causes(f"{field}.defaultMode", source.get("defaultMode"))
    for item in source.get("items") or ():
        causes += _downward_file_causes(field, item)
    return causes


def _downward_file_causes(field: str, item: Object) -> list[Cause]:
    """Upstream's paths do not tell which item it is."""
    causes = required_local_path_causes(f"{field}.path", item.get("path", ""))
    if (reference := item.get("fieldRef")) is not None:
        causes += field_ref_causes(f"{field}.fieldRef", reference, VOLUME_FIELDS)
        if item.get("resourceFieldRef") is not None:
            why = "fieldRef and resourceFieldRef can not be specified simultaneously"
            causes.append(invalid(field, "resource", why))
    elif (resource := item.get("resourceFieldRef")) is not None:
        causes += resource_ref_causes(f"{field}.resourceFieldRef", resource, in_volume=True)
    else:
        causes.append(required(field, "one of fieldRef and resourceFieldRef is required"))
    return causes + mode_causes(f"{field}.mode", item.get("mode"))


def projected_causes(field: str, source: Object) -> list[Cause]:
    causes = mode_causes(f"{field}.defaultMode", source.get("defaultMode"))
    paths: set[str] = set()
    for position, each in enumerate(source.get("sources") or ()):
        where = f"{field}.sources[{position}]"
        given = [name for name in _PROJECTED if each.get(name) is not None]
        for name in given:
            causes += _PROJECTED[name](field, f"{where}.{name}", each[name], paths)
        if len(given) > 1:
            causes.append(forbidden(where, "may not specify more than 1 volume type per source"))
    return causes


def _conflict(field: str, value: str, path: str, paths: set[str]) -> list[Cause]:
    """Two sources may not write the same file."""
    if path in paths:
        return [invalid(field, value, "conflicting duplicate paths")]
    paths.add(path)
    return []


def _keyed_projection(volume: str, field: str, source: Object, paths: set[str]) -> list[Cause]:
    name = source.get("name", "")
    causes = [] if name else [required(f"{field}.name")]
    for position, item in enumerate(source.get("items") or ()):
        causes += _item_causes(f"{field}.items[{position}]", item)
        if path := item.get("path"):
            causes += _conflict(volume, name, path, paths)
    return causes


def _downward_projection(volume: str, field: str, source: Object, paths: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    for item in source.get("items") or ():
        causes += _downward_file_causes(field, item)
        if path := item.get("path"):
            causes += _conflict(volume, path, path, paths)
    return causes


def _token_projection(volume: str, field: str, source: Object, paths: set[str]) -> list[Cause]:
    seconds = source.get("expirationSeconds", 3600)
    where = f"{field}.expirationSeconds"
    causes: list[Cause] = []
    if seconds < _SHORTEST_TOKEN:
        causes.append(invalid(where, seconds, "may not specify a duration less than 10 minutes"))
    if seconds > _LONGEST_TOKEN:
        causes.append(invalid(where, seconds, "may not specify a duration larger than 2^32 seconds"))
    return causes + required_local_path_causes(f"{volume}.path", source.get("path", ""))


def _bundle_projection(volume: str, field: str, source: Object, paths: set[str]) -> list[Cause]:
    name, signer = source.get("name"), source.get("signerName")
    causes: list[Cause] = []
    if name is not None and signer is not None:
        causes.append(invalid(field, source, "only one of name and signerName may be used"))
    elif name is not None:
        causes += _bundle_name_causes(f"{field}.name", name)
        if (selector := source.get("labelSelector")) is not None:
            why = "labelSelector must be unset if name is specified"
            causes.append(invalid(f"{field}.labelSelector", selector, why))
    elif signer is not None:
        if not signer:
            causes.append(required(f"{field}.signerName", "must be a valid signer name"))
        causes += signer_name_causes(f"{field}.signerName", signer)
        causes += label_selector_causes(f"{field}.labelSelector", source.get("labelSelector"))
    else:
        causes.append(required(field, "either name or signerName must be specified"))
    path = source.get("path", "")
    causes += required_local_path_causes(f"{field}.path", path)
    return causes + _conflict(volume, path, path, paths)


def _bundle_name_causes(field: str, name: str) -> list[Cause]:
    causes = [] if name else [required(field, "must be a valid object name")]
    own = name.rpartition(":")[2]
    errors = [f"not a valid clustertrustbundlename: {error}" for error in subdomain_errors(own)]
    return causes + invalids(field, name, errors)


def _certificate_projection(volume: str, field: str, source: Object, paths: set[str]) -> list[Cause]:
    causes = signer_name_causes(f"{field}.signerName", source.get("signerName", ""))
    if (kind := source.get("keyType", "")) not in _KEY_TYPES:
        causes.append(not_supported(f"{field}.keyType", kind, _KEY_TYPES))
    if (seconds := source.get("maxExpirationSeconds")) is not None:
        where = f"{field}.maxExpirationSeconds"
        causes += in_range(where, seconds, _SHORTEST_CERTIFICATE, _LONGEST_CERTIFICATE)
    names = [name for name in ("credentialBundlePath", "keyPath", "certificateChainPath") if source.get(name)]
    if not names:
        why = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
        causes.append(required(field, why))
    for name in names:
        causes += local_path_causes(f"{field}.{name}", source[name])
        causes += _conflict(volume, source[name], source[name], paths)
    return causes


_PROJECTED = {
    "secret": _keyed_projection,
    "configMap": _keyed_projection,
    "downwardAPI": _downward_projection,
    "serviceAccountToken": _token_projection,
    "clusterTrustBundle": _bundle_projection,
    "podCertificate": _certificate_projection,
}
