"""The node's own HTTPS API, as the kubelet has it: through the API server's proxy, and directly."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from conformance import pods
from conformance import rest as rests
from conformance.cluster import Cluster
from conformance.kubectl import Kubectl
from conformance.rest import Object, Rest
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")
RBAC = "/apis/rbac.authorization.k8s.io/v1"
SCRIPT = f"dd if=/dev/zero of=/data/file bs=1024 count=300 2>/dev/null; echo started; {pods.IDLE}"


@pytest.fixture(scope="module")
def pod(cluster: Cluster, shared_space: Space) -> Object:
    """With a volume, a probe and limits; its container has written a file and a line."""
    main = {
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "readinessProbe": {"exec": {"command": ["test", "-s", "/data/file"]}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m"}, "limits": {"cpu": "500m", "memory": "64Mi"}},
    }
    volumes = [{"name": "data", "emptyDir": {}}]
    return shared_space.run_ready("measured", SCRIPT, container=main, volumes=volumes)


@pytest.fixture(scope="module")
def node(rest: Rest, pod: Object) -> Object:
    found: Object = rest.get(f"/api/v1/nodes/{pod['spec']['nodeName']}")
    return found


@pytest.fixture(scope="module")
def agent(cluster: Cluster, node: Object) -> Rest:
    """The node's agent, asked directly, with nothing to prove who asks."""
    status = node["status"]
    address = next(each["address"] for each in status["addresses"] if each["type"] == "InternalIP")
    port = status["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    return replace(rests.connect(cluster.kubeconfig, anonymous=True), server=f"https://{address}:{port}")


class Robot:
    """A service account that asks the node with its token."""

    def __init__(self, space: Space, agent: Rest) -> None:
        self._space = space
        self.name = f"system:serviceaccount:{space.name}:robot"
        space.create({"metadata": {"name": "robot"}}, "serviceaccounts")
        asked: Object = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = space.rest.post(space.path("serviceaccounts", "robot") + "/token", asked)["status"]["token"]
        self.rest = replace(agent, headers={"Authorization": f"Bearer {token}"})

    def may(self, verb: str, *resources: str) -> None:
        name = f"robot-{self._space.name}"
        rule = {"apiGroups": [""], "resources": list(resources), "verbs": [verb]}
        self._space.rest.post(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": [rule]})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
        subject = {"kind": "ServiceAccount", "name": "robot", "namespace": self._space.name}
        binding = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
        self._space.rest.post(f"{RBAC}/clusterrolebindings", binding)

    def forget(self) -> None:
        for resource in ("clusterrolebindings", "clusterroles"):
            self._space.rest.request("DELETE", f"{RBAC}/{resource}/robot-{self._space.name}")

    def status(self, path: str) -> int:
        return self.rest.request("GET", path).code


@pytest.fixture
def robot(space: Space, agent: Rest) -> Iterator[Robot]:
    robot = Robot(space, agent)
    yield robot
    robot.forget()


@pytest.fixture
def proxied(admin: Kubectl, node: Object) -> "Proxied":
    return Proxied(admin, node["metadata"]["name"])


class Proxied:
    """The node's pages through the API server, by kubectl."""

    def __init__(self, kubectl: Kubectl, name: str) -> None:
        self._kubectl = kubectl
        self.name = name

    def text(self, path: str, *, name: str = "") -> str:
        raw = f"/api/v1/nodes/{name or self.name}/proxy/{path}"
        return str(self._kubectl("get", "--raw", raw).text)

    def json(self, path: str) -> Any:
        return json.loads(self.text(path))


def test_health(proxied: Proxied) -> None:
    assert proxied.text("healthz") == "ok"
    for name in ("ping", "syncloop", "log"):
        assert proxied.text(f"healthz/{name}") == "ok"
    assert "[+]syncloop ok\n" in proxied.text("healthz?verbose")
    assert "kubelet statusz" in proxied.text("statusz")
    assert f"hostname-override={proxied.name}" in proxied.text("flagz")


def test_the_agents_port_may_be_named(proxied: Proxied, node: Object) -> None:
    port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    assert proxied.text("healthz", name=f"{proxied.name}:{port}") == "ok"
    assert proxied.text("healthz", name=f"https:{proxied.name}:{port}") == "ok"


def test_the_configuration(proxied: Proxied, node: Object) -> None:
    configuration = proxied.json("configz")["kubeletconfig"]
    assert str(configuration["maxPods"]) == node["status"]["capacity"]["pods"]
    assert {"evictionHard", "containerLogMaxSize", "imageGCHighThresholdPercent"} < configuration.keys()


def test_pods_and_what_runs_of_them(proxied: Proxied, pod: Object) -> None:
    uid = pod["metadata"]["uid"]
    listed = {each["metadata"]["uid"]: each for each in proxied.json("pods")["items"]}
    assert listed[uid]["status"]["phase"] == "Running"
    assert listed[uid]["spec"]["nodeName"] == proxied.name
    running = {each["metadata"]["uid"]: each for each in proxied.json("runningpods/")["items"]}
    assert [each["name"] for each in running[uid]["spec"]["containers"]] == ["main"]


def test_the_nodes_summary(proxied: Proxied, node: Object) -> None:
    found = eventually(lambda: measured_node(proxied), what="the runtime has measured its images")
    assert found["nodeName"] == proxied.name
    assert found["cpu"]["usageNanoCores"] > 0
    assert found["cpu"]["usageCoreNanoSeconds"] > 10**9
    memory = found["memory"]
    assert 0 < memory["workingSetBytes"] <= memory["usageBytes"]
    assert memory["availableBytes"] > 0
    for disk in (found["fs"], found["runtime"]["imageFs"]):
        assert 0 < disk["usedBytes"] < disk["capacityBytes"]
        assert 0 < disk["inodesUsed"] < disk["inodes"]
    assert 0 < found["rlimit"]["curproc"] < found["rlimit"]["maxpid"]
    parts = {each["name"]: each for each in found["systemContainers"]}
    assert {"pods", "kubelet", "runtime"} <= parts.keys()
    for part in parts.values():
        assert part["cpu"]["usageNanoCores"] >= 0
        assert part["memory"]["workingSetBytes"] > 0


def measured_node(proxied: Proxied) -> Object:
    """The runtime looks at its images' disk only every few seconds."""
    found: Object = proxied.json("stats/summary")["node"]
    assert found["runtime"]["imageFs"]["usedBytes"]
    return found


def summary_of(proxied: Proxied, pod: Object) -> Object:
    found: list[Object] = proxied.json("stats/summary")["pods"]
    return next(each for each in found if each["podRef"]["uid"] == pod["metadata"]["uid"])


def test_a_pods_summary(proxied: Proxied, pod: Object) -> None:
    found = summary_of(proxied, pod)
    assert found["podRef"] == {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
    (container,) = found["containers"]
    assert container["name"] == "main"
    assert container["cpu"]["usageCoreNanoSeconds"] > 0
    assert 0 < container["memory"]["workingSetBytes"] < 64 << 20
    assert container["memory"]["availableBytes"] < 64 << 20
    assert container["logs"]["usedBytes"] >= 4096
    assert found["memory"]["workingSetBytes"] >= container["memory"]["workingSetBytes"]
    assert found["process_stats"]["process_count"] >= 2
    assert found["network"]["rxBytes"] >= 0
    (data,) = [each for each in found["volume"] if each["name"] == "data"]
    assert data["usedBytes"] >= 300 * 1024
    assert found["ephemeral-storage"]["usedBytes"] >= 300 * 1024


def test_only_processor_and_memory(proxied: Proxied, pod: Object) -> None:
    found = proxied.json("stats/summary?only_cpu_and_memory=true")
    assert "fs" not in found["node"]
    assert not any("volume" in each for each in found["pods"])


def test_metrics_of_resources(proxied: Proxied, pod: Object) -> None:
    lines = proxied.text("metrics/resource").splitlines()
    labels = f'namespace="{pod["metadata"]["namespace"]}",pod="measured"}}'
    for start in (
        "node_cpu_usage_seconds_total ",
        "node_memory_working_set_bytes ",
        f'container_cpu_usage_seconds_total{{container="main",{labels} ',
        f'container_memory_working_set_bytes{{container="main",{labels} ',
        f'container_start_time_seconds{{container="main",{labels} ',
        f"pod_cpu_usage_seconds_total{{{labels} ",
        f"pod_memory_working_set_bytes{{{labels} ",
        "resource_scrape_error 0",
    ):
        assert any(line.startswith(start) for line in lines), start


def test_metrics_of_cgroups(proxied: Proxied, pod: Object) -> None:
    text = proxied.text("metrics/cadvisor")
    for name in ("machine_cpu_cores", "machine_memory_bytes", "cadvisor_version_info"):
        assert f"\n{name}{{" in f"\n{text}"
    own = [line for line in text.splitlines() if 'pod="measured"' in line]
    names = {line.partition("{")[0] for line in own if 'container="main"' in line}
    assert {
        "container_cpu_usage_seconds_total",
        "container_cpu_cfs_periods_total",
        "container_memory_working_set_bytes",
        "container_memory_rss",
        "container_spec_memory_limit_bytes",
        "container_start_time_seconds",
        "container_last_seen",
        "container_blkio_device_usage_total",
        "container_file_descriptors",
        "container_fs_usage_bytes",
        "container_fs_reads_bytes_total",
        "container_fs_writes_total",
        "container_oom_events_total",
        "container_sockets",
        "container_spec_memory_reservation_limit_bytes",
        "container_threads_max",
        "container_ulimits_soft",
    } <= names
    assert any(line.startswith("container_network_receive_bytes_total{") for line in own)
    limits = [line for line in own if line.startswith("container_spec_memory_limit_bytes") and "main" in line]
    assert [float(line.rpartition(" ")[2]) for line in limits] == [64 << 20]


def test_metrics_of_the_agent(proxied: Proxied) -> None:
    text = proxied.text("metrics")
    for line in (
        f'kubelet_node_name{{node="{proxied.name}"}} 1',
        "kubelet_running_pods ",
        'kubelet_running_containers{container_state="running"} ',
        "kubelet_pod_start_duration_seconds_bucket{",
        'kubelet_runtime_operations_total{operation_type="create_container"} ',
        'volume_manager_total_volumes{plugin_name="kubernetes.io/empty-dir",state="actual_state_of_world"} ',
        "kubernetes_build_info{",
        "process_resident_memory_bytes ",
        "rest_client_requests_total{",
    ):
        assert f"\n{line}" in text, line


def test_metrics_of_probes(proxied: Proxied, pod: Object) -> None:
    lines = [line for line in proxied.text("metrics/probes").splitlines() if 'pod="measured"' in line]
    counts = [line for line in lines if line.startswith("prober_probe_total{")]
    assert any('probe_type="Readiness"' in line and 'result="successful"' in line for line in counts)
    assert any(line.startswith("prober_probe_duration_seconds_bucket{") for line in lines)


def test_the_nodes_logs(proxied: Proxied, rest: Rest) -> None:
    assert "<pre>" in proxied.text("logs/")
    for path in ("logs/%2e%2e/passwd", "logs/..%2fpasswd", "logs/none"):
        answer = rest.request("GET", f"/api/v1/nodes/{proxied.name}/proxy/{path}")
        assert answer.code in (400, 404), str(answer)


def test_commands_and_logs_by_proxy(rest: Rest, proxied: Proxied, pod: Object) -> None:
    place = f"{pod['metadata']['namespace']}/measured/main"
    base = f"/api/v1/nodes/{proxied.name}/proxy"
    assert rest.request("GET", f"{base}/containerLogs/{place}").text == "started\n"
    answer = rest.request("POST", f"{base}/run/{place}", cmd="echo from inside")
    assert (answer.code, answer.text) == (200, "from inside\n")
    assert rest.request("POST", f"{base}/checkpoint/{place}").code == 404
    assert rest.request("GET", f"{base}/nothing").code == 404


def test_nobody_is_anonymous(agent: Rest) -> None:
    for path in ("/healthz", "/pods", "/metrics", "/stats/summary", "/nothing"):
        answer = agent.request("GET", path)
        assert (answer.code, answer.text) == (401, "Unauthorized")
    stranger = replace(agent, headers={"Authorization": "Bearer nonsense"})
    assert stranger.request("GET", "/pods").code == 401


def test_who_may_nothing_is_told_what_is_missing(robot: Robot) -> None:
    answer = robot.rest.request("GET", "/metrics")
    text = f"Forbidden (user={robot.name}, verb=get, resource=nodes, subresource(s)=[metrics])"
    assert (answer.code, answer.text) == (403, text)
    assert robot.rest.request("GET", "/pods").text.endswith("subresource(s)=[pods proxy])")


def test_a_right_to_metrics_is_one_to_nothing_else(robot: Robot) -> None:
    robot.may("get", "nodes/metrics", "nodes/healthz")
    assert "node_cpu_usage_seconds_total" in robot.rest.request("GET", "/metrics/resource").text
    assert robot.status("/metrics/cadvisor") == 200
    assert robot.status("/healthz") == 200
    for path in ("/pods", "/stats/summary", "/configz", "/logs/"):
        assert robot.status(path) == 403, path


def test_a_right_to_the_proxy_is_one_to_most(robot: Robot, pod: Object) -> None:
    robot.may("get", "nodes/proxy", "nodes/stats")
    for path in ("/pods", "/runningpods/", "/configz", "/healthz", "/stats/summary"):
        assert robot.status(path) == 200, path
    assert robot.status("/metrics") == 403
    place = f"{pod['metadata']['namespace']}/measured/main?{urlencode({'cmd': 'true'})}"
    answer = robot.rest.request("POST", f"/run/{place}")
    assert (answer.code, "verb=create" in answer.text) == (403, True)
