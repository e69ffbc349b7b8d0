"""What changed in the runtime, from the best source that it offers.

    CRI GetContainerEvents  →  containerd's event service  →  a relist once a second

The next source is taken when the runtime does not know the one before. A source that breaks is opened again;
its first event is RELIST, so nothing is lost in between. Not responsible for reading the new state.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from typing import Any

import grpc.aio
from cri_api.v1 import api_pb2 as cri
from cri_api.v1 import api_pb2_grpc

from kubeling.objects.clock import Clock
from runtime.container_runtime import RuntimeEvent, RuntimeEventKind
from runtime.cri.containerd_events import SUBSCRIBED, ContainerdEvent, subscribe
from runtime.cri.grpc_errors import runtime_errors
from runtime.errors import RuntimeServiceError, Unimplemented

logger = logging.getLogger(__name__)

RELIST = RuntimeEvent(RuntimeEventKind.RELIST)
RELIST_INTERVAL = 1.0  # seconds, where the runtime tells nothing
REFUSAL_TIMEOUT = 0.1  # seconds in which a runtime refuses a call that it does not know
REOPEN_DELAY = 0.1  # seconds

_CRI_KINDS: dict[int, RuntimeEventKind] = {
    cri.CONTAINER_STOPPED_EVENT: RuntimeEventKind.STOPPED,
    cri.CONTAINER_DELETED_EVENT: RuntimeEventKind.DELETED,
}
_TOPICS = {
    "/tasks/delete": RuntimeEventKind.STOPPED,
    "/containers/delete": RuntimeEventKind.DELETED,
}


class EventStream:
    """One consumer's view of the runtime's events."""

    def __init__(self, channel: grpc.aio.Channel, *, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock

    async def events(self) -> AsyncGenerator[RuntimeEvent]:
        """See `ContainerRuntime.events`."""
        sources = [self._from_cri, self._from_containerd, self._relists]
        while True:
            try:
                async for event in sources[0]():
                    yield event
            except Unimplemented:
                del sources[0]
                continue
            except RuntimeServiceError as error:
                logger.info("the runtime's event stream broke: %s", error)
            await self._clock.sleep(REOPEN_DELAY)

    async def _from_cri(self) -> AsyncGenerator[RuntimeEvent]:
        stub: Any = api_pb2_grpc.RuntimeServiceStub(self._channel)  # type: ignore[no-untyped-call]
        call = stub.GetContainerEvents(cri.GetEventsRequest(), wait_for_ready=True)
        try:
            with runtime_errors():
                # The opening is not confirmed: the stream stands when the runtime does not refuse it.
                await stub.Version(cri.VersionRequest(version="v1"), timeout=5, wait_for_ready=True)
                if not await _ends(call, within=REFUSAL_TIMEOUT):
                    yield RELIST
                async for event in call:
                    if event.container_event_type in _CRI_KINDS:
                        yield RuntimeEvent(_CRI_KINDS[event.container_event_type], event.container_id)
        finally:
            call.cancel()

    async def _from_containerd(self) -> AsyncGenerator[RuntimeEvent]:
        async for event in subscribe(self._channel, tuple(_TOPICS), clock=self._clock):
            if event.topic == SUBSCRIBED:
                yield RELIST
            elif not _is_exec(event):
                yield RuntimeEvent(_TOPICS[event.topic], event.id)

    async def _relists(self) -> AsyncGenerator[RuntimeEvent]:
        yield RELIST
        while True:
            await self._clock.sleep(RELIST_INTERVAL)
            yield RuntimeEvent(RuntimeEventKind.LOOK)


async def _ends(call: Any, *, within: float) -> bool:
    ended = asyncio.Event()
    call.add_done_callback(lambda _: ended.set())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), within)
    return ended.is_set()


def _is_exec(event: ContainerdEvent) -> bool:
    return event.process not in ("", event.id)
