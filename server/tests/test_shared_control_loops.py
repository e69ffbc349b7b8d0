"""Two servers on one PostgreSQL: one runs the control loops, the other takes over, nothing is done twice."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
import pytest

from kubeling.objects import meta
from server.tests.test_shared_database import AWAY, Server, ready, servers, session

__all__ = ["servers", "session"]

LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager"
SETS = "/apis/apps/v1/namespaces/default/replicasets"
PODS = "/api/v1/namespaces/default/pods"
REPLICAS = 60
TAKEOVER_SECONDS = 5.0
NOISE_SECONDS = 5.0
"""What a busy machine may add."""


class Api:
    """One server, as a client sees it."""

    def __init__(self, session: aiohttp.ClientSession, server: Server) -> None:
        self._session = session
        self._server = server

    async def get(self, path: str) -> Any:
        async with self._session.get(self._server.url + path) as answer:
            return await answer.json()

    async def attempt(self, path: str, body: Any) -> int:
        async with self._session.post(self._server.url + path, data=orjson.dumps(body)) as answer:
            await answer.read()
            return answer.status

    async def post(self, path: str, body: Any) -> None:
        assert await self.attempt(path, body) == 201

    async def holder(self) -> str:
        found = await self.get(LEASE)
        return str((found.get("spec") or {}).get("holderIdentity") or "")

    async def count(self, path: str) -> int:
        return len((await self.get(path))["items"])

    async def additions(self, path: str, since: str) -> Counter[str]:
        """How often each object has been created since a revision, by what the watch tells."""
        query = f"{path}?watch=1&resourceVersion={since}&timeoutSeconds=1"
        async with self._session.get(self._server.url + query) as answer:
            events = [orjson.loads(line) for line in (await answer.read()).splitlines()]
        return Counter(meta.key(each["object"]) for each in events if each["type"] == "ADDED")


async def until(holds: Callable[[], Any], seconds: float = 150) -> None:
    async with asyncio.timeout(seconds):
        while True:
            with suppress(*AWAY):
                if await holds():
                    return
            await asyncio.sleep(0.02)


async def leader_and_other(
    session: aiohttp.ClientSession, servers: tuple[Server, Server]
) -> tuple[Server, Server]:
    for server in servers:
        await ready(session, server)
    api = Api(session, servers[0])
    await until(api.holder)
    holder = await api.holder()
    first_leads = f"{holder} became leader" in servers[0].log
    return (servers[0], servers[1]) if first_leads else (servers[1], servers[0])


def replica_set(name: str, replicas: int) -> Any:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name}, "spec": spec}


@pytest.mark.timeout(600)
async def test_the_other_takes_over_from_a_leader_that_was_killed_and_nothing_is_done_twice(
    session: aiohttp.ClientSession, servers: tuple[Server, Server]
) -> None:
    leader, other = await leader_and_other(session, servers)
    api = Api(session, other)
    since = (await api.get(PODS))["metadata"]["resourceVersion"]
    await api.post(SETS, replica_set("rs", REPLICAS))

    async def some() -> bool:
        return await api.count(PODS) > 3

    await until(some)
    leader.kill()
    killed = datetime.now(UTC)
    await api.post("/api/v1/namespaces", {"metadata": {"name": "later"}})
    left = await api.count(PODS)

    async def all_there() -> bool:
        found = await api.get(f"{SETS}/rs")
        accounts = await api.count("/api/v1/namespaces/later/serviceaccounts")
        return (found.get("status") or {}).get("replicas") == REPLICAS and accounts == 1

    await until(all_there)
    lease = (await api.get(LEASE))["spec"]
    assert f"{lease['holderIdentity']} became leader" in other.log
    taken = (meta.parse_timestamp(lease["acquireTime"]) - killed).total_seconds()
    assert taken < TAKEOVER_SECONDS + NOISE_SECONDS, f"{left} of {REPLICAS} pods were there"
    made = await api.additions(PODS, since)
    assert (len(made), set(made.values()), await api.count(PODS)) == (REPLICAS, {1}, REPLICAS)
    for path in ("/api/v1/configmaps", "/api/v1/serviceaccounts"):
        assert set((await api.additions(path, since)).values()) == {1}


@pytest.mark.timeout(600)
async def test_only_one_acts_and_who_stands_by_is_well(
    session: aiohttp.ClientSession, servers: tuple[Server, Server]
) -> None:
    leader, other = await leader_and_other(session, servers)
    assert "kube-controller-manager" in leader.log
    holder = await Api(session, leader).holder()
    for server in servers:
        found = await Api(session, server).get("/api/v1/componentstatuses")
        healthy = {each["metadata"]["name"]: each["conditions"][0]["status"] for each in found["items"]}
        assert set(healthy.values()) == {"True"}
    await Api(session, other).post(SETS, replica_set("rs", 2))

    async def made() -> bool:
        return await Api(session, leader).count(PODS) == 2

    await until(made)
    assert await Api(session, other).holder() == holder
    assert f"kube-controller-manager: {holder}" not in other.log


@pytest.mark.timeout(600)
async def test_a_leader_that_stops_in_order_hands_over(
    session: aiohttp.ClientSession, servers: tuple[Server, Server]
) -> None:
    leader, other = await leader_and_other(session, servers)
    api = Api(session, other)
    before = await api.holder()
    leader.stop()

    async def another() -> bool:
        return await api.holder() not in ("", before)

    await until(another)
    assert f"{await api.holder()} became leader" in other.log


@pytest.mark.timeout(600)
async def test_a_leader_that_was_frozen_finds_itself_replaced_and_acts_no_more(
    session: aiohttp.ClientSession, servers: tuple[Server, Server]
) -> None:
    leader, other = await leader_and_other(session, servers)
    api = Api(session, other)
    before = await api.holder()
    await api.post(SETS, replica_set("rs", REPLICAS))
    leader.signal(signal.SIGSTOP)
    try:

        async def another() -> bool:
            return await api.holder() not in ("", before)

        await until(another)
    finally:
        leader.signal(signal.SIGCONT)

    async def stopped() -> bool:
        return f"{before} stopped leading" in leader.log

    async def all_there() -> bool:
        found = await api.get(f"{SETS}/rs")
        right = (found.get("status") or {}).get("replicas") == REPLICAS
        return right and await api.count(PODS) == REPLICAS

    await until(stopped)
    await until(all_there)
    assert await api.holder() not in ("", before)


QUOTA = "/api/v1/namespaces/default/resourcequotas"
MAPS = "/api/v1/namespaces/default/configmaps"
ROOM = 20


@pytest.mark.timeout(600)
async def test_servers_that_charge_the_same_quota_never_give_more_than_there_is(
    session: aiohttp.ClientSession, servers: tuple[Server, Server]
) -> None:
    await leader_and_other(session, servers)
    apis = [Api(session, server) for server in servers]
    there = await apis[0].count(MAPS)
    hard = {"configmaps": str(ROOM + there)}
    await apis[0].post(QUOTA, {"metadata": {"name": "q"}, "spec": {"hard": hard}})

    async def counted() -> bool:
        found = [await api.get(f"{QUOTA}/q") for api in apis]
        return all((each.get("status") or {}).get("used") for each in found)

    await until(counted)

    async def create(number: int) -> int:
        return await apis[number % 2].attempt(MAPS, {"metadata": {"name": f"m{number}"}})

    answers = Counter(await asyncio.gather(*(create(number) for number in range(3 * ROOM))))
    assert answers == {201: ROOM, 403: 2 * ROOM}
    assert await apis[1].count(MAPS) == ROOM + there
    assert (await apis[1].get(f"{QUOTA}/q"))["status"]["used"] == hard
