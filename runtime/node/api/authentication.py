"""Who may use the kubelet API: holders of a certificate of the cluster's CA in group system:masters."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from runtime.node.api.errors import HttpError

_GROUP = "system:masters"


def authorize(request: web.BaseRequest) -> None:
    """Raises HttpError 401 without a certificate, 403 with one that names somebody else.

    That the certificate is signed by the CA has been checked in the TLS handshake.
    """
    tls = request.transport.get_extra_info("ssl_object") if request.transport is not None else None
    certificate = tls.getpeercert() if tls is not None else None
    if not certificate:
        raise HttpError(HTTPStatus.UNAUTHORIZED, "Unauthorized")
    subject = _subject(certificate)
    if _GROUP not in subject.get("organizationName", []):
        user = subject.get("commonName", [""])[0]
        verb = "get" if request.method in ("GET", "HEAD") else "create"
        raise HttpError(
            HTTPStatus.FORBIDDEN,
            f"Forbidden (user={user}, verb={verb}, resource=nodes, subresource(s)=[proxy])",
        )


def _subject(certificate: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for relative_name in certificate.get("subject", ()):
        for name, value in relative_name:
            found.setdefault(name, []).append(value)
    return found
