"""The environment variables by which a container finds services (`REDIS_SERVICE_HOST`, links)."""

from collections.abc import Iterable, Iterator

from kubeling.objects.meta import Object, name, namespace

_ALWAYS = ("default", "kubernetes")


def service_environment(services: Iterable[Object], pod: Object) -> dict[str, str]:
    """Variables of the API's service and, unless the pod declines links, of its namespace's services."""
    links = (pod.get("spec") or {}).get("enableServiceLinks", True)
    chosen: dict[str, Object] = {}
    for service in services:
        if not _has_address(service):
            continue
        if links and namespace(service) == namespace(pod):
            chosen[name(service)] = service
        elif (namespace(service), name(service)) == _ALWAYS:
            chosen.setdefault(name(service), service)
    found: dict[str, str] = {}
    for service_name in sorted(chosen):
        found.update(_variables(chosen[service_name]))
    return found


def _has_address(service: Object) -> bool:
    return (service.get("spec") or {}).get("clusterIP") not in (None, "", "None")


def _variables(service: Object) -> Iterator[tuple[str, str]]:
    spec = service["spec"]
    prefix, address, ports = _variable_name(name(service)), spec["clusterIP"], spec.get("ports") or []
    if not ports:
        return
    yield f"{prefix}_SERVICE_HOST", address
    yield f"{prefix}_SERVICE_PORT", str(ports[0]["port"])
    for port in ports:
        if port.get("name"):
            yield f"{prefix}_SERVICE_PORT_{_variable_name(port['name'])}", str(port["port"])
    for index, port in enumerate(ports):
        yield from _links(prefix, address, port, first=index == 0)


def _links(prefix: str, address: str, port: Object, *, first: bool) -> Iterator[tuple[str, str]]:
    protocol = str(port.get("protocol") or "TCP")
    host = f"[{address}]" if ":" in address else address
    url = f"{protocol.lower()}://{host}:{port['port']}"
    if first:
        yield f"{prefix}_PORT", url
    stem = f"{prefix}_PORT_{port['port']}_{protocol}"
    yield stem, url
    yield f"{stem}_PROTO", protocol.lower()
    yield f"{stem}_PORT", str(port["port"])
    yield f"{stem}_ADDR", address


def _variable_name(text: str) -> str:
    return text.replace("-", "_").upper()
