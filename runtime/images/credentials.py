"""Registry credentials out of image pull secrets (`kubernetes.io/dockerconfigjson` and `dockercfg`). Pure."""

import base64
import binascii
import fnmatch
import json
from collections.abc import Iterable, Iterator, Sequence

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object

_DEFAULT_REGISTRY = "docker.io"


def credentials_for(image: str, secrets: Sequence[Object]) -> list[cri.AuthConfig]:
    """What the secrets offer for the image's registry, the closest match first."""
    location = _location(image)
    found = [(len(place), auth) for place, auth in _entries(secrets) if _matches(_normal(place), location)]
    return [auth for _, auth in sorted(found, key=lambda each: each[0], reverse=True)]


def _location(image: str) -> str:
    """`registry/repository`, with Docker's default registry spelled out."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"{_DEFAULT_REGISTRY}/{image}"


def _normal(place: str) -> str:
    place = place.removeprefix("https://").removeprefix("http://").rstrip("/")
    place = place.removesuffix("/v1").removesuffix("/v2")
    return _DEFAULT_REGISTRY if place in ("index.docker.io", "registry-1.docker.io") else place


def _matches(place: str, location: str) -> bool:
    """Host by host with wildcards, then the path as a prefix."""
    host, _, path = place.partition("/")
    wanted_host, _, wanted_path = location.partition("/")
    return fnmatch.fnmatchcase(wanted_host, host) and wanted_path.startswith(path)


def _entries(secrets: Iterable[Object]) -> Iterator[tuple[str, cri.AuthConfig]]:
    for secret in secrets:
        for place, entry in _auths(secret).items():
            auth = _auth_config(place, entry)
            if auth is not None:
                yield place, auth


def _auths(secret: Object) -> Object:
    """The entries by registry; {} for a secret that holds none or is damaged."""
    data = secret.get("data") or {}
    try:
        if ".dockerconfigjson" in data:
            held = json.loads(base64.b64decode(data[".dockerconfigjson"]))
            return held.get("auths") or {}
        if ".dockercfg" in data:
            return dict(json.loads(base64.b64decode(data[".dockercfg"])))
    except (ValueError, AttributeError, TypeError):
        return {}
    return {}


def _auth_config(place: str, entry: Object) -> cri.AuthConfig | None:
    username, password = entry.get("username", ""), entry.get("password", "")
    if not username and entry.get("auth"):
        try:
            username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
    return cri.AuthConfig(
        username=username,
        password=password,
        server_address=place,
        identity_token=entry.get("identitytoken", ""),
        registry_token=entry.get("registrytoken", ""),
    )
