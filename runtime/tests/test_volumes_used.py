"""Only what a container has is set up: the other volumes of a pod are neither made nor missed."""

import copy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from runtime.pods.used_volumes import only_used, used_volumes
from runtime.tests.pod_node import PodNode, a_container, a_pod, pod_node
from runtime.volumes import mount

LACKING = {"name": "lacking", "configMap": {"name": "nobody-made-it"}}
SCRATCH = {"name": "scratch", "emptyDir": {}}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[PodNode]:
    async with pod_node(tmp_path) as made:
        yield made
    mount.unmount_below(tmp_path)


def mounting(*names: str, container: str = "main") -> dict[str, Any]:
    mounts = [{"name": each, "mountPath": f"/{each}"} for each in names]
    return a_container(container, volumeMounts=mounts)


def made(node: PodNode) -> set[str]:
    """The names of the volumes that have a directory."""
    uid = (node.pod() or {})["metadata"]["uid"]
    return {each.name for each in (node.root / "pods" / uid / "volumes").glob("*/*")}


def test_mounts_devices_and_files_of_variables_count_in_containers_of_all_kinds() -> None:
    volumes = [{"name": each} for each in ("mounted", "device", "file", "asked", "other")]
    read = {"name": "V", "valueFrom": {"fileKeyRef": {"volumeName": "file", "path": "f", "key": "k"}}}
    spec = {
        "volumes": volumes,
        "initContainers": [mounting("mounted", container="first")],
        "containers": [a_container(volumeDevices=[{"name": "device", "devicePath": "/d"}], env=[read])],
        "ephemeralContainers": [mounting("asked", container="late")],
    }
    assert used_volumes({"spec": spec}) == volumes[:4]
    assert only_used({"spec": spec})["spec"]["volumes"] == volumes[:4]


async def test_a_volume_that_no_container_has_is_not_missed(node: PodNode) -> None:
    node.create(a_pod(containers=[mounting("scratch")], volumes=[LACKING, SCRATCH]))
    await node.running()
    assert made(node) == {"scratch"}


async def test_an_ephemeral_container_brings_the_volume_that_it_mounts(node: PodNode) -> None:
    node.create(a_pod(containers=[mounting()], volumes=[SCRATCH]))
    await node.running()
    assert made(node) == set()
    pod = copy.deepcopy(node.pod()) or {}
    pod["spec"]["ephemeralContainers"] = [mounting("scratch", container="late")]
    node.client.put(pod)
    await node.until(
        lambda: node.status().get("ephemeralContainerStatuses", [{}])[0].get("state", {}).get("running")
    )
    assert made(node) == {"scratch"}
