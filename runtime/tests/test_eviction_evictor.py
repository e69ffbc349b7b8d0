"""The evictor: looks, reclaims, evicts one pod at a time, and waits - on a clock that the test moves."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object, name
from kubeling.objects.tasks import Tasks
from runtime.eviction.evictor import Evictor, Surroundings
from runtime.eviction.message import Eviction
from runtime.eviction.pressure import Pressure
from runtime.eviction.thresholds import Amount, Threshold
from runtime.stats.usage import NodeUsage, PodUsage
from runtime.tests.usages import GI, MI, a_pod, disk, memory, node, pod_usage, volume

LOW_MEMORY = Threshold("memory.available", Amount("100Mi"))
LOW_DISK = Threshold("nodefs.available", Amount("10%"))


@dataclass
class Pod:
    usage: PodUsage
    eviction: Eviction | None = None
    over: bool = False

    @property
    def pod(self) -> Object:
        return self.usage.pod

    def evict(self, eviction: Eviction) -> None:
        self.eviction = eviction


@dataclass
class Node:
    """Plays everything around the evictor."""

    thresholds: tuple[Threshold, ...] = (LOW_MEMORY, LOW_DISK)
    soft_grace: int = 0
    free: int = 4 * GI
    usage: NodeUsage = field(default_factory=node)
    all_pods: list[Pod] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    reclaimed: list[str] = field(default_factory=list)
    freed_by_reclaim: int = 0
    conditions: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        around = Surroundings(
            usages=self,
            memory=lambda: (memory(8 * GI - self.free, 8 * GI), None),
            pods=lambda: [each for each in self.all_pods if each.eviction is None],
            reclaim=(self._reclaim("containers"), self._reclaim("images")),
            events=self,
            report=self._report,
        )
        pressure = Pressure(self.thresholds, transition=300)
        self.evictor = Evictor(pressure, around, self.clock, soft_grace=self.soft_grace)

    def add(self, called: str, *, used: int = MI, **spec: object) -> Pod:
        pod = Pod(pod_usage(a_pod(called, **spec), memory=memory(used)))  # type: ignore[arg-type]
        self.all_pods.append(pod)
        return pod

    def evicted(self) -> list[str]:
        return [name(each.pod) for each in self.all_pods if each.eviction is not None]

    def warning(self, reason: str, message: str) -> None:
        self.events.append((reason, message))

    async def node(self) -> NodeUsage:
        return self.usage

    async def pods(self) -> Sequence[PodUsage]:
        return [each.usage for each in self.all_pods]

    async def pods_with_disks(self) -> Sequence[PodUsage]:
        return await self.pods()

    async def disks(self, wanted: Callable[[Object], bool], *, age: float) -> Sequence[PodUsage]:
        return [each.usage for each in self.all_pods if wanted(each.pod)]

    def _report(self, conditions: frozenset[str]) -> None:
        self.conditions = conditions

    def _reclaim(self, what: str) -> Callable[[], Awaitable[None]]:
        async def reclaim() -> None:
            self.reclaimed.append(what)
            if self.freed_by_reclaim:
                self.usage = node(root=disk(available=self.freed_by_reclaim))

        return reclaim

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with Tasks("test") as tasks:
            tasks.start(self.evictor.run(), name="evictor")
            await self.clock.advance(0)
            yield


async def test_a_node_with_enough_of_everything_evicts_nobody() -> None:
    node_ = Node()
    node_.add("web")
    await node_.evictor.look()
    assert (node_.evicted(), node_.events, node_.conditions) == ([], [], frozenset())


async def test_short_of_memory_one_pod_is_evicted_at_once() -> None:
    node_ = Node(free=50 * MI)
    node_.add("small")
    large = node_.add("large", used=GI)
    await node_.evictor.look()
    assert node_.evicted() == ["large"]
    assert node_.conditions == {"MemoryPressure"}
    shortage = (
        "memory.available is 50.0 MiB of 8.0 GiB (0%), below the threshold of 100Mi: pods may be refused or "
        "evicted. The threshold is evictionHard in kubelet.yaml."
    )
    assert node_.events == [
        ("LowOnResource", shortage),
        ("EvictionThresholdMet", "Attempting to reclaim memory"),
    ]
    assert large.eviction is not None
    assert large.eviction.grace == 1.0
    assert large.eviction.disruption
    assert large.eviction.message.startswith(
        "The node was low on resource: memory. Threshold quantity: 100Mi"
    )
    assert not node_.reclaimed


async def test_a_first_look_only_tells() -> None:
    node_ = Node(free=50 * MI)
    node_.add("web")
    await node_.evictor.notice()
    assert node_.conditions == {"MemoryPressure"}
    assert node_.evicted() == []


async def test_critical_pods_are_spared() -> None:
    node_ = Node(free=50 * MI)
    node_.add("critical", used=GI, priority=2_000_001_000)
    node_.add("web")
    await node_.evictor.look()
    assert node_.evicted() == ["web"]


async def test_a_soft_shortage_leaves_pods_their_grace_up_to_the_limit() -> None:
    for limit, grace in ((0, None), (20, 20.0)):
        soft = Threshold("memory.available", Amount("1Gi"), grace=10)
        node_ = Node(free=GI - 1, thresholds=(soft,), soft_grace=limit)
        pod = node_.add("web")
        await node_.evictor.look()
        assert pod.eviction is None
        await node_.clock.advance(10)
        await node_.evictor.look()
        assert pod.eviction is not None
        assert pod.eviction.grace == grace


async def test_a_full_disk_is_reclaimed_first() -> None:
    node_ = Node(usage=node(root=disk(available=5 * GI)), freed_by_reclaim=20 * GI)
    node_.add("web")
    await node_.evictor.look()
    assert node_.reclaimed == ["containers", "images"]
    assert node_.evicted() == []
    assert node_.conditions == {"DiskPressure"}


async def test_a_disk_that_stays_full_costs_a_pod() -> None:
    node_ = Node(usage=node(root=disk(available=5 * GI)))
    node_.add("web")
    await node_.evictor.look()
    assert node_.reclaimed == ["containers", "images"]
    assert node_.evicted() == ["web"]


async def test_images_on_a_disk_of_their_own_are_not_removed_for_the_node_s_disk() -> None:
    node_ = Node(usage=node(root=disk(available=5 * GI), separate_images=True))
    node_.add("web")
    await node_.evictor.look()
    assert node_.reclaimed == []
    assert node_.evicted() == ["web"]


async def test_a_pod_that_exceeds_its_own_limit_is_evicted_alone() -> None:
    node_ = Node()
    pod = node_.add("web", volumes=[{"name": "data", "emptyDir": {"sizeLimit": "1Mi"}}])
    pod.usage = pod_usage(pod.pod, volumes=(volume("data", 2 * MI),))
    await node_.evictor.look()
    assert pod.eviction is not None
    message = 'Usage of EmptyDir volume "data" exceeds the limit "1Mi". '
    assert pod.eviction == Eviction("emptydirfs.limit", message, 1.0)
    assert node_.conditions == frozenset()


async def test_the_next_pod_is_evicted_when_the_first_is_down_and_that_was_not_enough() -> None:
    node_ = Node(free=50 * MI)
    node_.add("small")
    large = node_.add("large", used=GI)
    async with node_.running():
        assert node_.evicted() == ["large"]
        await node_.clock.advance(5)
        assert node_.evicted() == ["large"]
        large.over = True
        await node_.clock.advance(1)
        assert node_.evicted() == ["small", "large"]


async def test_an_end_that_does_not_come_is_waited_for_half_a_minute() -> None:
    node_ = Node(free=50 * MI)
    node_.add("small")
    node_.add("large", used=GI)
    async with node_.running():
        await node_.clock.advance(29)
        assert node_.evicted() == ["large"]
        await node_.clock.advance(1)
        assert node_.evicted() == ["small", "large"]


async def test_memory_that_is_gone_is_noticed_before_the_next_look() -> None:
    node_ = Node()
    node_.add("web")
    async with node_.running():
        await node_.clock.advance(3)
        node_.free = 50 * MI
        await node_.clock.advance(1)
        assert node_.evicted() == ["web"]


async def test_a_disk_that_fills_is_noticed_within_ten_seconds() -> None:
    node_ = Node()
    node_.add("web")
    async with node_.running():
        node_.usage = node(root=disk(available=5 * GI))
        await node_.clock.advance(9)
        assert node_.evicted() == []
        await node_.clock.advance(1)
        assert node_.evicted() == ["web"]


async def test_without_pods_a_shortage_is_looked_at_every_ten_seconds_only() -> None:
    node_ = Node(free=50 * MI)
    async with node_.running():
        await node_.clock.advance(25)
    assert [reason for reason, _ in node_.events] == ["LowOnResource", *["EvictionThresholdMet"] * 3]
