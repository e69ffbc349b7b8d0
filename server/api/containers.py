"""Pods as the subresources see them: the pod, the node it runs on, and the container that is meant."""

from collections.abc import Sequence
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import BadRequest
from kubeling.objects.meta import Object
from server.api.request import Request
from server.registry.registry import Registry


async def find_pod(registry: Registry, request: Request) -> Object:
    """The pod that a request names.

    Raises:
        NotFound: there is none.
    """
    record = await registry.get(request.kind, request.namespace, request.info.name)
    return record.obj


def node_of(pod: Object) -> str:
    """The node that the pod is bound to, or ""."""
    return str(pod["spec"].get("nodeName") or "")


def container_of(pod: Object, asked: str) -> str:
    """The container that is meant: the one asked for, or the pod's only one.

    Raises:
        BadRequest: there is no such container, or it is not clear which is meant.
    """
    spec, name = pod["spec"], meta.name(pod)
    containers, init, ephemeral = (
        _names(spec.get(field)) for field in ("containers", "initContainers", "ephemeralContainers")
    )
    if asked:
        if asked not in (*containers, *init, *ephemeral):
            raise BadRequest(f"container {asked} is not valid for pod {name}")
        return asked
    if len(containers) == 1:
        return containers[0]
    text = f"a container name must be specified for pod {name}, choose one of: {_listed(containers)}"
    if init:
        text += f" or one of the init containers: {_listed(init)}"
    if ephemeral:
        text += f" or one of the ephemeral containers: {_listed(ephemeral)}"
    raise BadRequest(text)


def _names(containers: Sequence[dict[str, Any]] | None) -> list[str]:
    return [container["name"] for container in containers or ()]


def _listed(names: Sequence[str]) -> str:
    return f"[{' '.join(names)}]"
