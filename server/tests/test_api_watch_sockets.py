"""Watches over WebSockets."""

import asyncio
import base64
from typing import Any

import aiohttp
import orjson
import pytest

MAPS = "/api/v1/namespaces/default/configmaps"


async def watch(api: Any, query: str = "", **options: Any) -> aiohttp.ClientWebSocketResponse:
    socket: aiohttp.ClientWebSocketResponse = await api.session.ws_connect(
        f"{api.url}{MAPS}?watch=1&{query}", headers={"Authorization": f"Bearer {api.token}"}, **options
    )
    return socket


async def test_each_event_is_a_message_of_text(api: Any) -> None:
    await api.make_config_map("a")
    socket = await watch(api)
    await api.make_config_map("b")
    events = [orjson.loads(await socket.receive_str(timeout=10)) for _ in range(2)]
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [
        ("ADDED", "a"),
        ("ADDED", "b"),
    ]
    await socket.close()


async def test_it_is_closed_when_its_time_is_up(api: Any) -> None:
    socket = await watch(api, "timeoutSeconds=1")
    assert (await socket.receive(timeout=10)).type == aiohttp.WSMsgType.CLOSE


async def test_it_ends_with_its_client(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    socket = await watch(api)
    await socket.close()
    assert socket.close_code == 1000
    async with asyncio.timeout(2):
        await api.stop()
    assert not caplog.records


async def test_a_stopping_server_closes_it(api: Any) -> None:
    socket = await watch(api)
    stopping = asyncio.ensure_future(api.stop())  # noqa: TID251
    assert (await socket.receive(timeout=10)).type == aiohttp.WSMsgType.CLOSE
    await stopping


async def test_pings_are_answered_and_words_ignored(api: Any) -> None:
    socket = await watch(api, autoping=False)
    await socket.send_str("hello")
    await socket.ping(b"1")
    assert (await socket.receive(timeout=10)).type == aiohttp.WSMsgType.PONG
    await socket.close()


async def test_the_protocol_that_is_offered_is_taken(api: Any) -> None:
    offered = ("base64url.bearer.authorization.k8s.io.eA", "base64.binary.k8s.io")
    socket = await watch(api, protocols=offered)
    assert socket.protocol == "base64.binary.k8s.io"
    await socket.close()


async def test_a_refusal_is_an_ordinary_answer(api: Any) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await watch(api, "labelSelector=%2C%2C")
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("offered", "status"),
    [
        (["{token}", "base64.binary.k8s.io"], 101),
        (["base64.binary.k8s.io", "{token}"], 101),
        (["{token}"], 401),
        (["{token}", "{token}", "base64.binary.k8s.io"], 401),
        (["base64url.bearer.authorization.k8s.io.*", "base64.binary.k8s.io"], 401),
        (["base64url.bearer.authorization.k8s.io.eA", "base64.binary.k8s.io"], 401),
    ],
)
async def test_a_token_may_be_a_subprotocol(api: Any, offered: list[str], status: int) -> None:
    encoded = base64.urlsafe_b64encode(api.token.encode()).decode().rstrip("=")
    names = [name.format(token=f"base64url.bearer.authorization.k8s.io.{encoded}") for name in offered]
    try:
        socket = await api.session.ws_connect(f"{api.url}{MAPS}?watch=1", protocols=names)
    except aiohttp.WSServerHandshakeError as refused:
        answered = refused.status
    else:
        answered = 101
        assert socket.protocol == "base64.binary.k8s.io"
        await socket.close()
    assert answered == status
