"""What a pod may use: classes of service, cgroups seen from inside and from the host, too much memory."""

import os
from pathlib import Path

import pytest

from conformance import pods
from conformance.absence import absent
from conformance.cluster import Cluster
from conformance.kubectl import Kubectl
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")

MIB = 2**20
READ = """
for file in cpu/cpu.shares cpu/cpu.cfs_quota_us memory/memory.limit_in_bytes cpu.weight cpu.max memory.max; do
    [ -f /sys/fs/cgroup/$file ] && echo "$file $(cat /sys/fs/cgroup/$file)"
done
echo "score $(cat /proc/1/oom_score_adj)"
"""
FULL = {"cpu": "100m", "memory": "32Mi"}


def limited(requests: Object | None = None, limits: Object | None = None) -> Object:
    given = {"requests": requests, "limits": limits}
    return {"resources": {kind: amounts for kind, amounts in given.items() if amounts}}


PODS: dict[str, tuple[dict[str, Object], Object]] = {
    "guaranteed": ({"main": limited(limits=FULL), "other": limited(FULL, FULL)}, {}),
    "burstable": ({"main": limited({"cpu": "200m", "memory": "16Mi"}, {"memory": "64Mi"})}, {}),
    "besteffort": ({"main": {}}, {}),
    "whole": ({"main": {}, "other": limited(limits={"memory": "16Mi"})}, limited(FULL, FULL)),
}


@pytest.fixture(scope="module")
def looked_at(shared_space: Space) -> Space:
    """Pods that only run, one for each class of service, and one with resources of its own."""
    for name, (containers, spec) in PODS.items():
        made = [pods.container(shared_space.image, name=each, **more) for each, more in containers.items()]
        shared_space.create(pods.pod(name, *made, **spec))
    for name in PODS:
        shared_space.ready(name)
    return shared_space


@pytest.mark.parametrize(
    ("pod", "quality"),
    [
        ("guaranteed", "Guaranteed"),
        ("burstable", "Burstable"),
        ("besteffort", "BestEffort"),
        ("whole", "Guaranteed"),
    ],
)
def test_the_class_of_service_is_in_the_status(looked_at: Space, pod: str, quality: str) -> None:
    assert looked_at.pod(pod)["status"]["qosClass"] == quality


def test_resources_in_force_are_in_the_status(looked_at: Space) -> None:
    status = pods.status_of(looked_at.pod("guaranteed"))
    assert status["resources"] == {"limits": FULL, "requests": FULL}
    assert status["allocatedResources"] == FULL
    assert "allocatedResources" not in pods.status_of(looked_at.pod("besteffort"))


@pytest.fixture
def admin_in(admin: Kubectl, looked_at: Space) -> Kubectl:
    return admin.within(looked_at.name)


def inside(kubectl: Kubectl, pod: str, container: str = "main") -> dict[str, str]:
    """What a container sees of its own cgroup, by file."""
    said = kubectl("exec", pod, "-c", container, "--", "sh", "-c", READ)
    return dict(line.split(" ", 1) for line in said.lines)


@pytest.mark.parametrize(
    ("pod", "container", "shares", "quota", "memory"),
    [
        ("guaranteed", "main", 102, 10_000, 32 * MIB),
        ("burstable", "main", 204, -1, 64 * MIB),
        ("besteffort", "main", 2, -1, None),
        ("whole", "main", 102, 10_000, 32 * MIB),
        ("whole", "other", 102, 10_000, 16 * MIB),
    ],
)
def test_a_container_sees_its_requests_and_limits(
    admin_in: Kubectl, pod: str, container: str, shares: int, quota: int, memory: int | None
) -> None:
    seen = inside(admin_in, pod, container)
    if "cpu.max" in seen:
        assert seen["cpu.max"].split()[0] == ("max" if quota < 0 else str(quota))
        assert seen["memory.max"] == ("max" if memory is None else str(memory))
        return
    assert (int(seen["cpu/cpu.shares"]), int(seen["cpu/cpu.cfs_quota_us"])) == (shares, quota)
    if memory is not None:
        assert int(seen["memory/memory.limit_in_bytes"]) == memory


def test_the_score_for_the_out_of_memory_killer_follows_the_class(admin_in: Kubectl) -> None:
    assert inside(admin_in, "besteffort")["score"] == "1000"
    assert 900 < int(inside(admin_in, "burstable")["score"]) < 1000
    assert int(inside(admin_in, "guaranteed")["score"]) <= 0


