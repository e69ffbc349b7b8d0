"""Static pods: what a manifest becomes, and their life with mirrors in the API."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.errors import ConnectionLost
from kubeling.client.resources import PODS
from kubeling.objects.meta import Object
from runtime.pods.status.pod import Verdict
from runtime.static.manifest import ManifestError, static_pod
from runtime.tests.pod_node import PodNode, a_container, pod_node

NAME = "web-node-1"


def manifest(**more: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "main", "image": "app:1"}], **more},
    }


def made(document: Any) -> Object:
    return static_pod(document, file="/m/web.yaml", node="node-1")


def test_a_manifest_becomes_a_pod_of_the_node() -> None:
    pod = made(manifest())
    found = pod["metadata"]
    assert (found["name"], found["namespace"], pod["spec"]["nodeName"]) == (NAME, "default", "node-1")
    assert found["annotations"]["kubernetes.io/config.hash"] == found["uid"]
    assert found["annotations"]["kubernetes.io/config.source"] == "file"
    assert pod["spec"]["tolerations"] == [{"operator": "Exists", "effect": "NoExecute"}]
    assert pod["spec"]["terminationGracePeriodSeconds"] == 30
    assert pod["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_the_uid_follows_the_manifest_the_file_and_the_node() -> None:
    uids = [
        made(manifest()),
        static_pod(manifest(), file="/m/other.yaml", node="node-1"),
        static_pod(manifest(), file="/m/web.yaml", node="node-2"),
        made(manifest(restartPolicy="Never")),
    ]
    assert len({each["metadata"]["uid"] for each in uids}) == 4
    assert made(manifest())["metadata"]["uid"] == uids[0]["metadata"]["uid"]
    assert made({**manifest(), "metadata": {"name": "web", "uid": "mine"}})["metadata"]["uid"] == "mine"


@pytest.mark.parametrize(
    ("spec", "resource"),
    [
        ({"serviceAccountName": "me"}, "serviceaccounts"),
        ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, "secrets"),
        ({"volumes": [{"name": "v", "configMap": {"name": "c"}}]}, "configmaps"),
        ({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}, "persistentvolumeclaims"),
        ({"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}]}}]}, "secrets"),
        ({"containers": [a_container(envFrom=[{"configMapRef": {"name": "c"}}])]}, "configmaps"),
        (
            {
                "containers": [
                    a_container(env=[{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}])
                ]
            },
            "secrets",
        ),
    ],
    ids=["account", "secret", "map", "claim", "projected", "envFrom", "env"],
)
def test_a_static_pod_refers_to_nothing_of_the_api(spec: Object, resource: str) -> None:
    with pytest.raises(ManifestError, match=f"static pods may not reference {resource}"):
        made(manifest(**spec))


@pytest.mark.parametrize("document", [None, [], {"kind": "Pod"}, {**manifest(), "kind": "Job"}], ids=str)
def test_what_is_no_pod_is_refused(document: Any) -> None:
    with pytest.raises(ManifestError):
        made(document)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "manifests"
    made.mkdir()
    return made


@pytest.fixture
async def node(tmp_path: Path, folder: Path) -> AsyncIterator[PodNode]:
    async with pod_node(tmp_path, manifests=folder) as node:
        node.client.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}})
        yield node


def write(folder: Path, document: Object, name: str = "web.yaml") -> None:
    (folder / name).write_text(json.dumps(document))


async def begun(node: PodNode) -> None:
    """Let the folder be read again; time passes for that."""
    for _ in range(3):
        await node.events()
        await node.clock.advance(0.2)


async def test_a_file_starts_a_pod_with_a_mirror(node: PodNode, folder: Path) -> None:
    write(folder, manifest())
    await begun(node)
    await node.until(lambda: node.status(NAME).get("phase") == "Running")
    mirror = node.pod(NAME) or {}
    notes, (owner,) = mirror["metadata"]["annotations"], mirror["metadata"]["ownerReferences"]
    assert notes["kubernetes.io/config.mirror"] == notes["kubernetes.io/config.hash"]
    assert notes["kubernetes.io/config.seen"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Node", "node-1", True)
    assert mirror["metadata"]["uid"] != notes["kubernetes.io/config.hash"]
    assert node.container(pod=NAME)["ready"] is True


async def test_a_mirror_that_is_deleted_comes_again_and_the_pod_stays(node: PodNode, folder: Path) -> None:
    write(folder, manifest())
    await begun(node)
    await node.until(lambda: node.status(NAME).get("phase") == "Running")
    first = (node.pod(NAME) or {})["metadata"]["uid"]
    container = node.container(pod=NAME)["containerID"]
    await node.client.delete(PODS, NAME, namespace="default")
    await node.until(lambda: (node.pod(NAME) or {}).get("metadata", {}).get("uid") not in (None, first))
    await node.until(lambda: node.status(NAME).get("phase") == "Running")
    assert node.container(pod=NAME)["containerID"] == container
    assert "stop_container" not in node.runtime.verbs()


async def test_a_changed_file_replaces_the_pod_when_the_old_one_has_ended(
    node: PodNode, folder: Path
) -> None:
    node.runtime.stubborn.add("main")
    write(folder, manifest(terminationGracePeriodSeconds=5))
    await begun(node)
    await node.until(lambda: node.status(NAME).get("phase") == "Running")
    write(folder, manifest(hostname="other"))
    await begun(node)
    await node.until(lambda: "stop_container" in node.runtime.verbs())
    assert len(node.runtime.named("main")) == 1
    await node.clock.advance(5)
    await node.until(lambda: (node.pod(NAME) or {}).get("spec", {}).get("hostname") == "other")
    await node.until(lambda: node.status(NAME).get("phase") == "Running")
    assert node.runtime.running("main")


async def test_a_file_that_goes_takes_its_pod_and_mirror(node: PodNode, folder: Path) -> None:
    write(folder, manifest())
    await begun(node)
    await node.until(lambda: node.status(NAME).get("phase") == "Running")
    (folder / "web.yaml").unlink()
    await begun(node)
    await node.until(lambda: node.pod(NAME) is None)
    assert not node.runtime.sandboxes


async def test_files_are_followed_while_the_api_is_away(node: PodNode, folder: Path) -> None:
    node.client.fail("create", ConnectionLost("away"), times=8)
    write(folder, manifest())
    await begun(node)
    await node.until(lambda: node.runtime.running("main"))
    for _ in range(10):
        await node.clock.advance(10)
    await node.until(lambda: node.status(NAME).get("phase") == "Running")


async def test_what_cannot_be_read_leaves_the_others_be(node: PodNode, folder: Path) -> None:
    (folder / "broken.yaml").write_text("{")
    write(folder, manifest(), ".hidden.yaml")
    two = f"{json.dumps(manifest())}\n---\n{json.dumps({**manifest(), 'metadata': {'name': 'two'}})}"
    (folder / "good.yaml").write_text(two)
    await begun(node)
    await node.until(lambda: node.status(NAME).get("phase") == "Running")
    await node.until(lambda: node.status("two-node-1").get("phase") == "Running")


async def test_an_agent_that_starts_again_finds_its_static_pods(tmp_path: Path, folder: Path) -> None:
    write(folder, manifest())
    async with pod_node(tmp_path, manifests=folder) as first:
        first.client.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}})
        await first.until(lambda: first.status(NAME).get("phase") == "Running")
        before = first.pod(NAME)
    first.runtime.calls.clear()
    async with pod_node(tmp_path, client=first.client, runtime=first.runtime, manifests=folder) as second:
        await second.until(lambda: "container_status" in second.runtime.verbs())
        await second.events()
        assert not second.runtime.verbs("create_container", "stop_container", "run_pod_sandbox")
        assert second.pod(NAME) == before


async def test_a_pod_whose_file_went_while_the_agent_was_away_goes_too(tmp_path: Path, folder: Path) -> None:
    write(folder, manifest())
    async with pod_node(tmp_path, manifests=folder) as first:
        first.client.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}})
        await first.until(lambda: first.status(NAME).get("phase") == "Running")
    (folder / "web.yaml").unlink()
    async with pod_node(tmp_path, client=first.client, runtime=first.runtime, manifests=folder) as second:
        await second.until(lambda: second.pod(NAME) is None and not second.runtime.sandboxes)


@pytest.mark.parametrize(("policy", "phase"), [("Always", "Running"), ("Never", "Failed")])
async def test_a_static_pod_that_the_nodes_end_has_failed_begins_anew(
    tmp_path: Path, folder: Path, policy: str, phase: str
) -> None:
    write(folder, manifest(restartPolicy=policy))
    async with pod_node(tmp_path, manifests=folder) as first:
        first.client.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}})
        await first.until(lambda: first.status(NAME).get("phase") == "Running")
        first.agent.workers[0].condemn(Verdict("Terminated", "the node goes"))
        first.runtime.exit("main", 1)
        await first.until(lambda: first.status(NAME).get("phase") == "Failed")
    async with pod_node(tmp_path, client=first.client, runtime=first.runtime, manifests=folder) as second:
        await second.until(lambda: second.agent.workers)
        await second.events()
        await second.clock.advance(60)
        await second.until(lambda: second.status(NAME).get("phase") == phase)
        assert second.runtime.running("main") is (policy == "Always")


async def test_a_manifest_may_change_under_the_uid_that_it_names(node: PodNode, folder: Path) -> None:
    named = {"name": "web", "uid": "mine"}
    write(folder, {**manifest(), "metadata": named})
    await begun(node)
    await node.until(lambda: node.status(NAME).get("phase") == "Running")
    write(folder, {**manifest(hostname="other"), "metadata": named})
    await begun(node)
    await node.until(lambda: (node.pod(NAME) or {}).get("spec", {}).get("hostname") == "other")
    await node.until(lambda: node.status(NAME).get("phase") == "Running")
