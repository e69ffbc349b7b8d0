"""The Node object, its registration, reports and lease, and the agent's configuration."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cri_api.v1 import api_pb2 as cri

from kubeling.client.errors import ConnectionLost
from kubeling.client.fake import FakeClient
from kubeling.client.resources import LEASES, NODES
from kubeling.objects import conditions
from kubeling.objects.clock import FakeClock
from kubeling.objects.tasks import Tasks
from runtime.config import ConfigurationError, read_config
from runtime.errors import RuntimeUnavailable
from runtime.node.lease import NodeLease
from runtime.node.machine import Machine, look_around
from runtime.node.node_object import NodeFacts, image_list, new_node, runtime_problem
from runtime.node.node_reporter import NodeReporter
from runtime.node.pod_network import pod_cidrs
from runtime.node.runtime_health import RuntimeHealth
from runtime.node.shutdown import LONGEST_GRACE, stop_all
from runtime.pods.identity import POD_UID
from runtime.tests.fake_runtime import FakeRuntime

MACHINE = Machine(
    hostname="n1",
    architecture="amd64",
    cpus=4,
    memory=8 * 2**30,
    swap=0,
    disk=100 * 2**30,
    huge_pages={"hugepages-2Mi": 0},
    kernel="6.1",
    os_image="Debian",
    machine_id="m",
    system_uuid="s",
    boot_id="b",
)
FACTS = NodeFacts(name="n1", address="192.0.2.1", port=10250, machine=MACHINE)


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    async with Tasks("test") as made:
        yield made


def test_the_node_says_what_it_is() -> None:
    node = new_node(FACTS, FakeClock().now())
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "n1"
    status = node["status"]
    assert status["capacity"] == {
        "cpu": "4",
        "memory": "8388608Ki",
        "ephemeral-storage": "104857600Ki",
        "pods": "110",
        "hugepages-2Mi": "0",
    }
    assert status["addresses"] == [
        {"type": "InternalIP", "address": "192.0.2.1"},
        {"type": "Hostname", "address": "n1"},
    ]
    assert status["nodeInfo"]["kubeletVersion"].startswith("v1.37.")
    ready = conditions.find(node, "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"]) == ("False", "KubeletNotReady")


def test_this_machine_can_be_looked_at(tmp_path: Path) -> None:
    machine = look_around(tmp_path)
    assert machine.cpus > 0
    assert machine.memory > 2**20
    assert machine.disk > 0


async def test_a_node_registers_and_becomes_ready(tasks: Tasks) -> None:
    client, clock = FakeClient(), FakeClock()
    reporter = NodeReporter(client, clock, FACTS)
    await reporter.register()
    tasks.start(reporter.run(), name="report")
    reporter.change(problem="", runtime_version="containerd://1.6.20")
    await clock.advance(1)
    node = client.stored(NODES, "n1") or {}
    ready = conditions.find(node, "Ready") or {}
    assert (ready["reason"], ready["message"]) == ("KubeletReady", "kubelet is posting ready status")
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"] == "containerd://1.6.20"


async def test_a_node_that_exists_keeps_its_labels_and_gets_ours() -> None:
    client = FakeClient()
    client.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": {"mine": "1"}}})
    await NodeReporter(client, FakeClock(), FACTS).register()
    node = client.stored(NODES, "n1") or {}
    assert node["metadata"]["labels"]["mine"] == "1"
    assert node["metadata"]["labels"]["kubernetes.io/os"] == "linux"


async def test_registration_waits_for_the_server(tasks: Tasks) -> None:
    client, clock = FakeClient(), FakeClock()
    client.fail("create", ConnectionLost("away"), times=3)
    tasks.start(NodeReporter(client, clock, FACTS).register(), name="register")
    await clock.advance(1)
    assert client.stored(NODES, "n1") is not None


async def test_the_status_is_reported_every_five_minutes(tasks: Tasks) -> None:
    client, clock = FakeClient(), FakeClock()
    reporter = NodeReporter(client, clock, FACTS)
    await reporter.register()
    tasks.start(reporter.run(), name="report")
    tasks.start(reporter.beat(), name="beat")
    await clock.advance(290)
    assert [each.verb for each in client.writes()] == ["create", "patch"]
    await clock.advance(11)
    assert [each.verb for each in client.writes()] == ["create", "patch", "patch"]


async def test_what_the_node_has_to_give_is_known_before_the_api_shows_it() -> None:
    client = FakeClient()
    client.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": {"mine": "1"}}})
    reporter = NodeReporter(client, FakeClock(), FACTS)
    assert reporter.node["metadata"]["labels"]["kubernetes.io/hostname"] == "n1"
    await reporter.read()
    assert reporter.node["metadata"]["labels"]["mine"] == "1"
    assert reporter.node["status"]["allocatable"]["cpu"] == "4"


async def test_the_lease_is_renewed_every_ten_seconds(tasks: Tasks) -> None:
    client, clock = FakeClient(), FakeClock()
    node = {"metadata": {"name": "n1", "uid": "u1"}}
    tasks.start(NodeLease(client, clock, node).run(), name="lease")
    await clock.advance(1)
    first = client.stored(LEASES, "n1", namespace="kube-node-lease") or {}
    assert first["spec"]["leaseDurationSeconds"] == 40
    assert first["metadata"]["ownerReferences"][0]["uid"] == "u1"
    client.fail("update", ConnectionLost("away"), times=2)
    await clock.advance(12)
    second = client.stored(LEASES, "n1", namespace="kube-node-lease") or {}
    assert second["spec"]["renewTime"] > first["spec"]["renewTime"]


async def test_a_runtime_that_stays_away_makes_the_node_unready() -> None:
    client, clock = FakeClient(), FakeClock()
    runtime, reporter = FakeRuntime(clock), NodeReporter(client, clock, FACTS)
    health = RuntimeHealth(runtime, reporter, clock)
    await health.look()
    assert reporter.facts.problem == ""
    runtime.fail("status", RuntimeUnavailable("gone"), times=2)
    await clock.advance(20)
    await health.look()
    assert reporter.facts.problem == "", "a restart of the runtime is no news"
    await clock.advance(11)
    await health.look()
    assert reporter.facts.problem == "container runtime is down"
    await health.look()
    assert reporter.facts.problem == ""


async def test_a_runtime_that_lists_no_pods_is_not_healthy() -> None:
    client, clock = FakeClient(), FakeClock()
    runtime, reporter = FakeRuntime(clock), NodeReporter(client, clock, FACTS)
    health = RuntimeHealth(runtime, reporter, clock)
    await health.look()
    runtime.fail("list_pod_sandboxes", RuntimeUnavailable("locked"))
    await clock.advance(185)
    await health.look()
    assert reporter.facts.problem == (
        "PLEG is not healthy: pleg was last seen active 3m5s ago; threshold is 3m0s"
    )


async def test_a_runtime_that_never_answered_is_waited_for() -> None:
    client, clock = FakeClient(), FakeClock()
    runtime, reporter = FakeRuntime(clock), NodeReporter(client, clock, FACTS)
    runtime.fail("status", RuntimeUnavailable("not yet"))
    await RuntimeHealth(runtime, reporter, clock).look()
    assert reporter.facts.problem == "container runtime status check may not have completed yet"


def test_a_network_that_is_missing_is_said_as_the_kubelet_says_it() -> None:
    network = cri.RuntimeCondition(
        type="NetworkReady", reason="NetworkPluginNotReady", message="cni plugin not initialized"
    )
    assert runtime_problem(cri.RuntimeStatus(conditions=[network])) == (
        "container runtime network not ready: NetworkReady=false "
        "reason:NetworkPluginNotReady message:cni plugin not initialized"
    )


def test_images_are_listed_the_largest_first() -> None:
    images = [cri.Image(repo_tags=["a:1"], size=1), cri.Image(repo_tags=["b:1"], size=2), cri.Image(id="x")]
    assert image_list(images) == ((("b:1",), 2), (("a:1",), 1))


async def test_the_range_of_pod_addresses_is_waited_for(tasks: Tasks) -> None:
    client, clock = FakeClient(), FakeClock()
    node: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "spec": {}}
    client.put(node)
    found = tasks.start(pod_cidrs(client.informer(NODES), "n1"), name="ranges")
    await clock.advance(1)
    assert not found.done()
    client.put({**node, "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]}})
    await clock.advance(1)
    assert found.result() == ("10.244.0.0/24",)
    await client.close()


async def test_a_node_that_shuts_down_stops_everything_side_by_side(tasks: Tasks) -> None:
    clock = FakeClock()
    runtime = FakeRuntime(clock, stubborn={"a", "b"})
    sandbox = await runtime.run_pod_sandbox(cri.PodSandboxConfig())
    for name in ("a", "b"):
        config = cri.ContainerConfig(metadata=cri.ContainerMetadata(name=name))
        await runtime.start_container(await runtime.create_container(sandbox, config, cri.PodSandboxConfig()))
    stopping = tasks.start(stop_all(runtime), name="stop")
    await clock.advance(LONGEST_GRACE)
    assert stopping.done()
    assert not runtime.running("a")
    assert runtime.sandboxes[sandbox].state == cri.SANDBOX_NOTREADY


async def test_a_node_that_shuts_down_removes_the_pods_cgroups(tmp_path: Path) -> None:
    runtime = FakeRuntime(FakeClock())
    await runtime.run_pod_sandbox(cri.PodSandboxConfig(labels={POD_UID: "u1"}))
    ours, other = (tmp_path / "memory" / "kubepods" / f"pod{uid}" for uid in ("u1", "u2"))
    ours.mkdir(parents=True)
    other.mkdir()
    await stop_all(runtime, cgroups=tmp_path)
    assert (ours.exists(), other.exists()) == (False, True)


CONFIG = {
    "nodeName": "n1",
    "nodeIP": "192.0.2.1",
    "kubeconfig": "/home/node/kubeconfig",
    "root": "/home/node",
    "state": "/run/x",
    "criEndpoint": None,
    "serving": {"certificate": "/c", "key": "/k"},
    "clientCA": "/ca",
    "listen": "0.0.0.0",
    "port": 10250,
    "cniBin": ["/usr/lib/cni"],
    "podCIDR": "10.244.0.0/16",
}


def test_the_configuration_is_read(tmp_path: Path) -> None:
    file = tmp_path / "node.json"
    file.write_text(json.dumps(CONFIG))
    config = read_config(file)
    assert (config.node_name, config.cri_endpoint, config.home) == ("n1", "", Path("/home"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not JSON"),
        ("[]", "is no node configuration"),
        (json.dumps({**CONFIG, "port": "x"}), "is no node configuration"),
        (json.dumps({key: value for key, value in CONFIG.items() if key != "root"}), "lacks 'root'"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_named(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "node.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=why):
        read_config(file)


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        read_config(tmp_path / "none.json")


def test_before_the_api_has_shown_the_node_its_pods_are_measured_by_what_it_has() -> None:
    node = NodeReporter(FakeClient(), FakeClock(), FACTS).node
    assert node["metadata"]["name"] == FACTS.name
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == FACTS.name
    assert int(node["status"]["allocatable"]["pods"]) == 110
