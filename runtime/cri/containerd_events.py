"""Listens to containerd's own event service, which shares the CRI socket.

Responsible for subscribing without a gap and for taking topic and object id out of the envelopes. What the
events mean for pods is `runtime.cri.events`' concern.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc.aio

from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks
from runtime.cri import wire
from runtime.cri.grpc_errors import runtime_errors

NAMESPACE = "k8s.io"  # where containerd's CRI keeps its objects
SUBSCRIBED = "/kubeling/subscribed"  # published by ourselves: when it comes back the subscription stands

_SERVICE = "/containerd.services.events.v1.Events/"
_METADATA = (("containerd-namespace", NAMESPACE),)
_KNOCK_INTERVAL = 0.02  # seconds


@dataclass(frozen=True, slots=True)
class ContainerdEvent:
    """`id` is the first field of the event: of a container, or an image's name; `process` the second."""

    topic: str
    id: str
    process: str = ""


async def subscribe(
    channel: grpc.aio.Channel, topics: Sequence[str], *, clock: Clock
) -> AsyncIterator[ContainerdEvent]:
    """Events of these topics; the first is SUBSCRIBED, after which none is missed.

    Ends only with an error: RuntimeUnavailable when containerd goes away, Unimplemented when the runtime is
    another one. Waits for a runtime that is not there yet.
    """
    filters = [f'namespace=={NAMESPACE},topic=="{topic}"' for topic in (SUBSCRIBED, *topics)]
    request = b"".join(wire.field(1, text) for text in filters)
    call: Any = channel.unary_stream(_SERVICE + "Subscribe", _as_is, _as_is)(
        request, metadata=_METADATA, wait_for_ready=True
    )
    try:
        async with Tasks("containerd-events") as tasks:
            knocking = tasks.start(_knock(channel, clock), name="knock")
            with runtime_errors():
                subscribed = False
                async for envelope in call:
                    event = _decoded(envelope)
                    if event.topic == SUBSCRIBED:
                        knocking.cancel()
                        if subscribed:
                            continue  # a second knock was on its way
                        subscribed = True
                    yield event
    finally:
        call.cancel()


def _as_is(message: bytes) -> bytes:
    return message


async def _knock(channel: grpc.aio.Channel, clock: Clock) -> None:
    """containerd does not confirm a subscription, so publish until our own event comes back."""
    event = wire.field(1, SUBSCRIBED) + wire.field(2, wire.field(1, "kubeling/subscribed"))
    publish: Any = channel.unary_unary(_SERVICE + "Publish", _as_is, _as_is)
    while True:
        try:
            await publish(event, metadata=_METADATA, wait_for_ready=True, timeout=5)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return
        await clock.sleep(_KNOCK_INTERVAL)


def _decoded(envelope: bytes) -> ContainerdEvent:
    parts = wire.fields(envelope)
    payload = wire.fields(wire.fields(parts.get(4, b"")).get(2, b""))
    return ContainerdEvent(
        topic=parts.get(3, b"").decode(),
        id=payload.get(1, b"").decode(errors="replace"),
        process=_process(parts.get(3, b"").decode(), payload),
    )


def _process(topic: str, payload: dict[int, bytes]) -> str:
    number = {"/tasks/exit": 2, "/tasks/delete": 5}.get(topic)
    return payload.get(number, b"").decode(errors="replace") if number else ""
