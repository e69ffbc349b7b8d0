"""Two API servers on one PostgreSQL: a definition made through one is served by both, and goes from both."""

import asyncio
from typing import Any

import aiohttp
import orjson

from server.tests.test_custom_api import CRDS, WIDGETS, definition, version, widget
from server.tests.test_shared_database import Server, ready, servers, session

__all__ = ["servers", "session"]


async def ask(session: aiohttp.ClientSession, method: str, url: str, body: Any = None) -> tuple[int, Any]:
    async with session.request(method, url, data=None if body is None else orjson.dumps(body)) as answer:
        return answer.status, orjson.loads(await answer.read())


async def until(session: aiohttp.ClientSession, url: str, status: int) -> None:
    async with asyncio.timeout(20):
        while True:
            async with session.get(url) as answer:
                if answer.status == status:
                    return
            await asyncio.sleep(0.01)


async def test_a_definition_made_through_one_server_is_served_by_the_other(
    session: aiohttp.ClientSession, servers: tuple[Server, Server]
) -> None:
    one, other = servers
    for server in servers:
        await ready(session, server)
    wanted = definition(version("v1"), version("v2", storage=False))
    assert (await ask(session, "POST", one.url + CRDS, wanted))[0] == 201
    for server in servers:
        await until(session, server.url + WIDGETS, 200)
    made = await ask(session, "POST", other.url + WIDGETS, widget("w1", color="red"))
    assert made[0] == 201
    in_v2 = WIDGETS.replace("/v1/", "/v2/")
    status, seen = await ask(session, "GET", f"{one.url}{in_v2}/w1")
    assert (status, seen["apiVersion"], seen["spec"]) == (
        200,
        "example.com/v2",
        {"color": "red", "replicas": 1},
    )
    _, found = await ask(session, "GET", f"{other.url}{CRDS}/widgets.example.com")
    states = {each["type"]: each["status"] for each in found["status"]["conditions"]}
    assert states == {"NamesAccepted": "True", "Established": "True"}
    assert (await ask(session, "DELETE", f"{other.url}{CRDS}/widgets.example.com"))[0] == 200
    for server in servers:
        await until(session, server.url + WIDGETS, 404)
        await until(session, f"{server.url}{CRDS}/widgets.example.com", 404)
