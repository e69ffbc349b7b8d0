"""A watch over a WebSocket: each event is a message of its own, what the client says is read and ignored.

Browsers and the Java client watch so. Which events, and for how long, is the business of `watch`.
"""

from collections.abc import Callable

from aiohttp import web

from kubeling.objects.tasks import Tasks
from server.api.reply import Headers, Stream
from server.api.upgrades import protocols

_CLOSING_SECONDS = 1.0
_MOST_BYTES_READ = 4096


class Frames(Stream):
    """A stream whose lines become messages, one each; `gone` is called when the client ends it."""

    __slots__ = ("_gone", "_reading", "_socket")

    def __init__(self, http: web.BaseRequest, gone: Callable[[], object]) -> None:
        super().__init__(http, status=101)
        self._gone = gone
        self._socket = web.WebSocketResponse(
            timeout=_CLOSING_SECONDS,
            compress=False,
            max_msg_size=_MOST_BYTES_READ,
            protocols=protocols(http.headers.get("Sec-WebSocket-Protocol", "")),
        )
        self._reading = Tasks("watch over a WebSocket")

    async def begin(self, request: web.BaseRequest, *, content_type: str, headers: Headers = ()) -> None:
        self._socket.headers.update(headers)
        await self._socket.prepare(request)
        self._reading.start(self._read(), name="reader")

    async def _read(self) -> None:
        """Until the client closes or goes; pings are answered on the way."""
        async for _ in self._socket:
            pass
        self._gone()

    async def send(self, data: bytes) -> None:
        for line in data.splitlines(keepends=True):
            await self._socket.send_frame(line, web.WSMsgType.TEXT)

    def send_now(self, data: bytes) -> bool:
        return False

    async def end(self, request: web.BaseRequest) -> None:
        await self._socket.close()
        await self._reading.stop()
