"""Makes what is missing, everything at once: the writes share their commits."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network

from kubeling.objects import meta
from kubeling.objects.errors import AlreadyExists, NotFound
from kubeling.objects.meta import Object
from server.initial.api_services import LABEL, api_services
from server.initial.flow_control import keep_flow_control
from server.registry.context import SYSTEM, RequestContext
from server.registry.groups.scheduling import SYSTEM as PRIORITIES
from server.registry.kind import Kind
from server.registry.options import MERGE_PATCH, Patch
from server.registry.registry import Registry

Networks = Sequence[IPv4Network | IPv6Network]


async def ensure(registry: Registry, *, service_networks: Networks) -> None:
    """
    Raises:
        ApiError: the registry refused an object.
    """
    await _make_range(registry, service_networks)
    own = api_services(registry.kinds.all())
    await asyncio.gather(
        *(_make(registry, obj) for obj in _priority_classes()),
        *(_restore(registry, obj) for obj in own),
        keep_flow_control(registry),
    )


def _priority_classes() -> Iterable[Object]:
    for name, content in PRIORITIES.items():
        head = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
        yield head | content


async def _make_range(registry: Registry, networks: Networks) -> None:
    """The ServiceCIDR that the server is configured with, ready at once: its own Service needs it."""
    await _make(
        registry,
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "ServiceCIDR",
            "metadata": {
                "name": "kubernetes",
                "finalizers": ["networking.k8s.io/service-cidr-finalizer"],
            },
            "spec": {"cidrs": [str(network) for network in networks]},
        },
        {"type": "Ready", "message": "Kubernetes default Service CIDR is ready"},
    )


async def _make(registry: Registry, obj: Object, condition: Object | None = None) -> None:
    """Create the object unless it is there. A `condition` that is given goes into its status, as True."""
    group, _, version = obj["apiVersion"].rpartition("/")
    kind = registry.kinds.lookup_kind(group, version, obj["kind"])
    assert kind is not None, f"{obj['kind']} is not served"
    name = obj["metadata"]["name"]
    try:
        await registry.get(kind, "", name)
    except NotFound:
        with suppress(AlreadyExists):
            made = await registry.create(RequestContext(SYSTEM), kind, "", obj)
            if condition is not None:
                since = made.obj["metadata"]["creationTimestamp"]
                await _set(registry, kind, name, {**condition, "lastTransitionTime": since})


async def _restore(registry: Registry, wanted: Object) -> None:
    """Make an APIService, or give it its spec again: it must not lead what this server answers elsewhere."""
    await _make(registry, wanted)
    kind, name = registry.kinds.lookup("apiregistration.k8s.io", "v1", "apiservices"), meta.name(wanted)
    assert kind is not None
    found = (await registry.get(kind, "", name)).obj
    if found["spec"] != wanted["spec"] and meta.labels(found).get(LABEL) == "onstart":
        await registry.update(RequestContext(SYSTEM), kind, "", name, {**found, "spec": wanted["spec"]})


async def _set(registry: Registry, kind: Kind, name: str, condition: Object) -> None:
    full = {"status": "True", "reason": "", **condition}
    patch = Patch(MERGE_PATCH, {"status": {"conditions": [full]}})
    await registry.patch(RequestContext(SYSTEM), kind, "", name, patch, subresource="status")
