"""Claims of pods: what they are bound to, what keeps a pod waiting, and how local volumes are mounted."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.fake import FakeClient
from kubeling.objects.clock import FakeClock
from runtime.pods.environment.downward import PodFacts
from runtime.pods.identity import PodIdentity
from runtime.pods.paths import PodPaths
from runtime.tests.pod_node import PodNode, a_container, a_pod, pod_node
from runtime.volumes import mount
from runtime.volumes.claims import Claims
from runtime.volumes.errors import ClaimsNotReady, VolumeError
from runtime.volumes.payload import Contents
from runtime.volumes.volumes import Volumes

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
CLAIM = {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}


def a_claim(name: str = "data", *, phase: str = "Bound", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "default", "uid": "claim-uid", **metadata},
        "spec": {"volumeName": "pv-1"},
        "status": {"phase": phase},
    }


def a_volume(uid: str = "claim-uid", **spec: Any) -> dict[str, Any]:
    reference = {"namespace": "default", "name": "data", "uid": uid}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "pv-1"},
        "spec": {"claimRef": reference, **(spec or {"hostPath": {"path": "/data"}})},
    }


def node(**labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1", "labels": labels}}


def claims(*objects: dict[str, Any]) -> Claims:
    client = FakeClient(clock=FakeClock())
    for each in objects:
        client.put(each)
    return Claims(client, "node-1")


async def test_a_claim_is_replaced_by_its_volume() -> None:
    read_only = {"name": "v", "persistentVolumeClaim": {"claimName": "data", "readOnly": True}}
    found = await claims(a_claim(), a_volume()).resolve(a_pod(volumes=[read_only]))
    assert found["v"]["persistentVolume"]["spec"]["hostPath"] == {"path": "/data"}
    assert found["v"]["readOnly"] is True


ELSEWHERE = {
    "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}]
}


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ([], "error processing PVC default/data: failed to fetch PVC from API server"),
        ([a_claim(phase="Pending")], "error processing PVC default/data: PVC is not bound"),
        ([a_claim()], "error processing PVC default/data: failed to fetch PV pv-1 from API server"),
        ([a_claim(), a_volume(uid="other")], "does not point to claim.UID claim-uid"),
        (
            [a_claim(), a_volume(local={"path": "/x"}, nodeAffinity={"required": ELSEWHERE}), node(zone="a")],
            'MountVolume.NodeAffinity check failed for volume "pv-1" : no matching NodeSelectorTerms',
        ),
        (
            [a_claim(), a_volume(local={"path": "/x"}, volumeMode="Block")],
            "volume v has volumeMode Block, but is specified in volumeMounts",
        ),
    ],
    ids=["absent", "pending", "no-volume", "taken", "elsewhere", "block"],
)
async def test_what_keeps_a_pod_waiting(objects: list[dict[str, Any]], why: str) -> None:
    container = a_container(volumeMounts=[{"name": "v", "mountPath": "/v"}])
    with pytest.raises(ClaimsNotReady) as caught:
        await claims(*objects).resolve(a_pod(containers=[container], volumes=[CLAIM]))
    assert str(caught.value).startswith("Unable to attach or mount volumes: unmounted volumes=[v]")
    assert why in str(caught.value)


async def test_the_claim_of_an_ephemeral_volume_must_be_the_pods_own() -> None:
    pod = a_pod(volumes=[{"name": "v", "ephemeral": {"volumeClaimTemplate": {}}}])
    pod["metadata"]["uid"] = "pod-uid"
    with pytest.raises(ClaimsNotReady, match=r"PVC default/web-v was not created for pod default/web"):
        await claims(a_claim("web-v"), a_volume()).resolve(pod)
    owners = [{"kind": "Pod", "name": "web", "uid": "pod-uid", "controller": True}]
    found = await claims(a_claim("web-v", ownerReferences=owners), a_volume()).resolve(pod)
    assert found["v"]["persistentVolume"]["metadata"]["name"] == "pv-1"


async def test_a_pod_starts_when_its_claim_is_bound(tmp_path: Path) -> None:
    async with pod_node(tmp_path / "node") as made:
        made.client.put(a_claim(phase="Pending"))
        made.client.put(a_volume(hostPath={"path": str(tmp_path), "type": "Directory"}))
        container = a_container(volumeMounts=[{"name": "v", "mountPath": "/v"}])
        made.create(a_pod(containers=[container], volumes=[CLAIM]))
        await _said(made, "PVC is not bound")
        made.client.put(a_claim())
        await made.clock.advance(2.0)
        await made.running()
        [config] = made.runtime.configs.values()
        assert config.mounts[0].host_path == str(tmp_path)


async def _said(made: PodNode, text: str) -> None:
    for _ in range(50):
        if any(text in message for _, message in await made.events()):
            return
    raise AssertionError(await made.events())


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[PodPaths]:
    yield PodPaths(tmp_path / "node", PodIdentity("default", "web", "u"))
    mount.unmount_below(tmp_path)


def resolved(path: Path, *, read_only: bool = False, **spec: Any) -> dict[str, Any]:
    found = a_volume(local={"path": str(path)}, **spec)
    return {"name": "v", "persistentVolume": found, "readOnly": read_only}


async def set_up(paths: PodPaths, volume: dict[str, Any], **context: Any) -> Path:
    volumes = Volumes(FakeClock())
    pod = a_pod(volumes=[volume], securityContext=context)
    await volumes.set_up(pod, paths, Contents({}, PodFacts()))
    await volumes.set_up(pod, paths, Contents({}, PodFacts()))
    return volumes.host_path(paths, volume)


@needs_root
async def test_a_local_directory_is_bound_and_outlives_the_pod(paths: PodPaths, tmp_path: Path) -> None:
    source = tmp_path / "disk"
    source.mkdir()
    (source / "file").write_text("x")
    place = await set_up(paths, resolved(source), fsGroup=4321)
    assert place == paths.directory / "volumes" / "kubernetes.io~local-volume" / "pv-1"
    assert (place / "file").read_text() == "x"
    assert (source / "file").stat().st_gid == 4321
    await Volumes(FakeClock()).tear_down(paths)
    assert not place.exists()
    assert (source / "file").read_text() == "x"


@needs_root
async def test_a_claim_can_be_read_only(paths: PodPaths, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    place = await set_up(paths, resolved(tmp_path / "disk", read_only=True), fsGroup=4321)
    with pytest.raises(OSError, match="Read-only file system"):
        (place / "file").touch()
    assert (tmp_path / "disk").stat().st_gid != 4321


@needs_root
async def test_a_volume_that_another_pod_uses_keeps_its_group(paths: PodPaths, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    await set_up(paths, resolved(tmp_path / "disk"), fsGroup=4321)
    other = PodPaths(paths.root, PodIdentity("default", "other", "o"))
    pod = a_pod(volumes=[resolved(tmp_path / "disk")], securityContext={"fsGroup": 99})
    told = await Volumes(FakeClock()).set_up(pod, other, Contents({}, PodFacts()))
    assert [each.message for each in told] == [
        "The requested fsGroup is 99, but the volume pv-1 has GID 4321. The volume may not be shareable."
    ]
    assert (tmp_path / "disk").stat().st_gid == 4321


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (
            {"local": {"path": "/no/such/path"}},
            'NewMounter initialization failed for volume "pv-1" : path "/no/such/path" does not exist',
        ),
        ({"local": {"path": "/dev/null"}}, "only directory and block device are supported"),
        ({"local": {"path": "/tmp"}, "volumeMode": "Block"}, "/tmp is not a block device"),
        ({"nfs": {"server": "s", "path": "/"}}, "this node does not mount volumes of kind nfs"),
    ],
    ids=["missing", "file", "no-device", "nfs"],
)
async def test_volumes_that_cannot_be_mounted(paths: PodPaths, spec: dict[str, Any], why: str) -> None:
    volume = {"name": "v", "persistentVolume": a_volume(**spec), "readOnly": False}
    with pytest.raises(VolumeError) as caught:
        await set_up(paths, volume)
    assert why in str(caught.value)


async def test_a_kind_of_volume_that_the_node_does_not_know(paths: PodPaths) -> None:
    with pytest.raises(VolumeError, match="this node does not mount volumes of kind csi"):
        await set_up(paths, {"name": "v", "csi": {"driver": "example.com"}})
