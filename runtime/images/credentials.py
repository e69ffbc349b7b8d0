"""Registry credentials out of image pull secrets (`kubernetes.io/dockerconfigjson` and `dockercfg`). Pure.

Which entry is for which image follows the kubelet: host by host with wildcards, the port, the path as a
prefix, the most specific entry first; entries for Docker's own registry also by its old name.
"""

import base64
import binascii
import fnmatch
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object, metadata
from runtime.images.reference import repository

_DOCKER, _DOCKER_OLD = "docker.io", "index.docker.io"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a secret offers for a registry, and which secret it was."""

    auth: cri.AuthConfig
    namespace: str
    name: str
    uid: str

    @property
    def hash(self) -> str:
        """The same for the same login, whatever secret it is in."""
        return hashlib.sha256(self.auth.SerializeToString(deterministic=True)).hexdigest()


def credentials_for(image: str, secrets: Sequence[Object]) -> list[Credential]:
    """What the secrets offer for the image's registry, the closest match first, each login once."""
    wanted = repository(image)
    entries = sorted(_entries(secrets), key=lambda each: each[0], reverse=True)
    found = [credential for place, credential in entries if _matches(place, wanted)]
    if not found and wanted.startswith(f"{_DOCKER}/"):
        found = [credential for place, credential in entries if place == _DOCKER_OLD]
    different: dict[str, Credential] = {}
    for each in found:
        different.setdefault(each.hash, each)
    return list(different.values())


def _place(written: str) -> str:
    """Host, port and path of an entry's key, which may be a URL of the registry's API."""
    parts = urlsplit(written if written.startswith(("https://", "http://")) else f"https://{written}")
    path = parts.path + "/" if parts.path in ("/v1", "/v2") else parts.path
    if path.startswith(("/v1/", "/v2/")):
        path = path[3:]
    return parts.netloc if path == "/" else parts.netloc + path


def _matches(place: str, wanted: str) -> bool:
    host, _, path = place.partition("/")
    wanted_host, _, wanted_path = wanted.partition("/")
    name, _, port = host.partition(":")
    wanted_name, _, wanted_port = wanted_host.partition(":")
    parts, wanted_parts = name.split("."), wanted_name.split(".")
    return (
        port == wanted_port
        and len(parts) == len(wanted_parts)
        and wanted_path.startswith(path)
        and all(map(fnmatch.fnmatchcase, wanted_parts, parts))
    )


def _entries(secrets: Iterable[Object]) -> Iterator[tuple[str, Credential]]:
    for secret in secrets:
        meta = metadata(secret)
        for written, entry in _auths(secret).items():
            auth = _auth_config(entry) if isinstance(entry, dict) else None
            if auth is not None:
                owner = (str(meta.get(key) or "") for key in ("namespace", "name", "uid"))
                yield _place(written), Credential(auth, *owner)


def _auths(secret: Object) -> Object:
    """The entries by registry; {} for a secret that holds none or is damaged."""
    data, kind = secret.get("data") or {}, secret.get("type")
    try:
        if ".dockerconfigjson" in data and kind == "kubernetes.io/dockerconfigjson":
            held = json.loads(base64.b64decode(data[".dockerconfigjson"]))
            return dict(held.get("auths") or {})
        if ".dockercfg" in data and kind == "kubernetes.io/dockercfg":
            return dict(json.loads(base64.b64decode(data[".dockercfg"])))
    except (ValueError, AttributeError, TypeError):
        return {}
    return {}


def _auth_config(entry: Object) -> cri.AuthConfig | None:
    """`auth` goes before a name and password beside it. The server's address stays out: the runtime takes
    it for the only host that may be shown the login.
    """
    username, password = entry.get("username") or "", entry.get("password") or ""
    if entry.get("auth"):
        try:
            decoded = base64.b64decode(entry["auth"] + "=" * (-len(entry["auth"]) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        username, colon, password = decoded.partition(":")
        if not colon:
            return None
    return cri.AuthConfig(
        username=username,
        password=password,
        identity_token=entry.get("identitytoken") or "",
        registry_token=entry.get("registrytoken") or "",
    )
