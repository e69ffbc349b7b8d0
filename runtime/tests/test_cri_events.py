"""Events from a containerd that is played by a gRPC server of our own."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import SystemClock
from runtime.container_runtime import RuntimeEvent, RuntimeEventKind
from runtime.cri import wire
from runtime.cri.channel import open_channel
from runtime.cri.events import EventStream

RELIST = RuntimeEvent(RuntimeEventKind.RELIST)


class FakeContainerd(grpc.GenericRpcHandler):
    """Serves the event service, and CRI's Version so that a caller sees CRI's event stream missing."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._subscribers: list[asyncio.Queue[bytes]] = []
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((self,))
        self._server.add_insecure_port(self._address)
        await self._server.start()

    async def stop(self) -> None:
        assert self._server is not None
        await self._server.stop(None)

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        handlers: dict[str, Callable[[], Any]] = {
            "/containerd.services.events.v1.Events/Subscribe": lambda: grpc.unary_stream_rpc_method_handler(
                self._subscribe
            ),
            "/containerd.services.events.v1.Events/Publish": lambda: grpc.unary_unary_rpc_method_handler(
                self._publish
            ),
            "/runtime.v1.RuntimeService/Version": lambda: grpc.unary_unary_rpc_method_handler(self._version),
        }
        make = handlers.get(str(details.method))
        return make() if make else None

    def tell(self, topic: str, *values: tuple[int, str]) -> None:
        event = b"".join(wire.field(number, value) for number, value in values)
        payload = wire.field(1, "type") + wire.field(2, event)
        self._tell(topic, payload)

    def _tell(self, topic: str, payload: bytes) -> None:
        envelope = wire.field(2, "k8s.io") + wire.field(3, topic) + wire.field(4, payload)
        for queue in self._subscribers:
            queue.put_nowait(envelope)

    async def _publish(self, request: bytes, context: Any) -> bytes:
        parts = wire.fields(request)
        self._tell(parts[1].decode(), parts[2])
        return b""

    async def _subscribe(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._subscribers.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._subscribers.remove(queue)

    async def _version(self, request: bytes, context: Any) -> bytes:
        return cri.VersionResponse(runtime_name="fake").SerializeToString()


@pytest.fixture
async def containerd(tmp_path: Path) -> AsyncIterator[FakeContainerd]:
    fake = FakeContainerd(f"unix://{tmp_path}/s")
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def events(containerd: FakeContainerd, tmp_path: Path) -> AsyncIterator[AsyncGenerator[RuntimeEvent]]:
    channel = open_channel(f"unix://{tmp_path}/s")
    stream = EventStream(channel, clock=SystemClock()).events()
    yield stream
    await stream.aclose()
    await channel.close(None)


async def test_the_first_event_is_a_relist_and_then_nothing_is_missed(
    containerd: FakeContainerd, events: AsyncIterator[RuntimeEvent]
) -> None:
    assert await anext(events) == RELIST
    containerd.tell("/tasks/delete", (1, "c1"))
    containerd.tell("/containers/delete", (1, "c1"))
    assert await anext(events) == RuntimeEvent(RuntimeEventKind.STOPPED, "c1")
    assert await anext(events) == RuntimeEvent(RuntimeEventKind.DELETED, "c1")


async def test_commands_run_in_a_container_are_not_its_end(
    containerd: FakeContainerd, events: AsyncIterator[RuntimeEvent]
) -> None:
    assert await anext(events) == RELIST
    containerd.tell("/tasks/delete", (1, "c1"), (5, "exec-id"))
    containerd.tell("/tasks/delete", (1, "c2"))
    assert (await anext(events)).id == "c2"


async def test_after_a_restart_of_the_runtime_comes_a_relist(
    containerd: FakeContainerd, events: AsyncIterator[RuntimeEvent]
) -> None:
    assert await anext(events) == RELIST
    await containerd.stop()
    await containerd.start()
    assert await asyncio.wait_for(anext(events), 10) == RELIST
    containerd.tell("/tasks/delete", (1, "c3"))
    assert await anext(events) == RuntimeEvent(RuntimeEventKind.STOPPED, "c3")
