"""The server's configuration: reads the JSON file that the cluster wrote; one clear sentence per mistake.

Not responsible for making certificates, keys or the file itself: `kubeling.cluster` does that.
"""

import ipaddress
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.tokens.issuer import ISSUER

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConfigError(ValueError):
    """The configuration cannot be used; the text says which setting and why."""


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Config:
    """What the server needs to know; see the module's `parse` for the names in the file."""

    home: Path
    listen: str
    port: int
    advertise_address: IPAddress
    datastore: str
    serving: KeyPair
    client_ca: Path
    client_ca_key: Path | None
    token_file: Path | None
    service_account_key: Path | None
    service_account_verification_keys: tuple[Path, ...]
    """Keys that have signed tokens before, or public halves of them: such tokens still count."""
    service_account_issuer: str
    """The URL that tokens name as their issuer, and as their audience: the API server itself."""
    kubelet_client: KeyPair
    request_header_ca: Path | None
    """The authority of `proxy_client`, for servers of other APIs to know it by."""
    proxy_client: KeyPair | None
    """What the server shows to servers of other APIs."""
    pod_cidr: ipaddress.IPv4Network
    service_cidr: IPNetwork
    scheduler_config: Path | None = None
    """A KubeSchedulerConfiguration, which the scheduler reads."""
    control_loops: bool = True
    """Whether controllers and scheduler run in this process; else others run them, over HTTP."""

    @property
    def first_service_address(self) -> IPAddress:
        """The cluster IP of the `kubernetes` Service: the first usable one of the service range."""
        return self.service_cidr.network_address + 1


def load(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: the file is missing, is no JSON, or a setting is missing or wrong.
    """
    try:
        data = json.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} must hold a JSON object")
    return parse(data)


def parse(data: Mapping[str, Any]) -> Config:
    """Check the settings.

    Raises:
        ConfigError: a setting is missing or wrong.
    """
    home = Path(_text(data, "home"))
    return Config(
        home=home,
        listen=_text(data, "listen", "0.0.0.0"),
        port=_port(data),
        advertise_address=_address(data, "advertiseAddress"),
        datastore=_text(data, "datastore", f"sqlite:///{home}/server/kubeling.db"),
        serving=_key_pair(data, "servingCertificate"),
        client_ca=_file(data, "clientCA"),
        client_ca_key=_file(data, "clientCAKey") if data.get("clientCAKey") else None,
        token_file=_file(data, "tokenFile") if data.get("tokenFile") else None,
        service_account_key=_private_key(data, "serviceAccountKey"),
        service_account_verification_keys=_files(data, "serviceAccountVerificationKeys"),
        service_account_issuer=_issuer(data),
        kubelet_client=_key_pair(data, "kubeletClient"),
        request_header_ca=_file(data, "requestHeaderCA") if data.get("requestHeaderCA") else None,
        proxy_client=_key_pair(data, "proxyClient") if data.get("proxyClient") else None,
        pod_cidr=_pod_network(data),
        service_cidr=_network(data, "serviceCIDR", "10.96.0.0/12"),
        scheduler_config=_file(data, "schedulerConfig") if data.get("schedulerConfig") else None,
        control_loops=_flag(data, "controlLoops", default=True),
    )


def _text(data: Mapping[str, Any], setting: str, default: str | None = None) -> str:
    value = data.get(setting, default)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{setting} must be a non-empty text")
    return value


def _flag(data: Mapping[str, Any], setting: str, *, default: bool) -> bool:
    value = data.get(setting, default)
    if not isinstance(value, bool):
        raise ConfigError(f"{setting} must be true or false")
    return value


def _issuer(data: Mapping[str, Any]) -> str:
    value = _text(data, "serviceAccountIssuer", ISSUER)
    if not value.startswith("https://") or "?" in value or "#" in value:
        raise ConfigError(f"serviceAccountIssuer must be an https URL without query and fragment: {value}")
    return value


def _port(data: Mapping[str, Any]) -> int:
    value = data.get("port", 6443)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 65535:
        raise ConfigError("port must be a number from 0 to 65535")
    return value


def _address(data: Mapping[str, Any], setting: str) -> IPAddress:
    try:
        return ipaddress.ip_address(_text(data, setting))
    except ValueError as error:
        raise ConfigError(f"{setting} is not an IP address: {data.get(setting)!r}") from error


def _network(data: Mapping[str, Any], setting: str, default: str) -> IPNetwork:
    try:
        return ipaddress.ip_network(_text(data, setting, default))
    except ValueError as error:
        raise ConfigError(f"{setting} is not a network such as {default}: {data.get(setting)!r}") from error


def _pod_network(data: Mapping[str, Any]) -> ipaddress.IPv4Network:
    network = _network(data, "podCIDR", "10.244.0.0/16")
    if not isinstance(network, ipaddress.IPv4Network):
        raise ConfigError(f"podCIDR must be an IPv4 network: {network}")
    return network


def _file(data: Mapping[str, Any], setting: str) -> Path:
    path = Path(_text(data, setting))
    if not path.is_file():
        raise ConfigError(f"{setting}: there is no file {path}")
    return path


def _files(data: Mapping[str, Any], setting: str) -> tuple[Path, ...]:
    paths = data.get(setting) or []
    if not isinstance(paths, list):
        raise ConfigError(f"{setting} must be a list of files")
    return tuple(_file({setting: path}, setting) for path in paths)


def _private_key(data: Mapping[str, Any], setting: str) -> Path | None:
    """A PEM file with a private key that is whole; whether it can sign tokens is found when it is used.

    TLS' own reader looks, which is there anyway. That the key is not the certificate's, it finds out last.
    """
    if not data.get(setting):
        return None
    path = _file(data, setting)
    if b"PRIVATE KEY-----" not in path.read_bytes():
        raise ConfigError(f"{setting}: {path} holds no private key")
    serving = _key_pair(data, "servingCertificate")
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(serving.certificate, path, password=_no_password)
    except ssl.SSLError as error:
        if "PEM lib" in str(error):
            raise ConfigError(f"{setting}: the private key in {path} is damaged or encrypted") from error
    return path


def _no_password() -> str:
    return ""


def _key_pair(data: Mapping[str, Any], setting: str) -> KeyPair:
    pair = data.get(setting)
    if not isinstance(pair, Mapping):
        raise ConfigError(f"{setting} must be an object with certificate and key")
    try:
        return KeyPair(certificate=_file(pair, "certificate"), key=_file(pair, "key"))
    except ConfigError as error:
        raise ConfigError(f"{setting}.{error}") from error
