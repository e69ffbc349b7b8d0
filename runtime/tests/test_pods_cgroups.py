"""Cgroups over trees of plain files, of both versions."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubeling.client.event_recorder import EventRecorder
from kubeling.client.fake import FakeClient
from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.node.enforcement import enforce
from runtime.node.node_events import NodeEvents
from runtime.pods.cgroups.pod_cgroups import NodeCgroups
from runtime.pods.cgroups.resources import ResourceRules
from runtime.pods.cgroups.tree import UNLIMITED, CgroupError, CgroupTree, Limits, shares_of, weight_of

NODE = {"cpu": "2", "memory": "1Gi"}


@pytest.fixture
def first(tmp_path: Path) -> CgroupTree:
    for controller in ("cpu", "memory", "pids", "systemd"):
        (tmp_path / controller).mkdir()
    return CgroupTree(tmp_path)


@pytest.fixture
def second(tmp_path: Path) -> CgroupTree:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids rdma\n")
    return CgroupTree(tmp_path)


def node_cgroups(tree: CgroupTree, kubelet: KubeletConfiguration | None = None) -> NodeCgroups:
    rules = ResourceRules(kubelet or KubeletConfiguration(), unified=tree.unified)
    return NodeCgroups(rules, FakeClock(), tree)


def burstable(uid: str, cpu: str = "500m") -> Object:
    container = {"name": "c", "resources": {"requests": {"cpu": cpu}}}
    return {"metadata": {"uid": uid}, "spec": {"containers": [container]}}


def files(root: Path) -> dict[str, str]:
    return {str(each.relative_to(root)): each.read_text() for each in _files(root)}


def _files(root: Path) -> Iterator[Path]:
    return (each for each in root.rglob("*") if each.is_file())


def test_the_limits_of_a_group_in_each_hierarchy(first: CgroupTree, tmp_path: Path) -> None:
    limits = Limits(cpu_shares=512, cpu_quota=50_000, cpu_period=100_000, memory=2**20, pids=9)
    first.apply("/kubepods/podu1", limits)
    assert files(tmp_path) == {
        "cpu/kubepods/podu1/cpu.shares": "512",
        "cpu/kubepods/podu1/cpu.cfs_period_us": "100000",
        "cpu/kubepods/podu1/cpu.cfs_quota_us": "50000",
        "memory/kubepods/podu1/memory.limit_in_bytes": "1048576",
        "pids/kubepods/podu1/pids.max": "9",
    }
    assert first.limits("/kubepods/podu1") == Limits(
        cpu_shares=512, cpu_quota=50_000, cpu_period=100_000, memory=2**20
    )


def test_a_controller_that_the_machine_lacks_limits_nothing(first: CgroupTree, tmp_path: Path) -> None:
    first.apply("/kubepods/podu1", Limits(huge_pages={"2MB": 0}))
    assert files(tmp_path) == {}


def test_the_limits_of_a_unified_group(second: CgroupTree, tmp_path: Path) -> None:
    limits = Limits(
        cpu_shares=1024, cpu_quota=50_000, memory=2**20, memory_min=2**19, pids=9, huge_pages={"2MB": 0}
    )
    second.apply("/kubepods/podu1", limits)
    made = {name.removeprefix("kubepods/podu1/"): text for name, text in files(tmp_path).items()}
    assert made["cpu.weight"] == "100"
    assert made["cpu.max"] == "50000 100000"
    assert (made["memory.max"], made["memory.min"]) == ("1048576", "524288")
    assert (made["pids.max"], made["hugetlb.2MB.max"]) == ("9", "0")
    assert second.limits("/kubepods/podu1").memory == 2**20
    second.apply("/kubepods/podu1", Limits(cpu_quota=UNLIMITED, memory=UNLIMITED))
    assert second.limits("/kubepods/podu1").cpu_quota == UNLIMITED
    assert (tmp_path / "kubepods/podu1/memory.max").read_text() == "max"


def test_controllers_are_handed_down(second: CgroupTree, tmp_path: Path) -> None:
    second.apply("/kubepods", Limits())
    assert (tmp_path / "cgroup.subtree_control").read_text().startswith("+")


@pytest.mark.parametrize(("shares", "weight"), [(2, 1), (1024, 100), (262_144, 10_000)])
def test_shares_become_weights(shares: int, weight: int) -> None:
    assert weight_of(shares) == weight
    assert weight_of(shares_of(weight)) == weight


def test_a_group_that_cannot_be_made_is_an_error(first: CgroupTree, tmp_path: Path) -> None:
    (tmp_path / "cpu" / "kubepods").write_text("")
    with pytest.raises(CgroupError, match="cgroup /kubepods/podu1"):
        first.apply("/kubepods/podu1", Limits(cpu_shares=2))


async def test_the_levels_are_there_from_the_beginning(first: CgroupTree, tmp_path: Path) -> None:
    await node_cgroups(first).begin(NODE)
    found = files(tmp_path)
    assert found["memory/kubepods/memory.limit_in_bytes"] == str(2**30)
    assert found["cpu/kubepods/cpu.shares"] == "2048"
    assert found["cpu/kubepods/besteffort/cpu.shares"] == found["cpu/kubepods/burstable/cpu.shares"] == "2"


async def test_what_is_not_to_be_enforced_is_not(first: CgroupTree, tmp_path: Path) -> None:
    await node_cgroups(first, KubeletConfiguration(enforce_node_allocatable=())).begin(NODE)
    assert "memory/kubepods/memory.limit_in_bytes" not in files(tmp_path)


async def test_burstable_pods_have_together_what_they_request(first: CgroupTree, tmp_path: Path) -> None:
    cgroups = node_cgroups(first)
    shares = tmp_path / "cpu/kubepods/burstable/cpu.shares"
    await cgroups.make(burstable("u1"))
    await cgroups.make(burstable("u2", "250m"))
    assert shares.read_text() == str(512 + 256)
    await cgroups.limit(burstable("u2"), Limits(cpu_shares=1024))
    assert shares.read_text() == str(512 + 1024)


async def test_a_pods_cgroups_go_in_every_hierarchy(first: CgroupTree, tmp_path: Path) -> None:
    inner = [tmp_path / each / "kubepods" / "burstable" / "podu1" / "container" for each in ("cpu", "memory")]
    other = tmp_path / "cpu" / "kubepods" / "podu2"
    for each in [*inner, other]:
        each.mkdir(parents=True)
    await node_cgroups(first).free("u1")
    assert not any(each.parent.exists() for each in inner)
    assert other.exists()


def test_what_still_runs_in_a_pods_cgroup_is_killed(first: CgroupTree, tmp_path: Path) -> None:
    """The runtime may have lost sight of it: it was killed itself, or somebody who ran a command was."""
    group = tmp_path / "cpu" / "kubepods" / "besteffort" / "podu1" / "container"
    group.mkdir(parents=True)
    process = subprocess.Popen(["sleep", "300"])
    (group / "cgroup.procs").write_text(f"{process.pid}\n")
    first.end_pod("u1")
    assert process.wait(timeout=10) == -signal.SIGKILL


async def test_what_cannot_be_enforced_yet_is_tried_again(first: CgroupTree, tmp_path: Path) -> None:
    cgroups, clock, client = node_cgroups(first), FakeClock(), FakeClient()
    blocked = tmp_path / "memory" / "kubepods"
    blocked.write_text("")
    events = NodeEvents(EventRecorder(client, "kubelet", clock=clock, host="n1"), "n1")
    async with Tasks("test") as tasks:
        enforcing = tasks.start(enforce(cgroups, NODE, events, clock), name="enforce")
        await clock.advance(1)
        assert not enforcing.done()
        blocked.unlink()
        await clock.advance(60)
        await enforcing
    assert (blocked / "memory.limit_in_bytes").read_text() == str(2**30)


async def test_what_is_kept_for_pods_is_kept_for_their_levels(second: CgroupTree, tmp_path: Path) -> None:
    cgroups = node_cgroups(second, KubeletConfiguration(feature_gates={"MemoryQoS": True}))
    amounts = {"cpu": "1", "memory": "64Mi"}
    whole = {"name": "c", "resources": {"requests": amounts, "limits": amounts}}
    part = {"name": "c", "resources": {"requests": {"memory": "32Mi"}}}
    await cgroups.make({"metadata": {"uid": "u1"}, "spec": {"containers": [whole]}})
    await cgroups.make({"metadata": {"uid": "u2"}, "spec": {"containers": [part]}})
    kept = {path: (tmp_path / path / "memory.min").read_text() for path in ("kubepods", "kubepods/burstable")}
    assert kept == {"kubepods": str(96 * 2**20), "kubepods/burstable": str(32 * 2**20)}
