"""containerd's own leases, which keep from its garbage collector what is being made: those of work cut short.

A lease that nobody ends lasts a day, and with it layers of containers that never came to be.
"""

from typing import Any

import grpc.aio

from runtime.cri import wire
from runtime.cri.containerd_events import NAMESPACE
from runtime.cri.grpc_errors import runtime_errors

_SERVICE = "/containerd.services.leases.v1.Leases/"
_METADATA = (("containerd-namespace", NAMESPACE),)
_TIMEOUT = 30.0


async def end_leases(channel: grpc.aio.Channel, *, before: float) -> None:
    """End those that were made before that moment (seconds since the epoch), and collect what they kept.

    Raises:
        RuntimeServiceError: containerd does not answer.
    """
    for lease in wire.repeated(await _call(channel, "List", b""), 1):
        parts = wire.fields(lease)
        if wire.numbers(parts.get(2, b"")).get(1, 0) < int(before):
            await _call(channel, "Delete", wire.field(1, parts[1].decode()) + wire.flag(2))


async def _call(channel: grpc.aio.Channel, method: str, request: bytes) -> bytes:
    call: Any = channel.unary_unary(_SERVICE + method)
    with runtime_errors():
        answer: bytes = await call(request, metadata=_METADATA, timeout=_TIMEOUT)
    return answer
