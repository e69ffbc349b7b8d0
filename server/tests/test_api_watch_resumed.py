"""Watchers that are cut off at random and go on where they were: each hears everything, once and in order."""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

MAPS = "/api/v1/namespaces/default/configmaps"
WRITES = 120


@dataclass
class Watcher:
    path: str
    chance: random.Random
    state: dict[str, str] = field(default_factory=dict)
    versions: list[int] = field(default_factory=list)
    last: int = 0

    async def begin(self, api: Any) -> None:
        found = (await api.get(self.path)).json
        self.last = int(found["metadata"]["resourceVersion"])
        self.state = {
            each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in found["items"]
        }

    async def follow(self, api: Any, until: "asyncio.Future[int]") -> None:
        while not (until.done() and self.last >= until.result()):
            mark = "&" if "?" in self.path else "?"
            query = f"{mark}watch=1&allowWatchBookmarks=1&resourceVersion={self.last}"
            stream = await api.stream(f"{self.path}{query}&timeoutSeconds={self.chance.choice((1, 30))}")
            await self._read(stream, until, self.chance.choice((1, 3, 20, 200)))
            stream.close()

    async def _read(self, stream: Any, until: "asyncio.Future[int]", most: int) -> None:
        """So many events, or until the server ends the watch."""
        async for line in stream.content:
            self._take(orjson.loads(line))
            most -= 1
            if not most or (until.done() and self.last >= until.result()):
                return

    def _take(self, event: dict[str, Any]) -> None:
        kind, own = event["type"], event["object"]["metadata"]
        version = int(own["resourceVersion"])
        if kind == "BOOKMARK":
            assert version >= self.last
            self.last = version
            return
        assert kind in ("ADDED", "MODIFIED", "DELETED")
        assert version > self.last
        assert (kind == "ADDED") == (own["name"] not in self.state)
        self.versions.append(version)
        self.last = version
        if kind == "DELETED":
            del self.state[own["name"]]
        else:
            self.state[own["name"]] = own["resourceVersion"]


async def _write(api: Any, chance: random.Random) -> None:
    for _ in range(WRITES):
        name, labels = f"m{chance.randrange(12)}", {"group": chance.choice("ab")}
        body = {"metadata": {"name": name, "labels": labels}, "data": {"n": str(chance.random())}}
        match chance.randrange(4):
            case 0:
                await api.post(MAPS, body)
            case 1:
                await api.request("DELETE", f"{MAPS}/{name}")
            case _:
                await api.request("PUT", f"{MAPS}/{name}", body=body)


@pytest.mark.parametrize("seed", [1, 2])
async def test_watchers_that_come_back_lose_nothing_and_hear_nothing_twice(api: Any, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(6):
        await api.make_config_map(f"m{number}")
    paths = [MAPS, MAPS, MAPS, f"{MAPS}?labelSelector=group%3Da", f"{MAPS}?fieldSelector=metadata.name%3Dm3"]
    watchers = [Watcher(path, random.Random(seed + number)) for number, path in enumerate(paths)]
    for watcher in watchers:
        await watcher.begin(api)
    until: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def written() -> None:
        await _write(api, chance)
        last = await api.make_config_map("m-last")
        until.set_result(int(last["metadata"]["resourceVersion"]))
        await api.make_config_map("m-end")  # wakes those that had heard of the last one before

    await asyncio.wait_for(asyncio.gather(written(), *(each.follow(api, until) for each in watchers[:3])), 60)
    await asyncio.wait_for(asyncio.gather(*(_catch_up(api, each) for each in watchers[3:])), 60)
    heard = [[each for each in watcher.versions if each <= until.result()] for watcher in watchers[:3]]
    assert heard[0] == heard[1] == heard[2]
    await api.request("DELETE", f"{MAPS}/m-end")
    for watcher in watchers:
        told = {name: version for name, version in watcher.state.items() if name != "m-end"}
        await watcher.begin(api)
        assert told == watcher.state


async def _catch_up(api: Any, watcher: Watcher) -> None:
    """Of those that select: whoever was away the whole time hears everything from the history."""
    stream = await api.stream(
        f"{watcher.path}&watch=1&allowWatchBookmarks=1&timeoutSeconds=1&resourceVersion={watcher.last}"
    )
    await watcher._read(stream, asyncio.get_running_loop().create_future(), 10_000)
