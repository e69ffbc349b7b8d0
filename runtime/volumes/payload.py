"""The files of ConfigMap, Secret, downward API and projected volumes, as names and contents. Pure."""

import base64
from collections.abc import Mapping
from pathlib import PurePosixPath

from kubeling.objects.meta import Object, namespace
from runtime.pods.downward import DownwardError, PodFacts, field_value, resource_value
from runtime.pods.environment import named_container
from runtime.pods.references import CONFIG_MAP, SECRET, TRUST_BUNDLES, Reference, Sources
from runtime.pods.security import common_user
from runtime.volumes.account_tokens import Tokens, token_kind
from runtime.volumes.atomic_writer import File
from runtime.volumes.errors import VolumeError
from runtime.volumes.ownership import fs_group
from runtime.volumes.pod_certificates import Credential, Credentials, Projection
from runtime.volumes.trust_anchors import AnchorsMissing, trust_anchors

DEFAULT_MODE = 0o644
_KEYS = {CONFIG_MAP: "config", SECRET: "secret"}
NO_TOKENS: Tokens = {}
Payload = dict[str, File]


def volume_payload(
    pod: Object,
    volume: Object,
    sources: Sources,
    facts: PodFacts,
    tokens: Tokens = NO_TOKENS,
    credentials: Credentials | None = None,
) -> Payload | None:
    """The files of the volume; None when it is of another type. `tokens` are those of `AccountTokens`.

    Without `credentials` those of `PodCertificates` are left out.

    Raises:
        VolumeError: a source is missing, or names a key or field that is not there.
    """
    if "configMap" in volume:
        return _object_payload(CONFIG_MAP, volume["configMap"], "name", pod, sources, volume["name"])
    if "secret" in volume:
        return _object_payload(SECRET, volume["secret"], "secretName", pod, sources, volume["name"])
    if "downwardAPI" in volume:
        source = volume["downwardAPI"]
        return _downward_payload(pod, source, facts, volume["name"], default=_mode(source))
    if "projected" in volume:
        return _projected(pod, volume, sources, facts, tokens, credentials)
    return None


def _projected(
    pod: Object,
    volume: Object,
    sources: Sources,
    facts: PodFacts,
    tokens: Tokens,
    credentials: Credentials | None,
) -> Payload:
    mode = _mode(volume["projected"])
    files: Payload = {}
    for index, source in enumerate(volume["projected"].get("sources") or []):
        for kind, field in ((CONFIG_MAP, "configMap"), (SECRET, "secret")):
            if field in source:
                given = {**source[field], "defaultMode": mode}
                files |= _object_payload(kind, given, "name", pod, sources, volume["name"])
        if "downwardAPI" in source:
            files |= _downward_payload(pod, source["downwardAPI"], facts, volume["name"], default=mode)
        if "serviceAccountToken" in source:
            files |= _token_payload(pod, source["serviceAccountToken"], tokens, volume["name"], default=mode)
        if "clusterTrustBundle" in source:
            files |= _anchors_payload(pod, source, sources, volume["name"], default=mode)
        if "podCertificate" in source and credentials is not None:
            credential = credentials[Projection(volume["name"], index)]
            files |= _certificate_payload(pod, source["podCertificate"], credential, volume["name"], mode)
    return files


def _certificate_payload(
    pod: Object, source: Object, credential: Credential, volume_name: str, default: int
) -> Payload:
    contents = {
        "credentialBundlePath": credential.key + credential.chain,
        "keyPath": credential.key,
        "certificateChainPath": credential.chain,
    }
    return {
        _safe(source[field], volume_name): _private(pod, content, default=default)
        for field, content in contents.items()
        if source.get(field)
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
    source = source["clusterTrustBundle"]
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
            raise VolumeError.set_up(volume_name, f"references non-existent {_KEYS[kind]} key: {item['key']}")
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
