"""PersistentVolumes and their claims: lifecycle, status, and how they find each other."""

from collections.abc import Iterator

import pytest

from conformance.rest import JSON_PATCH, Object, Rest
from conformance.space import Space
from conformance.waiting import eventually

VOLUMES = "/api/v1/persistentvolumes"


@pytest.fixture
def label(virtual_space: Space) -> Iterator[str]:
    """A label of the test's own volumes, which are removed at the end."""
    yield f"e2e-pv-pool={virtual_space.name}"
    virtual_space.rest.delete(VOLUMES, labelSelector=f"e2e-pv-pool={virtual_space.name}")


def test_a_volume_and_a_claim_from_creation_to_deletion(virtual_space: Space, label: str) -> None:
    rest = virtual_space.rest
    pv = rest.post(VOLUMES, volume(label))
    pvc = virtual_space.create(claim(label), "persistentvolumeclaims")
    one, other = f"{VOLUMES}/{name(pv)}", virtual_space.path("persistentvolumeclaims", name(pvc))
    assert len(rest.get(VOLUMES, labelSelector=label)["items"]) == 1
    claims = virtual_space.path("persistentvolumeclaims")
    assert len(rest.get(claims, labelSelector=label)["items"]) == 1
    for path in (one, other):
        patched = rest.patch(path, {"metadata": {"labels": {"patched": "yes"}}})
        assert rest.get(path)["metadata"]["labels"]["patched"] == "yes", patched
    eventually(lambda: phase(rest, one) == phase(rest, other) == "Bound", what="both are bound")
    assert rest.get(other)["spec"]["volumeName"] == name(pv)
    rest.delete(other)
    rest.gone(other)
    eventually(lambda: phase(rest, one) == "Released", what="the volume is released")
    rest.delete(one)
    rest.gone(one)
    for each in (1, 2):
        rest.post(VOLUMES, volume(label))
        virtual_space.create(claim(label, request=f"{each}00Gi"), "persistentvolumeclaims")
    rest.delete(claims, labelSelector=label)
    rest.delete(VOLUMES, labelSelector=label)
    eventually(lambda: not rest.get(claims, labelSelector=label)["items"], what="no claims are left")
    eventually(lambda: not rest.get(VOLUMES, labelSelector=label)["items"], what="no volumes are left")


def test_the_status_of_a_volume_and_a_claim(virtual_space: Space, label: str) -> None:
    rest = virtual_space.rest
    pv = rest.post(VOLUMES, volume(label, storage_class="other"))
    pvc = virtual_space.create(claim(label), "persistentvolumeclaims")
    one, other = f"{VOLUMES}/{name(pv)}", virtual_space.path("persistentvolumeclaims", name(pvc))
    eventually(lambda: phase(rest, one) == "Available", what="the volume is available")
    told = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
    updated = rest.patch(f"{other}/status", {"status": {"conditions": [told]}})
    assert updated["status"]["conditions"][0]["message"] == "Set from e2e test"
    text = {"status": {"message": "StatusPatched", "reason": "E2E patchStatus"}}
    assert rest.patch(f"{one}/status", text)["status"]["message"] == "StatusPatched"
    whole = rest.get(f"{one}/status")
    whole["status"]["reason"] = "E2E updateStatus"
    rest.put(f"{one}/status", whole)
    rest.patch(one, {"metadata": {"labels": {"looked": "at"}}})
    status = rest.get(one)["status"]
    assert (status["message"], status["reason"]) == ("StatusPatched", "E2E updateStatus")


def test_a_volume_that_is_reserved_goes_to_its_claim(virtual_space: Space, label: str) -> None:
    rest = virtual_space.rest
    reserved = volume(label)
    reserved["spec"]["claimRef"] = {"namespace": virtual_space.name, "name": "mine"}
    pv = rest.post(VOLUMES, reserved)
    virtual_space.create(claim(label, own="other"), "persistentvolumeclaims")
    virtual_space.create(claim(label, own="mine"), "persistentvolumeclaims")
    path = virtual_space.path("persistentvolumeclaims", "mine")
    eventually(lambda: phase(rest, path) == "Bound", what="the claim is bound")
    assert rest.get(path)["spec"]["volumeName"] == name(pv)
    event = virtual_space.event("other", "ProvisioningFailed")
    why = f'storageclass.storage.k8s.io "{virtual_space.name}" not found'
    assert (event["message"], event["source"]["component"]) == (why, "persistentvolume-controller")


def test_a_claim_in_use_stays_until_its_pod_has_gone(virtual_space: Space, label: str) -> None:
    rest = virtual_space.rest
    rest.post(VOLUMES, volume(label))
    virtual_space.create(claim(label, own="used"), "persistentvolumeclaims")
    source = [{"name": "v", "persistentVolumeClaim": {"claimName": "used"}}]
    virtual_space.run_ready("user", volumes=source)
    path = virtual_space.path("persistentvolumeclaims", "used")
    rest.delete(path)
    assert rest.get(path)["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    virtual_space.remove_pod("user")
    rest.gone(path)


def test_a_json_patch_of_a_volumes_policy(virtual_space: Space, label: str) -> None:
    rest = virtual_space.rest
    path = f"{VOLUMES}/{name(rest.post(VOLUMES, volume(label)))}"
    replaced = [{"op": "replace", "path": "/spec/persistentVolumeReclaimPolicy", "value": "Delete"}]
    patched = rest.patch(path, replaced, content_type=JSON_PATCH)
    assert patched["spec"]["persistentVolumeReclaimPolicy"] == "Delete"


def volume(label: str, *, storage_class: str = "") -> Object:
    key, _, value = label.partition("=")
    spec = {
        "persistentVolumeReclaimPolicy": "Retain",
        "capacity": {"storage": "2Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage_class or value,
        "hostPath": {"path": "/tmp/conformance-nothing"},
    }
    metadata = {"generateName": "pv-", "labels": {key: value}}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}


def claim(label: str, *, request: str = "1Gi", own: str = "") -> Object:
    """Of no class, or rather of the test's own, so that no other test's volumes come into question."""
    key, _, value = label.partition("=")
    metadata: Object = {"labels": {key: value}}
    metadata |= {"name": own} if own else {"generateName": "pvc-"}
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": request}},
        "storageClassName": value,
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def phase(rest: Rest, path: str) -> str:
    return str(rest.get(path)["status"].get("phase"))
