"""What may stand in a webhook's client configuration: a URL or a Service, and a CA bundle."""

import base64
import binascii
from urllib.parse import urlsplit

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import subdomain_errors
from server.registry.causes import invalid, required

_FORM = "; desired format: https://host[/path]"


def url_causes(field: str, url: str) -> list[Cause]:
    """A URL that only https can reach."""
    try:
        parts = urlsplit(url)
        user = parts.netloc.rpartition("@")[0]
    except ValueError as error:
        return [required(field, f"url must be a valid URL: {error}{_FORM}")]
    causes = []
    if parts.scheme != "https":
        causes.append(invalid(field, parts.scheme, f"'https' is the only allowed URL scheme{_FORM}"))
    if not parts.netloc:
        causes.append(invalid(field, "", f"host must be specified{_FORM}"))
    if user:
        causes.append(invalid(field, user, "user information is not permitted in the URL"))
    if parts.fragment:
        causes.append(invalid(field, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        causes.append(invalid(field, parts.query, "query parameters are not permitted in the URL"))
    return causes


def service_causes(field: str, service: Object) -> list[Cause]:
    """A reference to a Service, defaulted."""
    causes = []
    if not service.get("name"):
        causes.append(required(f"{field}.name", "service name is required"))
    if not service.get("namespace"):
        causes.append(required(f"{field}.namespace", "service namespace is required"))
    port = service.get("port", 443)
    if not 1 <= port <= 65535:
        why = "port is not valid: must be between 1 and 65535, inclusive"
        causes.append(invalid(f"{field}.port", port, why))
    return causes + _path_causes(f"{field}.path", service.get("path") or "")


def _path_causes(field: str, path: str) -> list[Cause]:
    if path in ("", "/"):
        return []
    if path == "//":
        return [invalid(field, path, "segment[0] may not be empty")]
    causes = [] if path.startswith("/") else [invalid(field, path, "must start with a '/'")]
    for number, step in enumerate(path[1:].removesuffix("/").split("/")):
        if not step:
            causes.append(invalid(field, path, f"segment[{number}] may not be empty"))
            continue
        causes += [invalid(field, path, f"segment[{number}]: {error}") for error in subdomain_errors(step)]
    return causes


def bundle_causes(field: str, bundle: str) -> list[Cause]:
    """Certificates in PEM, in base64."""
    why = bundle_problem(bundle)
    return [invalid(field, bundle, f"unable to load root certificates: {why}")] if why else []


def bundle_problem(bundle: str) -> str:
    """Why a CA bundle is none; "" when it is one."""
    from cryptography import x509  # slow to import, and rarely needed

    try:
        found = x509.load_pem_x509_certificates(base64.b64decode(bundle))
    except (ValueError, binascii.Error):
        found = []
    return "" if found else "unable to parse bytes as PEM block"
