"""An HTTP GET at a container, for hooks and probes: any status from 200 to 399 is a success."""

import asyncio
import os
import ssl

from kubeling.objects.meta import Object

LONGEST_BODY = 10 * 1024
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")


class HttpFailed(Exception):
    """No answer, or one that says no."""


class HttpRefused(HttpFailed):
    """An answer that says no."""


async def http_get(action: Object, container: Object, host: str, *, timeout: float) -> str:
    """The beginning of the answer's body.

    Raises:
        HttpFailed: the text is what the kubelet's events say.
    """
    import aiohttp

    target = url(action, container, host)
    headers = {each["name"]: each["value"] for each in action.get("httpHeaders") or []}
    headers = {"User-Agent": "kube-probe/1.37", "Accept": "*/*", "Connection": "close", **headers}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as session,
            session.get(target, headers=headers, ssl=_unverified(target), allow_redirects=False) as answer,
        ):
            body = (await answer.content.read(LONGEST_BODY)).decode(errors="replace")
            if not 200 <= answer.status < 400:
                raise HttpRefused(f"HTTP probe failed with statuscode: {answer.status}")
            return body
    except TimeoutError as error:
        raise HttpFailed(
            f'Get "{target}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        ) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise HttpFailed(f'Get "{target}": {_reason(error, target)}') from error


async def tcp_open(host: str, port: int, *, timeout: float) -> None:
    """Raises: HttpFailed."""
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError as error:
        raise HttpFailed(f"dial tcp {host}:{port}: i/o timeout") from error
    except OSError as error:
        raise HttpFailed(f"dial tcp {host}:{port}: connect: {_os_reason(error)}") from error
    writer.close()


def url(action: Object, container: Object, host: str) -> str:
    scheme = (action.get("scheme") or "HTTP").lower()
    path = action.get("path") or "/"
    address = action.get("host") or host
    address = f"[{address}]" if ":" in address else address
    return f"{scheme}://{address}:{port_number(action['port'], container)}/{path.lstrip('/')}"


def port_number(port: int | str, container: Object) -> int:
    """A port's number; a name is looked up among the container's ports.

    Raises:
        HttpFailed: the container has no port of that name.
    """
    if isinstance(port, int) or str(port).isdigit():
        return int(port)
    for each in container.get("ports") or []:
        if each.get("name") == port:
            return int(each["containerPort"])
    raise HttpFailed(f"couldn't find port: {port}")


def _unverified(target: str) -> ssl.SSLContext | bool:
    """The kubelet does not check certificates of what it probes."""
    if not target.startswith("https:"):
        return True
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _reason(error: Exception, target: str) -> str:
    inner = getattr(error, "os_error", None)
    if isinstance(inner, ssl.SSLError) and inner.reason in _NO_TLS:
        return "http: server gave HTTP response to HTTPS client"
    if isinstance(inner, OSError):
        place = target.split("/")[2]
        return f"dial tcp {place}: connect: {_os_reason(inner)}"
    return str(error) or type(error).__name__


def _os_reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)
