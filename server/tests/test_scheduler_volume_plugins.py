"""Which nodes a pod's claims, volumes and disks leave."""

from collections.abc import Mapping
from typing import Any

import pytest

from kubeling.objects.meta import Object
from server.tests.decisions import Decisions, node, pod, zoned

ZONE = "topology.kubernetes.io/zone"
SELECTED = "volume.kubernetes.io/selected-node"


def claim(
    name: str = "c",
    volume: str = "",
    storage_class: str = "late",
    modes: tuple[str, ...] = (),
    annotations: Mapping[str, str] | None = None,
) -> Object:
    bound = {"pv.kubernetes.io/bind-completed": "yes"} if volume else {}
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "ns", "annotations": {**bound, **(annotations or {})}},
        "spec": {
            "storageClassName": storage_class,
            "accessModes": [*modes] or ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            **({"volumeName": volume} if volume else {}),
        },
    }


def volume(name: str = "v", host: str = "", size: str = "1Gi", **more: Any) -> Object:
    spec: Object = {
        "storageClassName": "late",
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": size},
        **more,
    }
    if host:
        expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [host]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
    return {"kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def storage_class(name: str = "late", mode: str = "WaitForFirstConsumer", **more: Any) -> Object:
    return {
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": mode,
        **more,
    }


MADE = {"provisioner": "driver"}


def using(*claims: str, name: str = "p") -> Object:
    volumes = [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in claims]
    return pod(name=name, volumes=volumes)


def nodes() -> tuple[Object, Object]:
    return node("a"), node("b")


LOST = 'persistentvolumeclaim "c" bound to non-existent persistentvolume "v"'
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ((), 'persistentvolumeclaim "c" not found'),
        ((claim(storage_class="now"), storage_class("now", "Immediate")), UNBOUND),
        ((claim(volume="v") | {"status": {"phase": "Lost"}},), LOST),
    ],
    ids=("absent", "unbound", "lost"),
)
def test_claims_without_which_no_node_will_do(objects: tuple[Object, ...], message: str) -> None:
    assert Decisions(*nodes(), *objects).refusal(using("c")) == (
        f"0/2 nodes are available: {message}. "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )


def test_an_ephemeral_volume_waits_for_its_claim() -> None:
    asking = pod(volumes=[{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}}])
    assert 'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-scratch"' in (
        Decisions(node()).refusal(asking)
    )


def test_a_bound_volume_is_used_where_its_node_affinity_says() -> None:
    decisions = Decisions(*nodes(), claim(volume="v"), volume(host="a"))
    assert decisions.feasible(using("c")) == {"a"}
    decisions = Decisions(node("b"), claim(volume="v"), volume(host="a"))
    assert "1 node(s) didn't match PersistentVolume's node affinity." in decisions.refusal(using("c"))


def test_a_bound_volume_that_is_gone() -> None:
    text = "1 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
    assert text in Decisions(node(), claim(volume="v")).refusal(using("c"))


def test_a_claim_that_waits_finds_a_volume_that_suits() -> None:
    decisions = Decisions(*nodes(), storage_class(), claim(), volume("small", "a", "500Mi"), volume("v", "b"))
    assert decisions.feasible(using("c")) == {"b"}


@pytest.mark.parametrize(
    "unsuitable",
    [
        volume(accessModes=["ReadOnlyMany"]),
        volume(storageClassName="other"),
        volume(volumeMode="Block"),
        volume(claimRef={"namespace": "ns", "name": "other"}),
    ],
    ids=("modes", "class", "block", "taken"),
)
def test_a_volume_that_does_not_suit(unsuitable: Object) -> None:
    decisions = Decisions(node(), storage_class(), claim(), unsuitable)
    assert "1 node(s) didn't find available persistent volumes to bind." in decisions.refusal(using("c"))


def test_two_claims_need_two_volumes() -> None:
    decisions = Decisions(node(), storage_class(), claim("c"), claim("d"), volume("v"))
    assert decisions.feasible(using("c", "d")) == set()
    decisions = Decisions(node(), storage_class(), claim("c"), claim("d"), volume("v"), volume("w"))
    assert decisions.feasible(using("c", "d")) == {"n"}


def test_volumes_that_can_be_made_are_made_where_the_class_allows() -> None:
    assert Decisions(*nodes(), storage_class(**MADE), claim()).feasible(using("c")) == {"a", "b"}
    only = [{"matchLabelExpressions": [{"key": ZONE, "values": ["x"]}]}]
    decisions = Decisions(
        zoned("a", "x"), zoned("b", "y"), storage_class(allowedTopologies=only, **MADE), claim()
    )
    assert decisions.feasible(using("c")) == {"a"}


