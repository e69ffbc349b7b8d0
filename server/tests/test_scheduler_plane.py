"""The scheduler on a whole control plane: preemption, volumes, several schedulers, what is written where."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.resources import (
    EVENTS,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    PRIORITY_CLASSES,
    STORAGE_CLASSES,
)
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.scheduler import start_scheduler
from server.scheduler.configuration import parse
from server.tests.plane import Plane, started_plane


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with started_plane(tmp_path, scheduler=True) as plane:
        for name, value in (("high", 1000), ("middle", 500), ("low", 1)):
            await plane.create(PRIORITY_CLASSES, {"metadata": {"name": name}, "value": value})
        yield plane


async def add_node(plane: Plane, name: str = "n", **allocatable: str) -> None:
    """A node that is known to be ready: whose taints are gone."""
    await plane.add_node(name, **allocatable)
    await plane.patch(NODES, name, {"spec": {"taints": None}})


async def add_pod(plane: Plane, name: str, cpu: str = "", **spec: Any) -> None:
    requests = {"requests": {"cpu": cpu}} if cpu else {}
    container = {"name": "c", "image": "busybox", "resources": requests}
    await plane.create(PODS, {"metadata": {"name": name}, "spec": {"containers": [container], **spec}})


def pod(plane: Plane, name: str) -> Object:
    found = plane.get(PODS, name)
    assert found is not None
    return found


def placed(plane: Plane, name: str) -> str:
    return str(pod(plane, name)["spec"].get("nodeName") or "")


def events(plane: Plane, reason: str) -> list[Object]:
    return [each for each in plane.list(EVENTS) if each["reason"] == reason]


async def finish(plane: Plane, name: str) -> None:
    """What a kubelet does with a pod that is to go."""
    await plane.client.delete(PODS, name, namespace="ns", grace_period_seconds=0)
    await plane.settle()


async def test_a_more_important_pod_takes_the_place_of_a_lesser_one(plane: Plane) -> None:
    await add_node(plane, cpu="1")
    await add_pod(plane, "victim", "800m", priorityClassName="low")
    assert placed(plane, "victim") == "n"
    await add_pod(plane, "important", "800m", priorityClassName="high")
    victim, important = pod(plane, "victim"), pod(plane, "important")
    assert meta.is_terminating(victim)
    condition = conditions.find(victim, "DisruptionTarget")
    assert condition is not None
    assert (condition["status"], condition["reason"]) == ("True", "PreemptionByScheduler")
    assert condition["message"] == "default-scheduler: preempting to accommodate a higher priority pod"
    (event,) = events(plane, "Preempted")
    assert event["message"] == f"Preempted by pod {meta.uid(important)} on node n"
    assert (event["involvedObject"]["name"], event["type"], event["action"]) == (
        "victim",
        "Normal",
        "Preempting",
    )
    assert important["status"]["nominatedNodeName"] == "n"
    scheduled = conditions.find(important, "PodScheduled")
    assert scheduled is not None
    assert scheduled["message"] == "0/1 nodes are available: 1 Insufficient cpu."
    await finish(plane, "victim")
    assert placed(plane, "important") == "n"
    assert "nominatedNodeName" not in pod(plane, "important")["status"]


async def test_the_room_is_not_given_to_lesser_pods_meanwhile(plane: Plane) -> None:
    await add_node(plane, cpu="1")
    await add_pod(plane, "victim", "800m", priorityClassName="low")
    await add_pod(plane, "important", "800m", priorityClassName="high")
    await add_pod(plane, "another", "800m", priorityClassName="middle")
    await finish(plane, "victim")
    assert (placed(plane, "important"), placed(plane, "another")) == ("n", "")


async def test_a_still_more_important_pod_takes_the_prospect_over(plane: Plane) -> None:
    await add_node(plane, cpu="1")
    await add_pod(plane, "victim", "800m", priorityClassName="low")
    await add_pod(plane, "middle", "800m", priorityClassName="middle")
    assert pod(plane, "middle")["status"]["nominatedNodeName"] == "n"
    await finish(plane, "victim")
    assert placed(plane, "middle") == "n"
    await add_pod(plane, "high", "800m", priorityClassName="high")
    assert pod(plane, "high")["status"]["nominatedNodeName"] == "n"
    assert meta.is_terminating(pod(plane, "middle"))


async def test_a_pod_that_never_preempts_waits(plane: Plane) -> None:
    await add_node(plane, cpu="1")
    await plane.create(
        PRIORITY_CLASSES, {"metadata": {"name": "polite"}, "value": 2000, "preemptionPolicy": "Never"}
    )
    await add_pod(plane, "victim", "800m", priorityClassName="low")
    await add_pod(plane, "polite", "800m", priorityClassName="polite")
    assert not meta.is_terminating(pod(plane, "victim"))
    (event,) = events(plane, "FailedScheduling")
    assert event["message"] == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."
    )
    await finish(plane, "victim")
    assert placed(plane, "polite") == "n"


async def test_extended_resources_are_preempted_for(plane: Plane) -> None:
    await add_node(plane, **{"example.com/fake": "1"})

    def wanting(priority: str) -> Object:
        asked = {"example.com/fake": "1"}
        resources = {"requests": asked, "limits": asked}
        container = {"name": "c", "image": "busybox", "resources": resources}
        return {"containers": [container], "priorityClassName": priority}

    await plane.create(PODS, {"metadata": {"name": "victim"}, "spec": wanting("low")})
    await plane.create(PODS, {"metadata": {"name": "important"}, "spec": wanting("high")})
    assert meta.is_terminating(pod(plane, "victim"))
    await finish(plane, "victim")
    assert placed(plane, "important") == "n"


async def test_a_gated_pod_says_so_and_goes_when_its_gate_opens(plane: Plane) -> None:
    await add_node(plane)
    await add_pod(plane, "gated", schedulingGates=[{"name": "example.com/wait"}])
    condition = conditions.find(pod(plane, "gated"), "PodScheduled")
    assert condition is not None
    assert condition["reason"] == "SchedulingGated"
    await plane.patch(PODS, "gated", {"spec": {"schedulingGates": []}})
    assert placed(plane, "gated") == "n"


async def test_replicas_are_spread(plane: Plane) -> None:
    for name in ("a", "b", "c"):
        await add_node(plane, name)
    constraint = {
        "topologyKey": "kubernetes.io/hostname",
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "a"}},
    }
    for number in range(6):
        spec = {
            "containers": [{"name": "c", "image": "busybox"}],
            "topologySpreadConstraints": [constraint],
        }
        await plane.create(PODS, {"metadata": {"name": str(number), "labels": {"app": "a"}}, "spec": spec})
    nodes = [placed(plane, str(number)) for number in range(6)]
    assert sorted(nodes) == ["a", "a", "b", "b", "c", "c"]


async def test_claims_that_wait_get_a_volume_of_the_node(plane: Plane) -> None:
    await add_node(plane, "a")
    await add_node(plane, "b")
    provisioner = "kubernetes.io/no-provisioner"
    await plane.create(
        STORAGE_CLASSES,
        {
            "metadata": {"name": "late"},
            "provisioner": provisioner,
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )
    at_b = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["b"]}
    await plane.create(
        PERSISTENT_VOLUMES,
        {
            "metadata": {"name": "v"},
            "spec": {
                "storageClassName": "late",
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Gi"},
                "local": {"path": "/v"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [at_b]}]}},
            },
        },
    )
    await plane.create(
        PERSISTENT_VOLUME_CLAIMS,
        {
            "metadata": {"name": "c"},
            "spec": {
                "storageClassName": "late",
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
    )
    await add_pod(plane, "p", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}])
    volume = plane.get(PERSISTENT_VOLUMES, "v")
    assert volume is not None
    assert volume["spec"]["claimRef"]["name"] == "c"
    claim = plane.get(PERSISTENT_VOLUME_CLAIMS, "c")
    assert claim is not None
    if not claim["spec"].get("volumeName"):  # nobody binds here: say what the binder says
        bound = {"pv.kubernetes.io/bind-completed": "yes"}
        patch = {"metadata": {"annotations": bound}, "spec": {"volumeName": "v"}}
        await plane.patch(PERSISTENT_VOLUME_CLAIMS, "c", patch)
    assert placed(plane, "p") == "b"


async def test_claims_that_wait_tell_the_provisioner_the_node(plane: Plane) -> None:
    await add_node(plane)
    await plane.create(
        STORAGE_CLASSES,
        {
            "metadata": {"name": "made"},
            "provisioner": "example.com/driver",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )
    spec = {
        "storageClassName": "made",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    await plane.create(PERSISTENT_VOLUME_CLAIMS, {"metadata": {"name": "c"}, "spec": spec})
    await add_pod(plane, "p", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}])
    claim = plane.get(PERSISTENT_VOLUME_CLAIMS, "c")
    assert claim is not None
    assert meta.annotations(claim)["volume.kubernetes.io/selected-node"] == "n"
    assert (placed(plane, "p"), pod(plane, "p")["status"]["nominatedNodeName"]) == ("", "n")
    await plane.advance(601)
    messages = [event["message"] for event in events(plane, "FailedScheduling")]
    assert 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded' in messages


async def test_a_namespace_that_gets_the_label_wakes_who_waits_for_its_pods(plane: Plane) -> None:
    await add_node(plane)
    await plane.create(NAMESPACES, {"metadata": {"name": "other"}})
    container = {"name": "c", "image": "busybox"}
    meta = {"name": "web", "namespace": "other", "labels": {"app": "web"}}
    await plane.create(PODS, {"metadata": meta, "spec": {"containers": [container]}})
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"app": "web"}},
        "namespaceSelector": {"matchLabels": {"team": "a"}},
    }
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    await add_pod(plane, "fan", affinity=near)
    assert placed(plane, "fan") == ""
    await plane.patch(NAMESPACES, "other", {"metadata": {"labels": {"team": "a"}}})
    assert placed(plane, "fan") == "n"


async def test_several_schedulers_with_plug_ins_of_their_own(plane: Plane) -> None:
    forgotten = ("NodeUnschedulable", "TaintToleration")
    configuration = parse(
        {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "profiles": [
                {
                    "schedulerName": "careless",
                    "plugins": {"multiPoint": {"disabled": [{"name": each} for each in forgotten]}},
                },
                {"schedulerName": "careful"},
            ],
        }
    )
    second = start_scheduler(plane.client, clock=plane.clock, configuration=configuration)
    try:
        await add_node(plane)
        await plane.patch(NODES, "n", {"spec": {"unschedulable": True}})
        await add_pod(plane, "one", schedulerName="careless")
        await add_pod(plane, "two", schedulerName="careful")
        await plane.advance(1)
        assert (placed(plane, "one"), placed(plane, "two")) == ("n", "")
        (event,) = events(plane, "FailedScheduling")
        assert event["reportingComponent"] == "careful"
    finally:
        await second.stop()
