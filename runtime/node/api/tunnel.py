"""Passes a stream request on to the runtime's streaming server and then every byte untouched.

For all that containerd itself speaks: SPDY/3.1, and WebSocket with the channel protocols up to v4.
"""

from http import HTTPStatus

from aiohttp import web

from kubeling.streams.dial import UpgradeAnswer, dial_upgrade
from kubeling.streams.splice import Ends, close, splice
from kubeling.streams.takeover import Takeover

_PASSED_ON = (
    "connection",
    "upgrade",
    "origin",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "x-stream-protocol-version",
)


async def tunnel(request: web.BaseRequest, url: str) -> Takeover | web.Response:
    """Serve an upgrade request by `url`; a refusal is passed on with its body.

    Raises DialError when the runtime's streaming server cannot be reached.
    """
    headers = [(name, value) for name, value in request.headers.items() if name.lower() in _PASSED_ON]
    answer = await dial_upgrade(url, method=request.method, headers=headers)
    if answer.ends is None:
        return refused(answer)
    try:
        client = Takeover(request)
        try:
            client.writer.write(answer.head())
            await splice(Ends(client.reader, client.writer), answer.ends)
        finally:
            await client.close()
    finally:
        await close(answer.ends.writer)
    return client


def refused(answer: UpgradeAnswer) -> web.Response:
    """An answer other than 101, to be passed on."""
    status = answer.status if answer.status >= HTTPStatus.BAD_REQUEST else HTTPStatus.BAD_GATEWAY
    content_type = answer.headers.get("Content-Type", "text/plain")
    return web.Response(status=status, body=answer.body, headers={"Content-Type": content_type})