def test_a_claim_for_which_a_node_has_been_selected_goes_nowhere_else() -> None:
    decisions = Decisions(*nodes(), storage_class(**MADE), claim(annotations={SELECTED: "a"}))
    assert decisions.feasible(using("c")) == {"a"}


def test_a_driver_that_keeps_account_of_its_room() -> None:
    driver = {"kind": "CSIDriver", "metadata": {"name": "driver"}, "spec": {"storageCapacity": True}}

    def capacity(size: str) -> Object:
        return {
            "kind": "CSIStorageCapacity",
            "metadata": {"name": "x", "namespace": "ns"},
            "storageClassName": "late",
            "nodeTopology": {"matchLabels": {"kubernetes.io/hostname": "a"}},
            "capacity": size,
        }

    objects = storage_class(**MADE), claim(), driver
    assert Decisions(*nodes(), *objects, capacity("2Gi")).feasible(using("c")) == {"a"}
    message = Decisions(*nodes(), *objects, capacity("1Mi")).refusal(using("c"))
    assert "2 node(s) did not have enough free storage." in message


def test_what_is_reserved_for_one_pod_is_not_offered_to_another() -> None:
    decisions = Decisions(node(), storage_class(), claim("c"), claim("d"), volume("v"))
    profile = decisions.profiles["default-scheduler"]
    cycle = decisions.cycle(using("c", name="first"))
    (chosen,) = cycle.feasible(0)
    (binding,) = profile.reserving
    assert binding.reserve(cycle.pod, chosen) is None
    assert decisions.feasible(using("d")) == set()
    binding.unreserve(cycle.pod)
    assert decisions.feasible(using("d")) == {"n"}


def test_a_claim_for_one_pod_only() -> None:
    decisions = Decisions(*nodes(), claim(volume="v", modes=("ReadWriteOncePod",)), volume())
    assert decisions.feasible(using("c")) == {"a", "b"}
    decisions.place(using("c", name="other"), "a")
    text = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
    assert decisions.refusal(using("c")).startswith(f"0/2 nodes are available: 2 {text}.")


@pytest.mark.parametrize(
    ("disk", "other", "free"),
    [
        ({"gcePersistentDisk": {"pdName": "d"}}, {"gcePersistentDisk": {"pdName": "d"}}, False),
        ({"gcePersistentDisk": {"pdName": "d"}}, {"gcePersistentDisk": {"pdName": "e"}}, True),
        (
            {"gcePersistentDisk": {"pdName": "d", "readOnly": True}},
            {"gcePersistentDisk": {"pdName": "d", "readOnly": True}},
            True,
        ),
        ({"awsElasticBlockStore": {"volumeID": "d"}}, {"awsElasticBlockStore": {"volumeID": "d"}}, False),
        ({"iscsi": {"iqn": "d"}}, {"iscsi": {"iqn": "d", "readOnly": True}}, False),
    ],
)
def test_disks_that_one_pod_of_a_node_may_have(disk: Object, other: Object, free: bool) -> None:
    decisions = Decisions(node())
    decisions.place(pod(name="other", volumes=[{"name": "v", **other}]), "n")
    asking = pod(volumes=[{"name": "v", **disk}])
    assert decisions.feasible(asking) == ({"n"} if free else set())
    assert free or "1 node(s) had no available disk." in decisions.refusal(asking)


def test_a_volume_with_a_zone_is_used_there() -> None:
    labelled = volume()
    labelled["metadata"]["labels"] = {ZONE: "x__z"}
    decisions = Decisions(zoned("x1", "x"), zoned("y1", "y"), claim(volume="v"), labelled)
    assert decisions.feasible(using("c")) == {"x1"}
    decisions = Decisions(zoned("y1", "y"), claim(volume="v"), labelled)
    assert "1 node(s) had no available volume zone." in decisions.refusal(using("c"))


def test_a_node_takes_no_more_volumes_than_its_driver_says() -> None:
    def csi(name: str) -> Object:
        return volume(name, csi={"driver": "driver", "volumeHandle": name})

    drivers = [{"name": "driver", "nodeID": "n", "allocatable": {"count": 1}}]
    limit = {"kind": "CSINode", "metadata": {"name": "n"}, "spec": {"drivers": drivers}}
    decisions = Decisions(node(), limit, claim("c", "v"), claim("d", "w"), csi("v"), csi("w"))
    assert decisions.feasible(using("c")) == {"n"}
    decisions.place(using("c", name="other"), "n")
    assert decisions.feasible(using("c")) == {"n"}
    assert "1 node(s) exceed max volume count." in decisions.refusal(using("d"))
