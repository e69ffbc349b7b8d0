"""The node's statistics and metrics as documents: what stands in them for a pod that runs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from kubeling.client.resources import PODS
from kubeling.objects.tasks import Tasks
from runtime.cri.operations import Operations, operation_name
from runtime.errors import RuntimeFailed
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.node.api.errors import HttpError
from runtime.node.api.node_pages import NodePages
from runtime.node.api.routes import find
from runtime.node.machine import look_around
from runtime.pods.cgroups import qos
from runtime.stats.agent_subjects import AgentSubjects
from runtime.stats.cgroup import cgroups
from runtime.stats.statistics import Statistics
from runtime.tests.pod_node import PodNode, a_container, a_pod, pod_node
from runtime.tests.test_stats_cgroups import V1, V2, tree


class Api:
    """What the page says of requests to the API server."""

    server = "https://127.0.0.1:6443"

    def __init__(self) -> None:
        self.answered = {("GET", 200): 3}


@asynccontextmanager
async def node_pages(root: Path, *, files: dict[str, str] = V1) -> AsyncIterator[tuple[NodePages, PodNode]]:
    async with pod_node(root / "node") as node:
        probe = {"exec": {"command": ["true"]}}
        node.create(
            a_pod(
                containers=[
                    a_container(readinessProbe=probe, volumeMounts=[{"name": "v", "mountPath": "/v"}])
                ],
                volumes=[{"name": "v", "emptyDir": {}}],
            )
        )
        await node.until(lambda: node.container().get("ready"))
        if files is V2:
            tree(root / "cgroup", {"cgroup.controllers": ""}, "")
        (made,) = node.runtime.named("main")
        node.runtime.layers[made.id] = 5000
        pod = qos.cgroup_parent(node.pod() or {})
        for each in ("", "/kubepods", pod, f"{pod}/{made.id}"):
            tree(root / "cgroup", files, each)
        statistics = Statistics(
            node.runtime,
            AgentSubjects(node.agent),
            cgroups(root / "cgroup"),
            node.clock,
            root=node.root,
            memory=2**30,
        )
        operations = Operations()
        with operations.counted("ListContainersRequest"):
            pass
        client: Any = Api()
        yield (
            NodePages(
                node_name="node-1",
                machine=look_around(node.root),
                configuration=KubeletConfiguration(),
                statistics=statistics,
                agent=node.agent,
                tally=node.context.tally,
                operations=operations,
                client=client,
                clock=node.clock,
                flags={"node-ip": "192.0.2.7"},
            ),
            node,
        )
        await statistics.stop()


async def get(pages: NodePages, path: str, *, accept: str = "") -> str:
    request = make_mocked_request("GET", path, headers={"Accept": accept} if accept else {})
    parts = request.path.strip("/").split("/")
    answer: Any = await find(pages.routes(), "GET", parts)(request, *parts[1:])
    return str(answer.body.decode() if isinstance(answer.body, bytes) else answer.text)


async def rates_known(pages: NodePages, node: PodNode) -> None:
    """The first question for rates takes two looks."""
    async with Tasks("test") as tasks:
        asking = tasks.start(pages.statistics.rates_known(), name="ask")
        while not asking.done():
            await node.clock.advance(0.1)
            await asyncio.sleep(0.001)


async def test_the_summary(tmp_path: Path) -> None:
    async with node_pages(tmp_path) as (pages, node):
        await rates_known(pages, node)
        document = json.loads(await get(pages, "/stats/summary"))
        assert document["node"]["nodeName"] == "node-1"
        assert document["node"]["memory"]["availableBytes"] == 2**30 - 700
        assert {"cpu", "memory", "fs", "runtime", "rlimit", "systemContainers"} < document["node"].keys()
        (pod,) = document["pods"]
        assert pod["podRef"]["name"] == "web"
        assert pod["process_stats"] == {"process_count": 4}
        (container,) = pod["containers"]
        assert (container["name"], container["rootfs"]["usedBytes"]) == ("main", 5000)
        assert container["memory"]["workingSetBytes"] == 700
        assert [each["name"] for each in pod["volume"]] == ["v"]
        short = json.loads(await get(pages, "/stats/summary?only_cpu_and_memory=true"))
        assert short["node"].keys() == {"nodeName", "systemContainers", "startTime", "cpu", "memory", "swap"}
        assert short["pods"][0]["containers"][0].keys() == {"name", "startTime", "cpu", "memory", "swap"}


async def test_stalls_where_the_kernel_counts_them(tmp_path: Path) -> None:
    async with node_pages(tmp_path, files=V2) as (pages, node):
        await rates_known(pages, node)
        (pod,) = json.loads(await get(pages, "/stats/summary"))["pods"]
        assert pod["cpu"]["psi"]["some"] == {"total": 99, "avg10": 1.5, "avg60": 0.5, "avg300": 0.1}
        assert "container_pressure_cpu_waiting_seconds_total{" in await get(pages, "/metrics/cadvisor")


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        (
            "/metrics/resource",
            [
                'container_memory_working_set_bytes{container="main",namespace="default",pod="web"} 700.0 ',
                'pod_cpu_usage_seconds_total{namespace="default",pod="web"} 1.23456789 ',
                "node_memory_working_set_bytes 700.0 ",
                "resource_scrape_error 0.0",
            ],
        ),
        (
            "/metrics",
            [
                'kubelet_node_name{node="node-1"} 1.0',
                "kubelet_running_pods 1.0",
                'kubelet_running_containers{container_state="running"} 1.0',
                "kubelet_pod_start_duration_seconds_count 1.0",
                'volume_manager_total_volumes{plugin_name="kubernetes.io/empty-dir",'
                'state="actual_state_of_world"} 1.0',
                'kubelet_runtime_operations_total{operation_type="list_containers"} 1.0',
                'rest_client_requests_total{code="200",host="127.0.0.1:6443",method="GET"} 3.0',
                "process_resident_memory_bytes ",
            ],
        ),
        (
            "/metrics/cadvisor",
            [
                "machine_cpu_cores{",
                'container_cpu_usage_seconds_total{container="",cpu="total",id="/",',
                'container_memory_working_set_bytes{container="main",id="/kubepods/',
                'container_spec_cpu_quota{container="main",',
                "container_fs_reads_bytes_total{",
            ],
        ),
        ("/metrics/probes", ['prober_probe_total{container="main",namespace="default",pod="web",']),
    ],
    ids=["resource", "own", "cadvisor", "probes"],
)
async def test_metrics(tmp_path: Path, path: str, lines: list[str]) -> None:
    async with node_pages(tmp_path) as (pages, _):
        text = f"\n{await get(pages, path)}"
        for line in lines:
            assert f"\n{line}" in text


async def test_status_and_settings(tmp_path: Path) -> None:
    async with node_pages(tmp_path) as (pages, _):
        assert "\nkubelet statusz\nWarning: " in await get(pages, "/statusz")
        assert "\nnode-ip=192.0.2.7\n" in await get(pages, "/flagz", accept="text/plain")
        accept = "application/json;v=v1beta1;g=config.k8s.io;as="
        status = json.loads(await get(pages, "/statusz", accept=f"{accept}Statusz"))
        assert (status["kind"], status["apiVersion"]) == ("Statusz", "config.k8s.io/v1beta1")
        assert (status["uptimeSeconds"], status["emulationVersion"]) == (0, "1.37")
        settings = json.loads(await get(pages, "/flagz", accept=f"{accept}Flagz"))
        assert settings["flags"] == {"node-ip": "192.0.2.7"}
        with pytest.raises(HttpError, match="not acceptable"):
            await get(pages, "/statusz", accept="application/json")


async def test_probes_of_a_pod_that_has_gone_are_forgotten(tmp_path: Path) -> None:
    async with node_pages(tmp_path) as (pages, node):
        await node.client.delete(PODS, "web", namespace="default", grace_period_seconds=0)
        await node.until(lambda: not node.agent.workers)
        assert "prober_probe_total" not in await get(pages, "/metrics/probes")


async def test_running_pods_and_the_configuration(tmp_path: Path) -> None:
    async with node_pages(tmp_path) as (pages, _):
        (pod,) = json.loads(await get(pages, "/runningpods/"))["items"]
        assert pod["spec"]["containers"] == [{"name": "main", "image": "app:1", "resources": {}}]
        document = json.loads(await get(pages, "/configz"))["kubeletconfig"]
        assert (document["kind"], document["maxPods"]) == ("KubeletConfiguration", 110)
        for path in ("/stats/none", "/metrics/none"):
            with pytest.raises(HttpError, match="404"):
                await get(pages, path)


def test_operations_are_counted_under_upstreams_names() -> None:
    operations = Operations()
    with pytest.raises(RuntimeFailed), operations.counted("RunPodSandboxRequest"):
        raise RuntimeFailed("no")
    assert operations.by_request["RunPodSandboxRequest"].errors == 1
    names = ("RunPodSandboxRequest", "ExecSyncRequest", "ListPodSandboxRequest", "ImageFsInfoRequest")
    assert [operation_name(each) for each in names] == [
        "run_podsandbox",
        "exec_sync",
        "list_podsandbox",
        "image_fs_info",
    ]