class Host:
    """The pods' cgroups as the host sees them; version 1."""

    root = Path("/sys/fs/cgroup")

    def read(self, file: str, pod: Object) -> int:
        return int((self.root / file.partition(".")[0] / self._path(pod) / file).read_text())

    def groups(self, pod: Object) -> list[Path]:
        each = [hierarchy / self._path(pod) for hierarchy in self.root.iterdir()]
        return [directory for directory in each if directory.is_dir()]

    def _path(self, pod: Object) -> Path:
        quality, uid = pod["status"]["qosClass"], pod["metadata"]["uid"]
        return Path("kubepods", "" if quality == "Guaranteed" else quality.lower(), f"pod{uid}")


@pytest.fixture
def host(cluster: Cluster) -> Host:
    """Where the cluster runs on this machine."""
    if cluster.home is None or os.geteuid() != 0:
        absent("the node's cgroups cannot be seen from here")
    if not (Host.root / "memory").is_dir():
        pytest.skip("cgroups are of version 2")
    return Host()


def test_a_pods_own_cgroup_has_the_sum_of_its_containers(host: Host, looked_at: Space) -> None:
    pod = looked_at.pod("guaranteed")
    assert host.read("cpu.shares", pod) == 204
    assert host.read("cpu.cfs_quota_us", pod) == 20_000
    assert host.read("memory.limit_in_bytes", pod) == 64 * MIB


def test_what_a_pod_says_of_itself_limits_its_cgroup(host: Host, looked_at: Space) -> None:
    pod = looked_at.pod("whole")
    assert host.read("cpu.cfs_quota_us", pod) == 10_000
    assert host.read("memory.limit_in_bytes", pod) == 32 * MIB


def test_a_burstable_pods_cgroup_has_shares_and_no_quota(host: Host, looked_at: Space) -> None:
    pod = looked_at.pod("burstable")
    assert host.read("cpu.shares", pod) == 204
    assert host.read("cpu.cfs_quota_us", pod) == -1
    assert host.read("memory.limit_in_bytes", pod) == 64 * MIB


def test_the_levels_weigh_what_their_pods_request(host: Host, looked_at: Space) -> None:
    kubepods = host.root / "cpu" / "kubepods"
    assert int((kubepods / "besteffort" / "cpu.shares").read_text()) == 2
    assert int((kubepods / "burstable" / "cpu.shares").read_text()) >= 204


def test_the_cgroups_go_with_the_pod(host: Host, space: Space) -> None:
    pod = space.run_ready("short")
    assert host.groups(pod)
    space.remove_pod("short")
    eventually(lambda: not host.groups(pod), what="the pod's cgroups are gone")


@pytest.fixture(scope="module")
def greedy(shared_space: Space) -> Space:
    """Pods that use too much memory, each in its way."""
    image, limits = shared_space.image, limited(limits={"memory": "16Mi"})
    alone = pods.container(image, "exec tail /dev/zero", **limits)
    child = pods.container(image, "tail /dev/zero; exit 3", **limits)
    shared_space.create(pods.pod("alone", alone))
    shared_space.create(pods.pod("parent", child))
    shared_space.create(
        pods.pod("starter", pods.container(image), initContainers=[{**alone, "name": "init"}])
    )
    return shared_space


def ended(space: Space, name: str, container: str = "main", *, init: bool = False) -> Object:
    pod = space.phase(name, "Failed")
    state: Object = pods.status_of(pod, container, init=init)["state"]["terminated"]
    return state


def test_a_container_that_uses_too_much_memory_is_killed(greedy: Space) -> None:
    state = ended(greedy, "alone")
    assert (state["exitCode"], state["reason"]) == (137, "OOMKilled")


def test_a_child_that_uses_too_much_memory_is_told_as_well(greedy: Space) -> None:
    assert ended(greedy, "parent")["reason"] == "OOMKilled"


def test_an_init_container_that_uses_too_much_memory_fails_its_pod(greedy: Space) -> None:
    state = ended(greedy, "starter", "init", init=True)
    assert (state["exitCode"], state["reason"]) == (137, "OOMKilled")


def test_the_node_holds_back_what_is_for_itself(cluster: Cluster, shared_space: Space) -> None:
    node: Object = shared_space.rest.get("/api/v1/nodes")["items"][0]
    capacity, allocatable = (node["status"][each] for each in ("capacity", "allocatable"))
    assert capacity["pods"] == allocatable["pods"] == "110"
    assert _kibibytes(capacity["memory"]) - _kibibytes(allocatable["memory"]) == 100 * 1024


def _kibibytes(text: str) -> int:
    units = {"Ki": 1, "Mi": 1024, "Gi": 1024**2}
    return int(text[:-2]) * units[text[-2:]]
