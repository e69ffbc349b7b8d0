"""An attacker's tools: requests as bytes, users with chosen rights, certificates with chosen names."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

RBAC = "/apis/rbac.authorization.k8s.io/v1"
DEFAULT = f"{RBAC}/namespaces/default"


async def grant(api: Any, user: str, *rules: dict[str, Any], namespace: str = "default") -> None:
    """Give a user a role with these rules in the namespace, or ("") in the cluster."""
    name = f"of-{user.replace(':', '-')}"
    where = f"{RBAC}/namespaces/{namespace}" if namespace else RBAC
    prefix, plural = ("", "role") if namespace else ("Cluster", "clusterrole")
    role = {"metadata": {"name": name}, "rules": list(rules)}
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": f"{prefix}Role", "name": name},
        "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
    }
    for path, obj in ((f"{where}/{plural}s", role), (f"{where}/{plural}bindings", binding)):
        answer = await api.post(path, obj)
        assert answer.status == 201, answer.body


def allow(verbs: str, resources: str, *, groups: str = "", names: str = "") -> dict[str, Any]:
    """A rule, its lists separated by commas."""
    rule = {
        "verbs": verbs.split(","),
        "apiGroups": groups.split(","),
        "resources": resources.split(","),
    }
    return rule | ({"resourceNames": names.split(",")} if names else {})


async def talk(
    api: Any, data: bytes, *, certificate: tuple[Path, Path] | None = None, lines: bool = False
) -> bytes:
    """Send bytes, and read until the server has nothing more to say or, by `lines`, the first line."""
    port = int(api.url.rpartition(":")[2])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    if certificate is not None:
        tls.load_cert_chain(*certificate)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    writer.write(data)
    async with asyncio.timeout(10):
        answer = await (reader.readline() if lines else reader.read())
    writer.close()
    return answer


async def ask(api: Any, method: str, path: str, *headers: str, body: bytes = b"", **options: Any) -> bytes:
    """One request whose path nobody has put in order; the whole answer."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return await talk(api, "\r\n".join(lines).encode() + b"\r\n\r\n" + body, **options)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])
