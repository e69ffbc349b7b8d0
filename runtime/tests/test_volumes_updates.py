"""Files of volumes follow their objects while the pod runs."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.resources import CONFIGMAPS
from runtime.tests.pod_node import PodNode, a_pod, pod_node
from runtime.volumes import mount

SETTINGS = {"name": "settings", "configMap": {"name": "settings"}}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[PodNode]:
    async with pod_node(tmp_path) as made:
        yield made
    mount.unmount_below(tmp_path)


def config_map(name: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def files(node: PodNode, plugin: str = "configmap", volume: str = "settings") -> dict[str, str]:
    uid = (node.pod() or {})["metadata"]["uid"]
    directory = node.root / "pods" / uid / "volumes" / f"kubernetes.io~{plugin}" / volume
    names = [each for each in directory.glob("*") if not each.name.startswith("..")]
    try:
        return {each.name: each.read_text() for each in names}
    except FileNotFoundError:
        return {"": "just being changed"}


async def test_a_change_arrives(node: PodNode) -> None:
    node.client.put(config_map("settings", one="1"))
    node.create(a_pod(volumes=[SETTINGS]))
    await node.running()
    assert files(node) == {"one": "1"}
    node.client.put(config_map("settings", one="2", more="3"))
    await node.until(lambda: files(node) == {"one": "2", "more": "3"})


async def test_what_is_optional_goes_and_comes_back(node: PodNode) -> None:
    node.client.put(config_map("settings", one="1"))
    node.create(a_pod(volumes=[{"name": "settings", "configMap": {"name": "settings", "optional": True}}]))
    await node.running()
    await node.client.delete(CONFIGMAPS, "settings", namespace="default")
    await node.until(lambda: files(node) == {})
    node.client.put(config_map("settings", one="2"))
    await node.until(lambda: files(node) == {"one": "2"})


async def test_what_is_needed_and_goes_keeps_its_files_and_holds_no_other_up(node: PodNode) -> None:
    other = {"name": "other", "configMap": {"name": "other"}}
    node.client.put(config_map("settings", one="1"))
    node.client.put(config_map("other", one="1"))
    node.create(a_pod(volumes=[SETTINGS, other]))
    await node.running()
    await node.client.delete(CONFIGMAPS, "settings", namespace="default")
    node.client.put(config_map("other", one="2"))
    await node.until(lambda: files(node, volume="other") == {"one": "2"})
    worker = node.agent.worker("default", "web")
    assert worker is not None
    await node.until(lambda: worker.work.volume_failures)
    assert files(node) == {"one": "1"}
    why = 'MountVolume.SetUp failed for volume "settings" : configmap "settings" not found'
    assert ("FailedMount", why) in await node.events()
    node.client.put(config_map("settings", one="2"))
    await node.until(lambda: files(node) == {"one": "2"})


async def test_a_refresh_that_failed_is_tried_again(node: PodNode) -> None:
    node.client.put(config_map("settings", one="1"))
    node.create(a_pod(volumes=[SETTINGS]))
    await node.running()
    worker = node.agent.worker("default", "web")
    assert worker is not None
    data = worker.work.paths.volume("configmap", "settings")
    data.rename(data.with_name("aside"))
    data.symlink_to("/dev/null")
    node.client.put(config_map("settings", one="2"))
    await node.until(lambda: worker.work.volume_failures)
    data.unlink()
    await node.clock.advance(1.0)
    await node.until(lambda: files(node) == {"one": "2"})


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
async def test_changed_labels_arrive(node: PodNode) -> None:
    items = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    node.create(a_pod(volumes=[{"name": "info", "downwardAPI": {"items": items}}]))
    await node.running()
    assert files(node, "downward-api", "info") == {"labels": 'app="web"'}
    pod = node.pod()
    assert pod is not None
    pod["metadata"]["labels"] = {"app": "other"}
    node.client.put(pod)
    await node.until(lambda: files(node, "downward-api", "info") == {"labels": 'app="other"'})
