"""Reading a kubeconfig: the server, and how to prove who we are, of its current context.

Exec and auth-provider plug-ins are not supported; writing kubeconfigs is the cluster's affair.
"""

import base64
import binascii
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kubeling.client.errors import KubeconfigError
from kubeling.objects.meta import Object


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the server is and what to show it; certificates and keys are PEM."""

    server: str
    authority: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    token: str = ""
    insecure: bool = False
    server_name: str = ""

    def ssl_context(self) -> ssl.SSLContext:
        """Raises: KubeconfigError when a certificate or key cannot be used."""
        context = ssl.create_default_context(cadata=self.authority.decode() if self.authority else None)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate and self.key:
            _load_client_certificate(context, certificate=self.certificate, key=self.key)
        return context


def read_connection(path: str | os.PathLike[str]) -> Connection:
    """The connection of the file's current context.

    Raises:
        KubeconfigError: the file is missing, is no kubeconfig, or names what it does not have.
    """
    file = Path(path)
    config = _parse(file)
    context = _named(file, config, "context", str(config.get("current-context") or ""))
    cluster = _named(file, config, "cluster", str(context.get("cluster") or ""))
    user = _named(file, config, "user", str(context["user"])) if context.get("user") else {}
    if not cluster.get("server"):
        raise KubeconfigError(f"{file}: the cluster {context.get('cluster')!r} has no server")
    return Connection(
        server=str(cluster["server"]).rstrip("/"),
        authority=_material(file, cluster, "certificate-authority"),
        certificate=_material(file, user, "client-certificate"),
        key=_material(file, user, "client-key"),
        token=_token(file, user),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        server_name=str(cluster.get("tls-server-name") or ""),
    )


def _parse(file: Path) -> dict[str, Any]:
    try:
        config = yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise KubeconfigError(f"cannot read the kubeconfig {file}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise KubeconfigError(f"{file} is not valid YAML: {error}") from error
    if not isinstance(config, dict):
        raise KubeconfigError(f"{file} is not a kubeconfig")
    return config


def _named(file: Path, config: dict[str, Any], kind: str, name: str) -> Object:
    for entry in config.get(f"{kind}s") or []:
        if entry.get("name") == name:
            found: Object = entry.get(kind) or {}
            return found
    raise KubeconfigError(f"{file} has no {kind} named {name!r}")


def _material(file: Path, section: Object, field: str) -> bytes | None:
    """The PEM that is inline in `<field>-data`, or in the file that `<field>` names."""
    if data := section.get(f"{field}-data"):
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise KubeconfigError(f"{file}: {field}-data is not base64") from error
    return _read(file, str(section[field])) if section.get(field) else None


def _token(file: Path, user: Object) -> str:
    if user.get("tokenFile"):
        return _read(file, str(user["tokenFile"])).decode().strip()
    return str(user.get("token") or "")


def _read(file: Path, named: str) -> bytes:
    target = file.parent / named  # an absolute name stays as it is
    try:
        return target.read_bytes()
    except OSError as error:
        raise KubeconfigError(f"{file}: cannot read {target}: {error.strerror}") from error


def _load_client_certificate(context: ssl.SSLContext, *, certificate: bytes, key: bytes) -> None:
    """ssl reads certificates from files only; the file lives for this call, readable by us alone."""
    with tempfile.NamedTemporaryFile(prefix="kubeling-") as file:
        file.write(certificate.rstrip() + b"\n" + key)
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except (ssl.SSLError, ValueError) as error:
            raise KubeconfigError(f"the client certificate or its key cannot be used: {error}") from error
