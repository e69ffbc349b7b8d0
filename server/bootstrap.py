"""The objects that every cluster has: system namespaces, and the `kubernetes` Service with its endpoints.

Made, or put right, each time the server starts; what users changed besides is left alone.
"""

from collections.abc import Mapping

from kubeling.objects.errors import AlreadyExists, NotFound
from kubeling.objects.meta import Object
from server.auth.policy.reconcile import reconcile
from server.config import Config
from server.initial import ensure
from server.registry.context import SYSTEM, RequestContext
from server.registry.kind import Kind
from server.registry.registry import Registry

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_SERVICE = "kubernetes"
_LABELS = {"component": "apiserver", "provider": "kubernetes"}


class MissingKind(LookupError):
    """The server is built without a kind that it needs itself."""


async def bootstrap(registry: Registry, config: Config, *, port: int) -> None:
    """Bring the objects about; `port` is the one that the server listens on.

    Raises:
        ApiError: the registry refused one.
    """
    for name in NAMESPACES:
        await _create_missing(
            registry, _kind(registry, "", "v1", "namespaces"), "", _object("v1", "Namespace", name)
        )
    await reconcile(registry)
    await ensure(registry, service_networks=(config.service_cidr,))
    await _keep(registry, _kind(registry, "", "v1", "configmaps"), _authentication(config))
    await _create_missing(registry, _kind(registry, "", "v1", "services"), "default", _service(config))
    if config.advertise_address.is_loopback:
        return  # endpoints cannot have such an address
    address = str(config.advertise_address)
    await _keep(registry, _kind(registry, "", "v1", "endpoints"), _endpoints(address, port))
    slice_kind = _kind(registry, "discovery.k8s.io", "v1", "endpointslices")
    await _keep(
        registry, slice_kind, _endpoint_slice(address, port, version=config.advertise_address.version)
    )


def _kind(registry: Registry, group: str, version: str, plural: str) -> Kind:
    kind = registry.kinds.lookup(group, version, plural)
    if kind is None:
        raise MissingKind(f"{plural} in {group or 'the core group'} {version}")
    return kind


def _object(api_version: str, kind: str, name: str, **metadata: object) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **metadata}}


async def _create_missing(registry: Registry, kind: Kind, namespace: str, obj: Object) -> None:
    try:
        await registry.get(kind, namespace, obj["metadata"]["name"])
    except NotFound:
        try:
            await registry.create(RequestContext(SYSTEM), kind, namespace, obj)
        except AlreadyExists:
            return


async def _keep(registry: Registry, kind: Kind, wanted: Object) -> None:
    """Create the object, or give it the wanted content again if it differs."""
    name, namespace = wanted["metadata"]["name"], wanted["metadata"].get("namespace", "default")
    try:
        found = (await registry.get(kind, namespace, name)).copy()
    except NotFound:
        await registry.create(RequestContext(SYSTEM), kind, namespace, wanted)
        return
    content = {key: value for key, value in wanted.items() if key != "metadata"}
    if not _holds(found, content):
        await registry.update(RequestContext(SYSTEM), kind, namespace, name, found | content)


def _holds(found: object, wanted: object) -> bool:
    """Whether all that is wanted is there; defaults that were added do not matter."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_holds(found.get(key), wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        same_length = isinstance(found, list) and len(found) == len(wanted)
        return same_length and all(map(_holds, found, wanted))  # type: ignore[call-overload]
    return found == wanted


def _authentication(config: Config) -> Object:
    """How servers of other APIs know clients, and this server when it speaks for others."""
    found = _object("v1", "ConfigMap", "extension-apiserver-authentication", namespace="kube-system")
    found["data"] = {"client-ca-file": config.client_ca.read_text()}
    if config.request_header_ca is not None:
        found["data"] |= {
            "requestheader-allowed-names": '["front-proxy-client"]',
            "requestheader-client-ca-file": config.request_header_ca.read_text(),
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-uid-headers": '["X-Remote-Uid"]',
            "requestheader-username-headers": '["X-Remote-User"]',
        }
    return found


def _service(config: Config) -> Object:
    service = _object("v1", "Service", _SERVICE, labels=_LABELS)
    service["spec"] = {
        "type": "ClusterIP",
        "clusterIP": str(config.first_service_address),
        "sessionAffinity": "None",
        "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": config.port or 6443}],
    }
    return service


def _endpoints(address: str, port: int) -> Object:
    endpoints = _object(
        "v1", "Endpoints", _SERVICE, labels={"endpointslice.kubernetes.io/skip-mirror": "true"}
    )
    endpoints["subsets"] = [
        {"addresses": [{"ip": address}], "ports": [{"name": "https", "port": port, "protocol": "TCP"}]}
    ]
    return endpoints


def _endpoint_slice(address: str, port: int, *, version: int) -> Object:
    labels = {"kubernetes.io/service-name": _SERVICE}
    endpoint_slice = _object("discovery.k8s.io/v1", "EndpointSlice", _SERVICE, labels=labels)
    endpoint_slice["addressType"] = f"IPv{version}"
    endpoint_slice["endpoints"] = [{"addresses": [address], "conditions": {"ready": True}}]
    endpoint_slice["ports"] = [{"name": "https", "port": port, "protocol": "TCP"}]
    return endpoint_slice
