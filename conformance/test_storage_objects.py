"""The objects of storage.k8s.io: each from its creation to its end, as clients of drivers use them."""

from collections.abc import Iterator
from copy import deepcopy

import pytest

from conformance import pods
from conformance.rest import JSON_PATCH, STRATEGIC, Object
from conformance.space import Space
from conformance.waiting import eventually

GROUP = "/apis/storage.k8s.io/v1"
KINDS: dict[str, Object] = {
    "csidrivers": {"kind": "CSIDriver", "spec": {"attachRequired": False, "podInfoOnMount": True}},
    "csinodes": {
        "kind": "CSINode",
        "spec": {"drivers": [{"name": "e2e.example.com", "nodeID": "n", "topologyKeys": []}]},
    },
    "csistoragecapacities": {"kind": "CSIStorageCapacity", "storageClassName": "slow", "capacity": "10Gi"},
    "storageclasses": {"kind": "StorageClass", "provisioner": "e2e-fake-provisioner"},
    "volumeattachments": {
        "kind": "VolumeAttachment",
        "spec": {"attacher": "e2e.example.com", "nodeName": "n", "source": {"persistentVolumeName": "v"}},
    },
    "volumeattributesclasses": {
        "kind": "VolumeAttributesClass",
        "driverName": "e2e.example.com",
        "parameters": {"iops": "1"},
    },
}
DEFAULTS: dict[str, Object] = {
    "csidrivers": {"fsGroupPolicy": "ReadWriteOnceWithFSType", "volumeLifecycleModes": ["Persistent"]},
    "storageclasses": {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
}


def place(space: Space, resource: str) -> str:
    if resource == "csistoragecapacities":
        return space.path(resource, group="apis/storage.k8s.io/v1")
    return f"{GROUP}/{resource}"


def an_object(space: Space, resource: str) -> Object:
    metadata = {"generateName": "e2e-", "labels": {"space": space.name}}
    return {"apiVersion": "storage.k8s.io/v1", **deepcopy(KINDS[resource]), "metadata": metadata}


@pytest.fixture
def label(virtual_space: Space) -> Iterator[str]:
    """Of the test's own objects, which are removed at the end."""
    yield f"space={virtual_space.name}"
    for resource in KINDS:
        virtual_space.rest.delete(place(virtual_space, resource), labelSelector=f"space={virtual_space.name}")


@pytest.mark.parametrize("resource", KINDS)
def test_a_life(virtual_space: Space, label: str, resource: str) -> None:
    rest, path = virtual_space.rest, place(virtual_space, resource)
    made = [rest.post(path, an_object(virtual_space, resource)) for _ in range(2)]
    one = f"{path}/{made[0]['metadata']['name']}"
    assert rest.get(one)["metadata"]["uid"] == made[0]["metadata"]["uid"]
    shown = {**made[0], **made[0].get("spec", {})}
    assert {field: shown[field] for field in DEFAULTS.get(resource, {})} == DEFAULTS.get(resource, {})
    assert len(rest.get(path, labelSelector=label)["items"]) == 2
    patch = {"metadata": {"labels": {"patched": "yes"}}}
    patched = rest.patch(one, patch, content_type=STRATEGIC)
    assert patched["metadata"]["labels"]["patched"] == "yes"
    patched["metadata"]["annotations"] = {"updated": "yes"}
    assert rest.put(one, patched)["metadata"]["annotations"] == {"updated": "yes"}
    since = {"labelSelector": label, "resourceVersion": made[0]["metadata"]["resourceVersion"]}
    with rest.watch(path, timeout=30, **since) as events:
        assert [next(events)["type"] for _ in range(3)] == ["ADDED", "MODIFIED", "MODIFIED"]
    rest.delete(one)
    rest.gone(one)
    rest.delete(path, labelSelector=label)
    eventually(lambda: rest.get(path, labelSelector=label)["items"] == [], what="none is left")


def test_the_status_of_an_attachment(virtual_space: Space, label: str) -> None:
    """It has a subresource of its own, which changes nothing else."""
    rest, path = virtual_space.rest, place(virtual_space, "volumeattachments")
    made = rest.post(path, an_object(virtual_space, "volumeattachments"))
    one = f"{path}/{made['metadata']['name']}"
    assert made["status"] == {"attached": False}
    attached = [{"op": "add", "path": "/status", "value": {"attached": True}}]
    assert rest.patch(f"{one}/status", attached, content_type=JSON_PATCH)["status"]["attached"] is True
    whole = rest.get(f"{one}/status")
    whole["status"] |= {"attachmentMetadata": {"where": "there"}, "attachError": {"message": "none"}}
    whole["metadata"]["labels"]["later"] = "no"
    assert rest.put(f"{one}/status", whole)["status"]["attachmentMetadata"] == {"where": "there"}
    assert rest.get(one)["status"]["attached"] is True


def test_a_pod_with_an_inline_volume_of_a_driver(virtual_space: Space) -> None:
    source = {"driver": "e2e.example.com", "readOnly": True, "volumeAttributes": {"a": "b"}}
    main = pods.container("none:1", volumeMounts=[{"name": "v", "mountPath": "/v"}])
    made = virtual_space.create(pods.pod("inline", main, volumes=[{"name": "v", "csi": source}]))
    assert next(each for each in made["spec"]["volumes"] if each["name"] == "v")["csi"] == source
