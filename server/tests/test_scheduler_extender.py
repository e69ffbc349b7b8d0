"""HTTP services that have a say in scheduling."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from kubeling.client.fake import FakeClient
from kubeling.client.resources import EVENTS, NODES, PODS
from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from server.scheduler import start_scheduler
from server.scheduler.configuration import ExtenderConfiguration, parse
from server.scheduler.extender import Extender, ExtenderError
from server.scheduler.node_state import NodeState
from server.scheduler.placed_pod import PlacedPod
from server.scheduler.plugins.default_preemption import Candidate
from server.scheduler.pod_info import PodInfo
from server.tests.decisions import FixedInformer, node, pod

NO_PODS = FixedInformer("Pod", ())
Answer = Callable[[str, Object], Any]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    """A service that answers each verb and body; its URL."""

    async def handle(request: web.Request) -> web.Response:
        return web.json_response(answer(request.match_info["verb"], await request.json()))

    app = web.Application()
    app.router.add_post("/{verb}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def states(*names: str) -> list[NodeState]:
    found = [NodeState(name) for name in names]
    for state in found:
        state.set_node(node(state.name))
    return found


async def test_filtering_by_names_and_by_nodes() -> None:
    asked: list[Object] = []

    def answer(verb: str, body: Object) -> Object:
        asked.append(body)
        if body["NodeNames"]:
            return {
                "NodeNames": ["a"],
                "FailedNodes": {"b": "no"},
                "FailedAndUnresolvableNodes": {"c": "never"},
            }
        return {"nodes": {"items": [node("a")]}, "failedNodes": {"b": "no"}}

    async with serving(answer) as url:
        for capable in (True, False):
            extender = Extender(
                ExtenderConfiguration(url, filter="filter", node_cache_capable=capable), NO_PODS
            )
            left, failed = await extender.filter(PodInfo(pod()), states("a", "b", "c"))
            await extender.close()
            assert [each.name for each in left] == ["a"]
            assert failed["b"].reasons == ("no",)
            assert failed["b"].resolvable
        assert asked[0]["NodeNames"] == ["a", "b", "c"]
        assert [each["metadata"]["name"] for each in asked[1]["Nodes"]["items"]] == ["a", "b", "c"]


async def test_scores_are_weighed() -> None:
    async with serving(lambda verb, body: [{"Host": "a", "Score": 3}, {"Host": "b", "Score": 1}]) as url:
        extender = Extender(ExtenderConfiguration(url, prioritize="prioritize", weight=2), NO_PODS)
        assert await extender.prioritize(PodInfo(pod()), states("a", "b")) == {"a": 60, "b": 20}
        await extender.close()


async def test_preemption_is_narrowed() -> None:
    kept = {"NodeNameToMetaVictims": {"a": {"Pods": [{"UID": "uid-x"}], "NumPDBViolations": 1}}}
    async with serving(lambda verb, body: kept) as url:
        extender = Extender(ExtenderConfiguration(url, preempt="preempt", node_cache_capable=True), NO_PODS)
        victims = tuple(PlacedPod.of(PodInfo(pod(name=name))) for name in ("x", "y"))
        candidates = [Candidate("a", victims, 0), Candidate("b", victims, 0)]
        assert await extender.preempt(PodInfo(pod()), candidates) == [Candidate("a", victims[:1], 1)]
        await extender.close()


async def test_what_is_not_understood_or_fails_is_an_error() -> None:
    async with serving(lambda verb, body: {"Error": "out of order"}) as url:
        extender = Extender(ExtenderConfiguration(url, filter="filter"), NO_PODS)
        with pytest.raises(ExtenderError, match="out of order"):
            await extender.filter(PodInfo(pod()), states("a"))
        await extender.close()
    absent = Extender(ExtenderConfiguration("http://127.0.0.1:1", filter="filter"), NO_PODS)
    with pytest.raises(ExtenderError, match="failed filter with extender at URL"):
        await absent.filter(PodInfo(pod()), states("a"))
    await absent.close()


def test_an_extender_is_interested_in_pods_that_want_its_resources() -> None:
    extender = Extender(ExtenderConfiguration("u", resources={"example.com/foo": True}), NO_PODS)
    asking = pod({"name": "c", "resources": {"limits": {"example.com/foo": "1"}}})
    assert extender.is_interested(PodInfo(asking))
    assert not extender.is_interested(PodInfo(pod()))


async def test_it_filters_scores_and_binds_in_a_scheduler() -> None:
    bound = asyncio.Event()
    bindings: list[Object] = []

    def answer(verb: str, body: Object) -> Any:
        if verb == "filter":
            return {"NodeNames": [name for name in body["NodeNames"] if name != "a"]}
        if verb == "prioritize":
            return [{"Host": "b", "Score": 1}, {"Host": "c", "Score": 10}]
        bindings.append(body)
        bound.set()
        return {}

    async with serving(answer) as url:
        verbs = {"filterVerb": "filter", "prioritizeVerb": "prioritize", "bindVerb": "bind"}
        configuration = parse(
            {
                "apiVersion": "kubescheduler.config.k8s.io/v1",
                "kind": "KubeSchedulerConfiguration",
                "extenders": [{"urlPrefix": url, "nodeCacheCapable": True, **verbs}],
            }
        )
        client = FakeClient()
        for name in ("a", "b", "c"):
            client.put({"apiVersion": "v1", **node(name)})
        client.put({"apiVersion": "v1", **pod()})
        scheduler = start_scheduler(client, clock=FakeClock(), configuration=configuration)
        async with asyncio.timeout(20):
            await bound.wait()
        assert (bindings[0]["PodName"], bindings[0]["Node"]) == ("p", "c")
        await scheduler.stop()
        await client.close()


async def test_one_that_is_away_holds_pods_up_unless_it_may_be_ignored() -> None:
    for ignorable in (False, True):
        clock = FakeClock()
        client = FakeClient(clock=clock)
        configuration = parse(
            {
                "apiVersion": "kubescheduler.config.k8s.io/v1",
                "kind": "KubeSchedulerConfiguration",
                "extenders": [{"urlPrefix": "http://127.0.0.1:1", "filterVerb": "f", "ignorable": ignorable}],
            }
        )
        client.put({"apiVersion": "v1", **node()})
        client.put({"apiVersion": "v1", **pod()})
        scheduler = start_scheduler(client, clock=clock, configuration=configuration)
        reason = await _first_event(client)
        assert reason == ("Scheduled" if ignorable else "FailedScheduling")
        assert client.stored(NODES, "n") is not None
        found = client.stored(PODS, "p", namespace="ns")
        assert found is not None
        assert bool(found["spec"].get("nodeName")) is ignorable
        await scheduler.stop()
        await client.close()


async def _first_event(client: FakeClient) -> str:
    happened = asyncio.Event()
    reasons: list[str] = []

    def notice(kind: str, event: Object, _: Object | None) -> None:
        reasons.append(event["reason"])
        happened.set()

    client.informer(EVENTS).add_handler(notice)
    async with asyncio.timeout(20):
        await happened.wait()
    return reasons[0]
