"""Binds a pod by creating its Binding."""

from kubeling.client import Client
from kubeling.client.resources import PODS
from kubeling.objects.meta import Object
from server.scheduler.framework import Plugin
from server.scheduler.pod_info import PodInfo


class DefaultBinder(Plugin):
    name = "DefaultBinder"
    points = frozenset({"bind"})


async def bind(client: Client, pod: PodInfo, node: str) -> None:
    """Raises ApiError, ConnectionLost."""
    binding: Object = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
        "target": {"kind": "Node", "name": node},
    }
    await client.create(PODS, binding, subresource="binding")
