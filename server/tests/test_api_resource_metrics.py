"""metrics.k8s.io: what nodes' pages say, what two looks tell, and what clients get of it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubeling.objects.clock import FakeClock
from server.api.nodes import Endpoint
from server.api.resource_metrics.exposition import point_of
from server.api.resource_metrics.objects import ResourceMetrics
from server.api.resource_metrics.points import Point, Sample, node_usage, pod_usage
from server.registry.index import BUILT_IN
from server.storage import Store

PAGE = """# HELP node_cpu_usage_seconds_total Cumulative cpu time
# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total 100.5 1767225600000
node_memory_working_set_bytes 1.048576e+06 1767225600000
container_cpu_usage_seconds_total{container="c",namespace="default",pod="web"} 10 1767225600000
container_memory_working_set_bytes{container="c",namespace="default",pod="web"} 2048 1767225600000
container_start_time_seconds{container="c",namespace="default",pod="web"} 1.767225e+09
container_cpu_usage_seconds_total{container="half",namespace="default",pod="web"} 10
pod_cpu_usage_seconds_total{namespace="default",pod="web"} 10
scrape_error 0
nonsense{
"""
POD = ("default", "web")


def test_a_page_is_read() -> None:
    point = point_of(PAGE, "n", now=5.0)
    assert point.nodes == {"n": Sample(1767225600.0, 100.5, 1048576)}
    assert point.containers == {POD: {"c": Sample(1767225600.0, 10.0, 2048, 1767225000.0)}}


def test_a_label_says_which_node_is_meant() -> None:
    text = 'node_cpu_usage_seconds_total{node="v-1"} 1\nnode_memory_working_set_bytes{node="v-1"} 2\n'
    assert point_of(text, "v-0", now=5.0).nodes == {"v-1": Sample(5.0, 1.0, 2)}


def nodes(*samples: Sample) -> list[Point]:
    return [Point({"n": each}) for each in samples]


def test_usage_takes_two_looks() -> None:
    assert node_usage(nodes(Sample(0, 10, 5)), "n") is None
    usage = node_usage(nodes(Sample(0, 10, 5), Sample(2, 11, 6)), "n")
    assert usage is not None
    assert (usage.window, usage.nanocores, usage.memory) == (2, 500_000_000, 6)


def test_the_latest_look_that_is_far_enough_back_counts() -> None:
    looks = nodes(Sample(0, 0, 1), Sample(10, 0, 1), Sample(20, 10, 1), Sample(22, 12, 1))
    usage = node_usage(looks, "n")
    assert usage is not None
    assert (usage.window, usage.nanocores) == (12, 1_000_000_000)


def test_a_counter_that_began_anew_tells_nothing() -> None:
    assert node_usage(nodes(Sample(0, 10, 5), Sample(10, 1, 6)), "n") is None


def test_a_young_container_takes_one_look() -> None:
    points = [Point({}, {POD: {"c": Sample(10, 3, 7, started=4)}})]
    found = pod_usage(points, POD)
    assert found is not None
    assert found["c"].nanocores == 500_000_000


def test_a_pod_is_known_when_all_its_containers_are() -> None:
    points = [
        Point({}, {POD: {"old": Sample(1000, 3, 7, started=4), "new": Sample(1000, 1, 7, started=998)}})
    ]
    assert pod_usage(points, POD) is None
    assert pod_usage(points, ("default", "other")) is None


class Agents:
    """Node agents whose counters go by the clock: a fifth of a core for the node, a tenth for each pod."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.began = clock.now().timestamp()
        self.asked: list[Endpoint] = []
        self.away = False
        self.pods: dict[str, float] = {}
        """Names, with the moments of their start."""

    async def read(self, endpoint: Endpoint) -> str:
        self.asked.append(endpoint)
        if self.away:
            raise OSError("away")
        now = self.clock.now().timestamp()
        used = (now - self.began) * 0.2
        lines = [f"node_cpu_usage_seconds_total {used:.3f}", "node_memory_working_set_bytes 4096"]
        for name, start in self.pods.items():
            labels = f'{{container="c",namespace="default",pod="{name}"}}'
            lines.append(f"container_cpu_usage_seconds_total{labels} {(now - start) * 0.1:.3f}")
            lines.append(f"container_memory_working_set_bytes{labels} 1000")
            lines.append(f"container_start_time_seconds{labels} {start}")
        return "\n".join(lines)


class Pausing(FakeClock):
    """The clock by which it pauses: the cluster's own moves on with it."""

    def __init__(self, other: FakeClock) -> None:
        super().__init__()
        self._other = other

    async def sleep(self, seconds: float) -> None:
        await self._other.advance(seconds)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def agents(clock: FakeClock) -> Agents:
    return Agents(clock)


@pytest.fixture
async def metrics(clock: FakeClock, agents: Agents, tmp_path: Any) -> AsyncIterator[ResourceMetrics]:
    store = await Store.open(f"sqlite:///{tmp_path}/k.db", clock=clock)
    addresses = [{"type": "InternalIP", "address": "192.0.2.1"}]
    for name in ("n",):
        await store.create(
            "nodes", "", name, {"metadata": {"name": name}, "status": {"addresses": addresses}}
        )
    for name, phase in (("web", "Running"), ("done", "Succeeded")):
        metadata = {"name": name, "namespace": "default", "labels": {"app": name}}
        await store.create("pods", "default", name, {"metadata": metadata, "status": {"phase": phase}})
        agents.pods[name] = clock.now().timestamp() - 1000
    yield ResourceMetrics(store, agents.read, clock, Pausing(clock))
    await store.close()


async def made(metrics: ResourceMetrics, plural: str, namespace: str = "") -> list[dict[str, Any]]:
    make = next(make for resource, make in metrics.by_resource().items() if resource.resource == plural)
    return list(await make(namespace))


async def test_the_first_question_takes_two_looks(metrics: ResourceMetrics, agents: Agents) -> None:
    (node,) = await made(metrics, "nodes")
    assert (node["kind"], node["usage"]) == ("NodeMetrics", {"cpu": "200m", "memory": "4Ki"})
    assert node["window"] == "1s"
    assert len(agents.asked) == 2
    (pod,) = await made(metrics, "pods", "default")
    assert pod["metadata"]["labels"] == {"app": "web"}
    assert pod["containers"] == [{"name": "c", "usage": {"cpu": "100m", "memory": "1000"}}]
    assert len(agents.asked) == 2


async def test_later_ones_take_one_look_in_ten_seconds(
    metrics: ResourceMetrics, agents: Agents, clock: FakeClock
) -> None:
    await made(metrics, "nodes")
    await clock.advance(15)
    (node,) = await made(metrics, "nodes")
    await made(metrics, "nodes")
    assert (node["window"], len(agents.asked)) == ("15s", 3)
    await clock.advance(600)
    (node,) = await made(metrics, "nodes")
    assert (node["window"], len(agents.asked)) == ("1s", 5)


async def test_a_new_pod_is_looked_for(metrics: ResourceMetrics, agents: Agents, clock: FakeClock) -> None:
    started = agents.pods.pop("web")
    assert await made(metrics, "pods") == []
    asked = len(agents.asked)
    assert await made(metrics, "pods") == []
    assert len(agents.asked) == asked  # nothing new within a moment
    agents.pods["web"] = max(clock.now().timestamp() - 2, started)
    await clock.advance(3)
    (pod,) = await made(metrics, "pods")
    assert (pod["containers"][0]["usage"]["cpu"], pod["window"]) == ("100m", "5s")


async def test_an_agent_that_is_away_gives_nothing(metrics: ResourceMetrics, agents: Agents) -> None:
    agents.away = True
    assert await made(metrics, "nodes") == []


def test_the_kinds_can_be_read_only() -> None:
    kinds = [kind for kind in BUILT_IN if kind.group == "metrics.k8s.io"]
    assert [(kind.plural, kind.verbs) for kind in kinds] == [
        ("nodes", ("get", "list")),
        ("pods", ("get", "list")),
    ]
    cells = kinds[1].strategy.cells(
        {
            "metadata": {"name": "web"},
            "window": "15s",
            "containers": [
                {"usage": {"cpu": "100m", "memory": "1Ki"}},
                {"usage": {"cpu": "1", "memory": "1Ki"}},
            ],
        },
        FakeClock().now(),
    )
    assert cells == ["web", "1100m", "2Ki", "15s"]
