"""Claims and volumes find each other, stay together and part; claims come with pods."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeling.client.resources import (
    EVENTS,
    NAMESPACES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    STORAGE_CLASSES,
)
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.tests.plane import Plane, started_plane

CLAIMS, VOLUMES = PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path) as plane:
        await plane.create(NAMESPACES, {"metadata": {"name": "default"}})  # events of volumes are there
        yield plane


async def add_volume(plane: Plane, name: str = "v", size: str = "1Gi", **spec: object) -> None:
    full = {
        "capacity": {"storage": size},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/tmp/nowhere/at/all"},
        **spec,
    }
    await plane.create(VOLUMES, {"metadata": {"name": name, "labels": {"name": name}}, "spec": full})


async def add_claim(plane: Plane, name: str = "c", size: str = "1Gi", **spec: object) -> None:
    requests = {"resources": {"requests": {"storage": size}}, "accessModes": ["ReadWriteOnce"]}
    await plane.create(CLAIMS, {"metadata": {"name": name}, "spec": {**requests, **spec}})


async def add_class(plane: Plane, name: str = "k", *, default: bool = False, **fields: object) -> None:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    metadata = {"name": name, "annotations": annotations}
    await plane.create(STORAGE_CLASSES, {"metadata": metadata, "provisioner": "example.com/p", **fields})


def claim(plane: Plane, name: str = "c") -> Object:
    return plane.get(CLAIMS, name) or {}


def volume(plane: Plane, name: str = "v") -> Object:
    return plane.get(VOLUMES, name) or {}


def phases(plane: Plane) -> tuple[str, str]:
    return claim(plane)["status"]["phase"], volume(plane)["status"]["phase"]


def events(plane: Plane, name: str = "c") -> list[tuple[str, str]]:
    found = plane.list(EVENTS) + plane.list(EVENTS, namespace="default")
    return [(each["reason"], each["message"]) for each in found if each["involvedObject"]["name"] == name]


async def test_a_claim_and_a_volume_are_bound_both_ways(plane: Plane) -> None:
    await add_volume(plane)
    assert volume(plane)["status"]["phase"] == "Available"
    await add_claim(plane)
    assert phases(plane) == ("Bound", "Bound")
    assert claim(plane)["spec"]["volumeName"] == "v"
    assert claim(plane)["status"] == {
        "phase": "Bound",
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
    }
    assert meta.annotations(claim(plane)) == {
        "pv.kubernetes.io/bind-completed": "yes",
        "pv.kubernetes.io/bound-by-controller": "yes",
    }
    reference = volume(plane)["spec"]["claimRef"]
    assert (reference["namespace"], reference["name"]) == ("ns", "c")
    assert reference["uid"] == meta.uid(claim(plane))
    assert meta.annotations(volume(plane)) == {"pv.kubernetes.io/bound-by-controller": "yes"}


async def test_a_claim_waits_for_a_volume_and_says_so(plane: Plane) -> None:
    await add_claim(plane)
    why = "no persistent volumes available for this claim and no storage class is set"
    assert events(plane) == [("FailedBinding", why)]
    assert claim(plane)["status"] == {"phase": "Pending"}
    await add_volume(plane)
    assert phases(plane) == ("Bound", "Bound")


async def test_the_smallest_volume_that_suffices_is_taken(plane: Plane) -> None:
    await add_volume(plane, "small", "1Gi")
    await add_volume(plane, "large", "5Gi")
    await add_volume(plane, "medium", "3Gi")
    await add_volume(plane, "many", "2Gi", accessModes=["ReadWriteOnce", "ReadWriteMany"])
    await add_volume(plane, "block", "2Gi", volumeMode="Block")
    await add_volume(plane, "classed", "2Gi", storageClassName="k")
    await add_claim(plane, size="2Gi")
    assert claim(plane)["spec"]["volumeName"] == "medium"
    await add_claim(plane, "d", accessModes=["ReadWriteMany"])
    assert claim(plane, "d")["spec"]["volumeName"] == "many"
    await add_claim(plane, "e", storageClassName="k")
    assert claim(plane, "e")["spec"]["volumeName"] == "classed"


async def test_a_claim_may_select(plane: Plane) -> None:
    await add_volume(plane, "a")
    await add_volume(plane, "b", "9Gi")
    await add_claim(plane, selector={"matchLabels": {"name": "b"}})
    assert claim(plane)["spec"]["volumeName"] == "b"


async def test_a_volume_may_be_reserved(plane: Plane) -> None:
    await add_volume(plane, "b", "9Gi", claimRef={"namespace": "ns", "name": "c"})
    assert volume(plane, "b")["status"]["phase"] == "Available"
    await add_volume(plane, "a")
    await add_claim(plane)
    assert claim(plane)["spec"]["volumeName"] == "b"
    assert "pv.kubernetes.io/bound-by-controller" not in meta.annotations(volume(plane, "b"))


async def test_a_claim_may_ask_for_one_volume(plane: Plane) -> None:
    await add_claim(plane, volumeName="v")
    await add_volume(plane)
    assert phases(plane) == ("Bound", "Bound")
    assert "pv.kubernetes.io/bound-by-controller" not in meta.annotations(claim(plane))
    await add_claim(plane, "d", volumeName="v")
    assert ("FailedBinding", 'volume "v" already bound to a different claim.') in events(plane, "d")
    await add_volume(plane, "tiny", "1Mi")
    await add_claim(plane, "e", volumeName="tiny")
    why = 'Cannot bind to requested volume "tiny": requested PV is too small'
    assert ("VolumeMismatch", why) in events(plane, "e")
    assert claim(plane, "e")["status"]["phase"] == "Pending"


async def test_a_claim_waits_for_its_first_consumer(plane: Plane) -> None:
    await add_class(plane, volumeBindingMode="WaitForFirstConsumer")
    await add_volume(plane, storageClassName="k")
    await add_claim(plane, storageClassName="k")
    why = "waiting for first consumer to be created before binding"
    assert events(plane) == [("WaitForFirstConsumer", why)]
    assert phases(plane) == ("Pending", "Available")
    reserved = {"namespace": "ns", "name": "c", "uid": meta.uid(claim(plane))}
    await plane.patch(VOLUMES, "v", {"spec": {"claimRef": reserved}})
    assert phases(plane) == ("Bound", "Bound")


async def test_a_local_volume_is_bound_where_its_pod_goes(tmp_path: Path) -> None:
    async with started_plane(tmp_path, scheduler=True) as plane:
        await plane.add_node("a")
        await plane.add_node("b")
        await add_class(
            plane, provisioner="kubernetes.io/no-provisioner", volumeBindingMode="WaitForFirstConsumer"
        )
        here = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["b"]}
        affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}}
        await add_volume(
            plane, storageClassName="k", nodeAffinity=affinity, hostPath=None, local={"path": "/mnt/d"}
        )
        await add_claim(plane, storageClassName="k")
        assert phases(plane) == ("Pending", "Available")
        volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
        spec = {"containers": [{"name": "c", "image": "i"}], "volumes": volumes}
        await plane.create(PODS, {"metadata": {"name": "p"}, "spec": spec})
        assert phases(plane) == ("Bound", "Bound")
        assert (plane.get(PODS, "p") or {})["spec"]["nodeName"] == "b"


async def test_a_provisioner_is_told_of_a_claim(plane: Plane) -> None:
    await add_claim(plane, storageClassName="k")
    assert events(plane) == [("ProvisioningFailed", 'storageclass.storage.k8s.io "k" not found')]
    await add_class(plane)
    annotations = meta.annotations(claim(plane))
    assert annotations["volume.kubernetes.io/storage-provisioner"] == "example.com/p"
    assert annotations["volume.beta.kubernetes.io/storage-provisioner"] == "example.com/p"
    assert "ExternalProvisioning" in [reason for reason, _ in events(plane)]
    made = {"namespace": "ns", "name": "c", "uid": meta.uid(claim(plane))}
    await add_volume(plane, storageClassName="k", claimRef=made)
    assert phases(plane) == ("Bound", "Bound")


async def test_a_provisioner_is_told_when_the_consumer_has_a_node(plane: Plane) -> None:
    await add_class(plane, volumeBindingMode="WaitForFirstConsumer")
    await add_claim(plane, storageClassName="k")
    chosen = {"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "n"}}}
    await plane.patch(CLAIMS, "c", chosen)
    assert "ExternalProvisioning" in [reason for reason, _ in events(plane)]


async def test_a_claim_gets_the_default_class_later(plane: Plane) -> None:
    await add_claim(plane)
    await add_claim(plane, "none", storageClassName="")
    await add_class(plane, default=True)
    assert claim(plane)["spec"]["storageClassName"] == "k"
    assert claim(plane, "none")["spec"]["storageClassName"] == ""


async def test_a_volume_is_released_and_kept(plane: Plane) -> None:
    await add_volume(plane)
    await add_claim(plane)
    since = volume(plane)["status"]["lastPhaseTransitionTime"]
    await plane.advance(5)
    await plane.client.delete(CLAIMS, "c", namespace="ns")
    await plane.settle()
    assert volume(plane)["status"]["phase"] == "Released"
    assert volume(plane)["status"]["lastPhaseTransitionTime"] > since
    await plane.patch(VOLUMES, "v", {"spec": {"claimRef": None}})
    assert volume(plane)["status"]["phase"] == "Available"


async def test_what_others_say_of_a_volume_stays(plane: Plane) -> None:
    await add_volume(plane)
    said = {"message": "StatusPatched", "reason": "E2E"}
    await plane.patch(VOLUMES, "v", {"status": said}, subresource="status")
    await plane.patch(VOLUMES, "v", {"metadata": {"labels": {"more": "yes"}}})
    status = volume(plane)["status"]
    assert (status["phase"], status["message"], status["reason"]) == ("Available", "StatusPatched", "E2E")


async def test_a_directory_is_deleted_with_its_volume(plane: Plane, tmp_path: Path) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    await add_volume(
        plane, persistentVolumeReclaimPolicy="Delete", hostPath={"path": str(directory), "type": ""}
    )
    await add_claim(plane)
    await plane.client.delete(CLAIMS, "c", namespace="ns")
    await plane.settle()
    while plane.get(VOLUMES, "v") is not None and str(directory).startswith("/tmp/"):
        await plane.settle()
    assert not directory.exists()


async def test_what_nobody_can_delete_fails(plane: Plane) -> None:
    nfs = {"server": "s", "path": "/p"}
    await add_volume(plane, persistentVolumeReclaimPolicy="Delete", hostPath=None, nfs=nfs)
    await add_claim(plane)
    await plane.client.delete(CLAIMS, "c", namespace="ns")
    await plane.settle()
    assert volume(plane)["status"]["phase"] == "Failed"
    ((reason, message),) = events(plane, "v")
    assert reason == "VolumeFailedDelete"
    assert message.endswith("no deletable volume plugin matched")


async def test_the_volumes_of_provisioners_are_theirs_to_delete(plane: Plane) -> None:
    await add_volume(plane, persistentVolumeReclaimPolicy="Delete")
    by = {"metadata": {"annotations": {"pv.kubernetes.io/provisioned-by": "example.com/p"}}}
    await plane.patch(VOLUMES, "v", by)
    await add_claim(plane)
    await plane.client.delete(CLAIMS, "c", namespace="ns")
    await plane.settle()
    assert volume(plane)["status"]["phase"] == "Released"


async def test_a_volume_is_emptied_by_a_pod(plane: Plane) -> None:
    await plane.add_node()
    await add_volume(plane, persistentVolumeReclaimPolicy="Recycle")
    await add_claim(plane)
    await plane.client.delete(CLAIMS, "c", namespace="ns")
    await plane.settle()
    assert volume(plane)["status"]["phase"] == "Released"
    assert plane.get(PODS, "recycler-for-v", namespace="default")
    status = {"status": {"phase": "Succeeded"}}
    await plane.patch(PODS, "recycler-for-v", status, namespace="default", subresource="status")
    assert volume(plane)["status"]["phase"] == "Available"
    assert "claimRef" not in volume(plane)["spec"]


async def test_a_claim_that_loses_its_volume_is_lost(plane: Plane) -> None:
    await add_volume(plane)
    await add_claim(plane)
    await plane.patch(VOLUMES, "v", {"metadata": {"finalizers": None}})
    await plane.client.delete(VOLUMES, "v")
    await plane.settle()
    assert claim(plane)["status"]["phase"] == "Lost"
    message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
    assert ("ClaimLost", message) in events(plane)


async def test_a_bound_volume_stays_until_its_claim_has_gone(plane: Plane) -> None:
    await add_volume(plane)
    await add_claim(plane)
    await plane.client.delete(VOLUMES, "v")
    await plane.settle()
    assert phases(plane) == ("Bound", "Bound")
    await plane.client.delete(CLAIMS, "c", namespace="ns")
    await plane.settle()
    assert plane.get(VOLUMES, "v") is None


def pod_with_a_claim_of_its_own() -> Object:
    template = {
        "metadata": {"labels": {"l": "v"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    spec = {
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}],
    }
    return {"metadata": {"name": "p"}, "spec": spec}


async def test_a_claim_comes_with_its_pod(plane: Plane) -> None:
    await plane.create(PODS, pod_with_a_claim_of_its_own())
    found = claim(plane, "p-scratch")
    owner = meta.controller_of(found) or {}
    assert (owner["kind"], owner["name"], owner["blockOwnerDeletion"]) == ("Pod", "p", True)
    assert meta.labels(found) == {"l": "v"}


async def test_another_claim_of_the_name_is_not_taken(plane: Plane) -> None:
    await add_claim(plane, "p-scratch")
    await plane.create(PODS, pod_with_a_claim_of_its_own())
    why = "ephemeral volume scratch: PVC ns/p-scratch was not created for pod ns/p (pod is not owner)"
    assert ("FailedBinding", why) in events(plane, "p")
