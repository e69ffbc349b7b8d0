"""containerd's own snapshot service, which shares the CRI socket: read-only views of images' layers.

Responsible for making, finding and removing views. Mounting them is `runtime.images.view`'s.
"""

from datetime import datetime
from typing import Any, NamedTuple

import grpc.aio

from kubeling.objects.meta import timestamp
from runtime.cri import wire
from runtime.cri.containerd_events import NAMESPACE
from runtime.cri.grpc_errors import runtime_errors
from runtime.errors import AlreadyExists, NotFound

_SERVICE = "/containerd.services.snapshots.v1.Snapshots/"
_METADATA = (("containerd-namespace", NAMESPACE),)
_TIMEOUT = 30.0
_KEEP = "containerd.io/gc.root"
"""The label without which containerd's garbage collector takes a snapshot that no container has."""


class Layers(NamedTuple):
    """How a view is to be mounted."""

    kind: str
    source: str
    options: list[str]


class Snapshots:
    def __init__(self, channel: grpc.aio.Channel, snapshotter: str) -> None:
        self._channel = channel
        self._snapshotter = snapshotter

    async def view(self, key: str, parent: str, *, now: datetime) -> Layers:
        """The view of that key, made unless it is there.

        Raises:
            NotFound: there are no such layers.
        """
        label = wire.field(1, _KEEP) + wire.field(2, timestamp(now))
        request = wire.field(1, self._snapshotter) + wire.field(2, key) + wire.field(3, parent)
        try:
            return _layers(await self._call("View", request + wire.field(4, label)))
        except AlreadyExists:
            return _layers(await self._call("Mounts", wire.field(1, self._snapshotter) + wire.field(2, key)))

    async def remove(self, key: str) -> None:
        """One that is not there is fine."""
        try:
            await self._call("Remove", wire.field(1, self._snapshotter) + wire.field(2, key))
        except NotFound:
            return

    async def _call(self, method: str, request: bytes) -> bytes:
        call: Any = self._channel.unary_unary(_SERVICE + method, _as_is, _as_is)
        with runtime_errors():
            answer: bytes = await call(request, metadata=_METADATA, timeout=_TIMEOUT)
        return answer


def _layers(answer: bytes) -> Layers:
    """Of a snapshot there is one mount. Its fields: type, source, target, options."""
    described = wire.fields(answer)[1]
    options = [each.decode() for each in wire.repeated(described, 4)]
    parts = wire.fields(described)
    return Layers(parts.get(1, b"").decode(), parts.get(2, b"").decode(), options)


def _as_is(message: bytes) -> bytes:
    return message
