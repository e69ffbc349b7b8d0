"""Clusters for tests: time that a test moves, and what follows when it has moved."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeling.client.http import HttpClient
from kubeling.client.resources import (
    CRON_JOBS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    JOBS,
    NODES,
    PODS,
    Resource,
)
from kubeling.objects import conditions
from kubeling.objects.meta import Object
from kubeling.testing import cluster
from kubeling.testing.inprocess import Cluster

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
SAY = "virtual.kubeling.dev/"


@pytest.fixture
async def manual(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster(clock="manual", virtual_nodes=3, directory=tmp_path) as running:
        await running.namespace("test")
        yield running


def of(resource: Resource, name: str, spec: Object, **annotations: str) -> Object:
    metadata: Object = {"name": name, "namespace": "test", "annotations": annotations}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": spec}


def template(**spec: object) -> Object:
    containers = [{"name": "main", "image": "anything", "command": ["sh", "-c", "sleep 5"]}]
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers, **spec}}


def deployment(replicas: int) -> Object:
    pods = template()
    pods["spec"]["containers"][0].pop("command")
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": pods}
    return of(DEPLOYMENTS, "web", spec)


async def pods(running: Cluster, phase: str) -> list[Object]:
    found = (await running.client.list(PODS, namespace="test")).items
    return [pod for pod in found if pod["status"]["phase"] == phase]


async def test_a_deployment_is_ready_as_soon_as_all_is_settled(manual: Cluster) -> None:
    await manual.do(manual.client.create(DEPLOYMENTS, deployment(5)))
    made = await manual.client.get(DEPLOYMENTS, "web", namespace="test")
    assert made["status"]["readyReplicas"] == 5
    running = await pods(manual, "Running")
    assert len({pod["status"]["podIP"] for pod in running}) == 5


async def test_time_stands_still_between_advances(manual: Cluster) -> None:
    spec = {"template": template(restartPolicy="Never")}
    await manual.do(manual.client.create(JOBS, of(JOBS, "once", spec)))
    assert len(await pods(manual, "Running")) == 1
    await manual.advance(seconds=4)
    assert len(await pods(manual, "Running")) == 1
    await manual.advance(seconds=2)
    done = await manual.client.get(JOBS, "once", namespace="test")
    assert conditions.is_true(done, "Complete")


async def test_an_autoscaler_follows_what_pods_say_that_they_use(manual: Cluster) -> None:
    made = deployment(1)
    made["spec"]["template"]["metadata"]["annotations"] = {f"{SAY}cpu": "200m"}
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m"}}
    await manual.do(manual.client.create(DEPLOYMENTS, made))
    await manual.advance(minutes=1)
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 100}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "maxReplicas": 2,
        "metrics": [{"type": "Resource", "resource": metric}],
    }
    scaler = of(HORIZONTAL_POD_AUTOSCALERS, "web", spec)
    await manual.do(manual.client.create(HORIZONTAL_POD_AUTOSCALERS, scaler))
    await manual.advance(minutes=1)
    assert len(await pods(manual, "Running")) == 2


async def test_a_day_of_a_cron_job(manual: Cluster) -> None:
    job = {"template": template(restartPolicy="Never")}
    spec = {"schedule": "0 * * * *", "successfulJobsHistoryLimit": 100, "jobTemplate": {"spec": job}}
    await manual.do(manual.client.create(CRON_JOBS, of(CRON_JOBS, "hourly", spec)))
    await manual.advance(hours=24)
    await manual.advance(seconds=10)
    jobs = (await manual.client.list(JOBS, namespace="test")).items
    assert len(jobs) == 24
    assert all(conditions.is_true(job, "Complete") for job in jobs)


async def test_a_job_goes_when_its_time_to_live_is_over(manual: Cluster) -> None:
    spec = {"ttlSecondsAfterFinished": 3600, "template": template(restartPolicy="Never")}
    await manual.do(manual.client.create(JOBS, of(JOBS, "once", spec)))
    await manual.advance(minutes=59)
    assert (await manual.client.list(JOBS, namespace="test")).items
    await manual.advance(minutes=2)
    assert not (await manual.client.list(JOBS, namespace="test")).items
    assert not (await manual.client.list(PODS, namespace="test")).items


async def test_a_crashing_container_backs_off(manual: Cluster) -> None:
    spec: Object = {"containers": [{"name": "main", "image": "anything"}]}
    await manual.do(manual.client.create(PODS, of(PODS, "crash", spec, **{SAY + "exit-code": "1"})))

    async def restarts() -> int:
        pod = await manual.client.get(PODS, "crash", namespace="test")
        return int(pod["status"]["containerStatuses"][0]["restartCount"])

    assert await restarts() == 1
    await manual.advance(seconds=11)
    assert await restarts() == 2
    await manual.advance(seconds=11)
    assert await restarts() == 2
    await manual.advance(seconds=10)
    assert await restarts() == 3


async def test_a_lost_node_loses_its_pods_and_comes_back(manual: Cluster) -> None:
    await manual.do(manual.client.create(DEPLOYMENTS, deployment(6)))
    await manual.lose_node("virtual-1")
    await manual.advance(seconds=49)
    assert conditions.is_true(await manual.client.get(NODES, "virtual-1"), "Ready")
    await manual.advance(seconds=2)
    assert not conditions.is_true(await manual.client.get(NODES, "virtual-1"), "Ready")
    await manual.advance(minutes=6)
    made = await manual.client.get(DEPLOYMENTS, "web", namespace="test")
    assert made["status"]["readyReplicas"] == 6
    assert "virtual-1" not in {
        pod["spec"]["nodeName"] for pod in await pods(manual, "Running") if _stays(pod)
    }
    evicted = [pod for pod in await pods(manual, "Running") if not _stays(pod)]
    assert {pod["spec"]["nodeName"] for pod in evicted} == {"virtual-1"}
    assert not any(conditions.is_true(pod, "Ready") for pod in evicted)
    await manual.find_node("virtual-1")
    await manual.advance(seconds=1)
    assert conditions.is_true(await manual.client.get(NODES, "virtual-1"), "Ready")
    assert len((await manual.client.list(PODS, namespace="test")).items) == 6


async def test_pods_of_a_lost_node_go_with_its_node_object(manual: Cluster) -> None:
    await manual.do(manual.client.create(PODS, of(PODS, "lone", _on("virtual-1"))))
    await manual.lose_node("virtual-1")
    await manual.do(manual.client.delete(PODS, "lone", namespace="test"))
    await manual.advance(minutes=10)
    assert (await manual.client.get(PODS, "lone", namespace="test"))["metadata"]["deletionTimestamp"]
    await manual.do(manual.client.delete(NODES, "virtual-1"))
    await manual.advance(minutes=5)
    assert not (await manual.client.list(PODS, namespace="test")).items


async def test_a_pod_of_a_lost_node_can_be_deleted_with_force(manual: Cluster) -> None:
    await manual.do(manual.client.create(PODS, of(PODS, "lone", _on("virtual-1"))))
    await manual.lose_node("virtual-1")
    await manual.do(manual.client.delete(PODS, "lone", namespace="test", grace_period_seconds=0))
    assert not (await manual.client.list(PODS, namespace="test")).items


def _on(node: str) -> Object:
    return {"nodeName": node, "containers": [{"name": "main", "image": "anything"}]}


def _stays(pod: Object) -> bool:
    return "deletionTimestamp" not in pod["metadata"]


async def test_others_reach_it_over_https(manual: Cluster) -> None:
    async with HttpClient.from_kubeconfig(manual.kubeconfig) as client:
        await client.create(DEPLOYMENTS, deployment(2))
        await manual.settled()
        made = await client.get(DEPLOYMENTS, "web", namespace="test")
    assert made["status"]["readyReplicas"] == 2


async def test_settled_waits_for_a_controller_that_watches_over_https(manual: Cluster) -> None:
    async with HttpClient.from_kubeconfig(manual.kubeconfig) as client:
        tasks: list[asyncio.Future[Object]] = []

        def label(kind: str, pod: Object, _: Object | None) -> None:
            if kind == "ADDED":
                patch = client.patch(
                    PODS, pod["metadata"]["name"], {"metadata": {"labels": {"seen": "yes"}}}, namespace="test"
                )
                tasks.append(asyncio.ensure_future(patch))  # noqa: TID251

        informer = client.informer(PODS, namespace="test")
        informer.add_handler(label)
        await informer.wait_synced()
        await manual.do(manual.client.create(DEPLOYMENTS, deployment(3)))
        labelled = [pod["metadata"]["labels"].get("seen") for pod in await pods(manual, "Running")]
        await asyncio.gather(*tasks)
    assert labelled == ["yes", "yes", "yes"]


async def test_the_real_clock_cannot_be_advanced(tmp_path: Path) -> None:
    async with cluster(clock="real", virtual_nodes=1, directory=tmp_path) as running:
        with pytest.raises(TypeError):
            await running.advance(seconds=1)


def test_the_fixtures_give_a_cluster_and_a_namespace(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import json, ssl, urllib.request\n"
        "def test_it(kubeling_cluster, kubeling_kubeconfig, kubeling_namespace):\n"
        "    assert kubeling_kubeconfig.exists()\n"
        "    nodes = kubeling_cluster.api.get('/api/v1/nodes')['items']\n"
        "    assert [node['metadata']['name'] for node in nodes] == ['virtual-0', 'virtual-1']\n"
        "    kubeling_cluster.api.get(f'/api/v1/namespaces/{kubeling_namespace}/serviceaccounts/default')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "--kubeling-virtual-nodes=2", "-p", "no:cacheprovider"]
    plugin = [] if _is_installed() else ["-p", "kubeling.testing.plugin"]
    done = subprocess.run(
        [*command, *plugin, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _is_installed() -> bool:
    from importlib.metadata import entry_points

    return any(each.value == "kubeling.testing.plugin" for each in entry_points(group="pytest11"))


def test_importing_it_is_cheap() -> None:
    script = "import sys, json, kubeling.testing.plugin; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = json.loads(done.stdout)
    assert not any(name.split(".")[0] in ("server", "runtime", "aiohttp") for name in modules)
