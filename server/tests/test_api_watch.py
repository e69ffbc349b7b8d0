"""Watches over HTTPS."""

import asyncio
from typing import Any

import orjson
import pytest

from server.api.reply import Stream
from server.api.watch import BYTES_PER_WRITE

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class Watching:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def next(self) -> Any:
        async with asyncio.timeout(10):
            return orjson.loads(await self.answer.content.readline())

    async def ended(self) -> bool:
        async with asyncio.timeout(10):
            return not await self.answer.content.readline()


async def watch(api: Any, query: Any = "", **headers: Any) -> Any:
    return Watching(await api.stream(f"{MAPS}?watch=1&{query}", **headers))


async def test_events_come_as_they_happen(api: Any) -> None:
    version = (await api.get(MAPS)).json["metadata"]["resourceVersion"]
    events = await watch(api, f"resourceVersion={version}")
    made = await api.make_config_map("a", x="1")
    assert await events.next() == {"type": "ADDED", "object": made}
    await api.request("DELETE", f"{MAPS}/a")
    assert (await events.next())["type"] == "DELETED"


async def test_a_watch_begins_with_what_there_is(api: Any) -> None:
    await api.make_config_map("a")
    events = await watch(api)
    assert (await events.next())["object"]["metadata"]["name"] == "a"


async def test_a_watch_in_table_form_names_its_columns_once(api: Any) -> None:
    await api.make_config_map("a")
    await api.make_config_map("b")
    events = await watch(api, Accept=TABLE)
    first, second = (await events.next())["object"], (await events.next())["object"]
    assert first["kind"] == second["kind"] == "Table"
    assert first["columnDefinitions"]
    assert not second.get("columnDefinitions")
    assert second["rows"][0]["cells"][0] == "b"


async def test_a_watch_of_metadata(api: Any) -> None:
    await api.make_config_map("a", x="1")
    accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    event = await (await watch(api, Accept=accept)).next()
    assert event["object"]["kind"] == "PartialObjectMetadata"
    assert "data" not in event["object"]


async def test_a_watch_ends_cleanly_when_its_time_is_up(api: Any) -> None:
    events = await watch(api, "timeoutSeconds=1")
    assert await events.ended()


async def test_a_stopping_server_ends_its_watches_cleanly(api: Any) -> None:
    events = await watch(api, "resourceVersion=0")
    async with asyncio.timeout(2):
        await api.stop()
    assert await events.ended()


async def test_a_watch_from_a_forgotten_revision_is_told_so(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from server.storage import Store

    made = await api.make_config_map("a")
    monkeypatch.setattr(Store, "compacted_revision", int(made["metadata"]["resourceVersion"]))
    events = await watch(api, "resourceVersion=1")
    event = await events.next()
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert await events.ended()


async def test_a_watch_of_yaml_is_not_to_be_had(api: Any) -> None:
    events = await watch(api, Accept="application/yaml")
    assert events.answer.status == 406


async def test_watchers_share_what_is_encoded(api: Any) -> None:
    version = (await api.get(MAPS)).json["metadata"]["resourceVersion"]
    watching = [await watch(api, f"resourceVersion={version}") for _ in range(5)]
    await api.make_config_map("a")
    events = [await events.next() for events in watching]
    assert all(event == events[0] for event in events)


async def test_initial_events_are_written_a_piece_at_a_time(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        await api.make_config_map(f"large-{number}", text="x" * 30_000)
    sizes, plain = [], Stream.send

    async def send(stream: Stream, data: bytes) -> None:
        sizes.append(len(data))
        await plain(stream, data)

    monkeypatch.setattr(Stream, "send", send)
    events = await watch(api)
    names = [(await events.next())["object"]["metadata"]["name"] for _ in range(10)]
    assert names == [f"large-{number}" for number in range(10)]
    assert max(sizes) < BYTES_PER_WRITE + 31_000
