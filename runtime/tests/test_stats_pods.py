"""What a pod uses, put together from its worker, its cgroups, the runtime and the disk."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from runtime.pods.cgroups import qos
from runtime.stats.agent_subjects import AgentSubjects
from runtime.stats.cgroup import cgroups
from runtime.stats.disk import file_system
from runtime.stats.pod_disks import PodDisks
from runtime.stats.statistics import Statistics
from runtime.stats.subject import Place, Subject
from runtime.stats.usage import PodUsage
from runtime.tests.pod_node import PodNode, a_pod, pod_node
from runtime.tests.test_stats_cgroups import V1, tree

VOLUMES = [
    {"name": "scratch", "emptyDir": {}},
    {"name": "ram", "emptyDir": {"medium": "Memory"}},
    {"name": "host", "hostPath": {"path": "/"}},
]


def statistics(node: PodNode, root: Path) -> Statistics:
    return Statistics(
        node.runtime, AgentSubjects(node.agent), cgroups(root), node.clock, root=node.root, memory=2**30
    )


async def test_a_pod_with_its_containers_and_disks(tmp_path: Path) -> None:
    async with pod_node(tmp_path / "node") as node:
        node.create(a_pod(volumes=[VOLUMES[0], VOLUMES[2]]))
        await node.running()
        (container,) = node.runtime.named("main")
        node.runtime.layers[container.id] = 5000
        pod = node.pod() or {}
        path = qos.cgroup_parent(pod)
        for each in (path, f"{path}/{container.id}"):
            tree(tmp_path / "cgroup", V1, each)
        volume = node.root / "pods" / pod["metadata"]["uid"] / "volumes/kubernetes.io~empty-dir/scratch"
        (volume / "data").write_bytes(b"x" * 100_000)
        found = statistics(node, tmp_path / "cgroup")
        (usage,) = await found.pods_with_disks()
        assert usage.pod["metadata"]["name"] == "web"
        assert (usage.processes, usage.memory and usage.memory.working_set) == (4, 700)
        (one,) = usage.containers
        assert (one.name, one.memory and one.memory.usage) == ("main", 1000)
        assert one.rootfs is not None
        assert one.rootfs.used == 5000
        (scratch,) = usage.volumes
        assert (scratch.name, scratch.ephemeral) == ("scratch", True)
        assert usage.ephemeral_storage is not None
        assert (usage.ephemeral_storage.used or 0) > 105_000
        await found.stop()


async def test_rates_come_with_the_second_look(tmp_path: Path) -> None:
    async with pod_node(tmp_path / "node") as node:
        node.create(a_pod())
        await node.running()
        path = qos.cgroup_parent(node.pod() or {})
        tree(tmp_path / "cgroup", V1, path)
        found = statistics(node, tmp_path / "cgroup")
        (first,) = await found.pods()
        assert first.cpu is not None
        assert first.cpu.rate is None
        (tmp_path / "cgroup" / "cpuacct" / path[1:] / "cpuacct.usage").write_text("3234567890\n")
        await node.clock.advance(2)
        (second,) = await found.pods()
        assert second.cpu is not None
        assert second.cpu.rate == 1_000_000_000


async def test_a_pod_without_a_sandbox_is_not_measured(tmp_path: Path) -> None:
    async with pod_node(tmp_path / "node") as node:
        node.create(a_pod())
        await node.running()
        node.runtime.lose_sandboxes()
        node.runtime.fail("run_pod_sandbox", times=9)
        await node.until(lambda: not AgentSubjects(node.agent).subjects())
        assert await statistics(node, tmp_path).pods() == []


async def test_the_node(tmp_path: Path) -> None:
    async with pod_node(tmp_path / "node") as node:
        node.root.mkdir()
        tree(tmp_path / "cgroup", V1, "")
        usage = await statistics(node, tmp_path / "cgroup").node()
        assert usage.memory.available == 2**30 - 700
        assert usage.cpu.total == 1234567890
        assert 0 < usage.processes < usage.most_processes
        assert (usage.root.capacity or 0) > 0
        assert usage.images.capacity == usage.root.capacity


@pytest.mark.parametrize(
    ("volume", "counts"), list(zip(VOLUMES[:2], [True, False], strict=True)), ids=["disk", "ram"]
)
def test_only_what_lies_on_the_disk_is_ephemeral_storage(volume: dict[str, object], counts: bool) -> None:
    assert Place(volume, Path()).on_disk is counts


def test_a_claim_takes_the_file_system_that_it_is_bound_to(tmp_path: Path) -> None:
    spec = {"local": {"path": "/mnt"}, "claimRef": {"name": "data"}}
    place = Place({"name": "v", "persistentVolume": {"spec": spec}}, tmp_path)
    assert (place.name, place.claim, place.measured, place.on_disk) == ("v", "data", False, False)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    subject = Subject({}, "/p", now, "s", (), tmp_path, (place,))
    usage = PodDisks(None, {}, None, {}, now).add(PodUsage({}, now, "/p"), subject)
    (volume,) = usage.volumes
    whole = file_system(tmp_path, now)
    assert whole is not None
    assert (volume.claim, volume.usage.capacity) == ("data", whole.capacity)
