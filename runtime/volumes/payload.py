"""The files of ConfigMap, Secret, downward API and projected volumes, as names and contents. Pure."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from kubeling.objects.meta import Object, namespace
from runtime.pods.containers.security import common_user
from runtime.pods.environment.downward import DownwardError, PodFacts, field_value, resource_value
from runtime.pods.environment.variables import named_container
from runtime.pods.references import CONFIG_MAP, SECRET, TRUST_BUNDLES, Reference, Sources
from runtime.volumes.account_tokens import Tokens, token_kind
from runtime.volumes.atomic_writer import File
from runtime.volumes.errors import VolumeError
from runtime.volumes.ownership import fs_group
from runtime.volumes.pod_certificates import Credential, Credentials, Projection
from runtime.volumes.trust_anchors import AnchorsMissing, trust_anchors

DEFAULT_MODE = 0o644
_KEY_MISSING = {
    CONFIG_MAP: "configmap references non-existent config key",
    SECRET: "references non-existent secret key",
}
Payload = dict[str, File]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a pod's volumes have to show."""

    sources: Sources
    facts: PodFacts
    tokens: Tokens = field(default_factory=dict)
    """Those of `AccountTokens`."""
    credentials: Credentials | None = None
    """Those of `PodCertificates`; None where nobody uses any."""
    failures: Mapping[str, VolumeError] = field(default_factory=dict)
    """Why a volume lacks something of it, by the volume's name."""


def volume_payload(pod: Object, volume: Object, contents: Contents) -> Payload | None:
    """The files of the volume; None when it is of another type.

    Raises:
        VolumeError: a source is missing, or names a key or field that is not there.
    """
    name, sources = volume["name"], contents.sources
    if "configMap" in volume:
        return _object_payload(CONFIG_MAP, volume["configMap"], "name", pod, sources, name)
    if "secret" in volume:
        return _object_payload(SECRET, volume["secret"], "secretName", pod, sources, name)
    if "downwardAPI" in volume:
        source = volume["downwardAPI"]
        return _downward_payload(pod, source, contents.facts, name, default=_mode(source))
    if "projected" in volume:
        files: Payload = {}
        for position, source in enumerate(volume["projected"].get("sources") or []):
            files |= _projected(pod, volume, source, contents, position=position)
        return files
    return None


def _projected(pod: Object, volume: Object, source: Object, contents: Contents, *, position: int) -> Payload:
    """Of one of a projected volume's sources, which has one kind."""
    name, mode = volume["name"], _mode(volume["projected"])
    for kind, key in ((CONFIG_MAP, "configMap"), (SECRET, "secret")):
        if key in source:
            given = {**source[key], "defaultMode": mode}
            return _object_payload(kind, given, "name", pod, contents.sources, name)
    if "downwardAPI" in source:
        return _downward_payload(pod, source["downwardAPI"], contents.facts, name, default=mode)
    if "serviceAccountToken" in source:
        return _token_payload(pod, source["serviceAccountToken"], contents.tokens, name, default=mode)
    if "clusterTrustBundle" in source:
        return _anchors_payload(pod, source["clusterTrustBundle"], contents.sources, name, default=mode)
    if "podCertificate" in source and contents.credentials is not None:
        credential = contents.credentials[Projection(name, position)]
        return _certificate_payload(pod, source["podCertificate"], credential, name, default=mode)
    return {}


def _certificate_payload(
    pod: Object, source: Object, credential: Credential, volume_name: str, *, default: int
) -> Payload:
    files = {
        "credentialBundlePath": credential.key + credential.chain,
        "keyPath": credential.key,
        "certificateChainPath": credential.chain,
    }
    return {
        _safe(source[path], volume_name): _private(pod, content, default=default)
        for path, content in files.items()
        if source.get(path)
    }


def _token_payload(pod: Object, source: Object, tokens: Tokens, volume_name: str, *, default: int) -> Payload:
    token = tokens.get(token_kind(source))
    if token is None:
        raise VolumeError.set_up(volume_name, "failed to fetch token: there is none")
    path = _safe(source.get("path") or "token", volume_name)
    return {path: _private(pod, token.encode(), default=default)}


def _anchors_payload(
    pod: Object, source: Object, sources: Sources, volume_name: str, *, default: int
) -> Payload:
    bundles = (sources.get(Reference(TRUST_BUNDLES, "", "")) or {}).get("items") or []
    try:
        anchors = trust_anchors(source, bundles)
    except AnchorsMissing as error:
        raise VolumeError.set_up(volume_name, error) from error
    return {_safe(source.get("path") or "", volume_name): _private(pod, anchors, default=default)}


def _private(pod: Object, content: bytes, *, default: int) -> File:
    """A file that only the pod's user or group may read, where there is a single one."""
    user = common_user(pod)
    mode = 0o600 if fs_group(pod) is not None or user is not None else default
    return File(content, mode, user)


def _object_payload(
    kind: str, source: Object, name_field: str, pod: Object, sources: Sources, volume_name: str
) -> Payload:
    reference = Reference(kind, namespace(pod), source.get(name_field, ""))
    optional = bool(source.get("optional"))
    held = sources.get(reference)
    if held is None and not optional:
        raise VolumeError.set_up(volume_name, reference.missing)
    data, mode = _contents(held or {}, kind), _mode(source)
    items = source.get("items")
    if not items:
        return {key: File(content, mode) for key, content in data.items()}
    files: Payload = {}
    for item in items:
        if item["key"] in data:
            files[_safe(item["path"], volume_name)] = File(data[item["key"]], _item_mode(item, mode))
        elif not optional:
            raise VolumeError.set_up(volume_name, f"{_KEY_MISSING[kind]}: {item['key']}")
    return files


def _contents(held: Object, kind: str) -> Mapping[str, bytes]:
    data = held.get("data") or {}
    if kind == SECRET:
        return {key: base64.b64decode(value or "") for key, value in data.items()}
    binary = held.get("binaryData") or {}
    return {
        **{key: value.encode(errors="surrogateescape") for key, value in data.items()},
        **{key: base64.b64decode(value or "") for key, value in binary.items()},
    }


def _downward_payload(
    pod: Object, source: Object, facts: PodFacts, volume_name: str, *, default: int
) -> Payload:
    files: Payload = {}
    for item in source.get("items") or []:
        try:
            text = _downward_value(pod, item, facts)
        except DownwardError as error:
            raise VolumeError.set_up(volume_name, error) from error
        files[_safe(item["path"], volume_name)] = File(text.encode(), _item_mode(item, default))
    return files


def _downward_value(pod: Object, item: Object, facts: PodFacts) -> str:
    if item.get("fieldRef"):
        return field_value(pod, item["fieldRef"].get("fieldPath", ""), facts)
    selector = item.get("resourceFieldRef") or {}
    return resource_value(pod, named_container(pod, selector), selector, facts)


def _mode(source: Object) -> int:
    mode = source.get("defaultMode")
    return DEFAULT_MODE if mode is None else int(mode)


def _item_mode(item: Object, default: int) -> int:
    mode = item.get("mode")
    return default if mode is None else int(mode)


def _safe(path: str, volume_name: str) -> str:
    """A path that stays below the volume's directory."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise VolumeError.set_up(volume_name, f"invalid path, must be relative and without ..: {path}")
    return str(PurePosixPath(path))
