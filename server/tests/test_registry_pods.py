from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects import errors
from kubeling.objects.clock import FakeClock
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.groups.core.pod_printing import pod_cells
from server.registry.kinds import Kinds
from server.registry.options import MERGE_PATCH, STRATEGIC_MERGE_PATCH, DeleteOptions, Patch
from server.registry.registry import Registry
from server.storage import Record, Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FOUND = Kinds().lookup("", "v1", "pods")
assert FOUND is not None
PODS = FOUND


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    store = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock(NOW))
    yield Registry(store, FakeClock(NOW), AdmitAll())
    await store.close()


def context() -> RequestContext:
    return RequestContext(SYSTEM)


async def make(registry: Registry, **spec: Any) -> Record:
    spec.setdefault("containers", [{"name": "c", "image": "i"}])
    return await registry.create(context(), PODS, "default", {"metadata": {"name": "p"}, "spec": spec})


async def causes(registry: Registry, **spec: Any) -> list[str]:
    with pytest.raises(errors.Invalid) as caught:
        await make(registry, **spec)
    assert caught.value.details is not None
    return [f"{cause['field']}: {cause['message']}" for cause in caught.value.details["causes"]]


async def bind(registry: Registry, node: str = "n") -> Record:
    target = {"target": {"kind": "Node", "name": node}}
    return await registry.create(context(), PODS, "default", target, name="p", subresource="binding")


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"name": "c"}, "spec.containers[0].image: Required value"),
        ({"image": "i"}, "spec.containers[0].name: Required value"),
        (
            {"name": "c", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
            'spec.containers[0].volumeMounts[0].name: Not found: "v"',
        ),
        (
            {"name": "c", "image": "i", "ports": [{"containerPort": 70000}]},
            "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535,"
            " inclusive",
        ),
        (
            {"name": "c", "image": "i", "imagePullPolicy": "Maybe"},
            'spec.containers[0].imagePullPolicy: Unsupported value: "Maybe": supported values: "Always",'
            ' "IfNotPresent", "Never"',
        ),
        (
            {"name": "c", "image": "i", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
            'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu'
            " limit of 1",
        ),
        (
            {"name": "c", "image": "i", "env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {}}}]},
            'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not'
            " empty",
        ),
        (
            {"name": "c", "image": "i", "livenessProbe": {"periodSeconds": 1}},
            "spec.containers[0].livenessProbe: Required value: must specify a handler type",
        ),
    ],
)
async def test_mistakes_in_containers(registry: Registry, container: dict[str, Any], expected: str) -> None:
    assert expected in await causes(registry, containers=[container])


async def test_mistakes_in_the_spec(registry: Registry) -> None:
    assert await causes(registry, containers=[]) == ["spec.containers: Required value"]
    twice = [{"name": "c", "image": "i"}] * 2
    assert await causes(registry, containers=twice) == ['spec.containers[1].name: Duplicate value: "c"']
    assert await causes(registry, restartPolicy="Sometimes") == [
        'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'
    ]
    volumes = [{"name": "v", "secret": {}}]
    assert await causes(registry, volumes=volumes) == ["spec.volumes[0].secret.secretName: Required value"]


async def test_images_may_change_and_little_else(registry: Registry) -> None:
    await make(registry)
    image = Patch(STRATEGIC_MERGE_PATCH, {"spec": {"containers": [{"name": "c", "image": "j"}]}})
    result = await registry.patch(context(), PODS, "default", "p", image)
    assert result.record.obj["metadata"]["generation"] == 2
    other = Patch(MERGE_PATCH, {"spec": {"hostNetwork": True}})
    with pytest.raises(errors.Invalid, match="pod updates may not change fields other than"):
        await registry.patch(context(), PODS, "default", "p", other)


async def test_status_and_spec_have_their_own_doors(registry: Registry) -> None:
    await make(registry)
    both = Patch(MERGE_PATCH, {"spec": {"activeDeadlineSeconds": 5}, "status": {"phase": "Running"}})
    through_main = (await registry.patch(context(), PODS, "default", "p", both)).record.obj
    assert (through_main["spec"]["activeDeadlineSeconds"], through_main["status"]["phase"]) == (5, "Pending")
    later = Patch(MERGE_PATCH, {"spec": {"activeDeadlineSeconds": 1}, "status": {"phase": "Running"}})
    result = await registry.patch(context(), PODS, "default", "p", later, subresource="status")
    assert result.record.obj["spec"]["activeDeadlineSeconds"] == 5
    assert result.record.obj["status"] == {"phase": "Running", "qosClass": "BestEffort"}


async def test_a_pod_is_bound_once(registry: Registry) -> None:
    await make(registry)
    answer = await bind(registry)
    assert answer.obj["status"] == "Success"
    pod = (await registry.get(PODS, "default", "p")).obj
    assert pod["spec"]["nodeName"] == "n"
    assert pod["status"]["conditions"][0]["type"] == "PodScheduled"
    with pytest.raises(errors.Conflict) as caught:
        await bind(registry)
    assert caught.value.message == (
        'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n"'
    )


async def test_a_pod_that_never_ran_goes_at_once(registry: Registry) -> None:
    await make(registry)
    result = await registry.delete(context(), PODS, "default", "p")
    assert result.removed
    assert result.record.obj["metadata"]["deletionGracePeriodSeconds"] == 0


async def test_a_grace_period_below_zero_is_a_second(registry: Registry) -> None:
    asked = context()
    spec = {"containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": -1}
    made = await registry.create(asked, PODS, "default", {"metadata": {"name": "p"}, "spec": spec})
    assert made.obj["spec"]["terminationGracePeriodSeconds"] == 1
    assert any("terminationGracePeriodSeconds: must be >= 0" in each for each in asked.warnings)
    changed = {**made.obj, "spec": {**made.obj["spec"], "terminationGracePeriodSeconds": -1}}
    updated = await registry.update(context(), PODS, "default", "p", changed)
    assert updated.record.obj["spec"]["terminationGracePeriodSeconds"] == 1


async def test_a_bound_pod_is_given_its_grace_period(registry: Registry) -> None:
    await make(registry)
    await bind(registry)
    result = await registry.delete(context(), PODS, "default", "p")
    own = result.record.obj["metadata"]
    assert not result.removed
    assert (own["deletionTimestamp"], own["deletionGracePeriodSeconds"]) == ("2026-01-01T00:00:30Z", 30)
    shorter = await registry.delete(context(), PODS, "default", "p", DeleteOptions(grace_period_seconds=10))
    assert shorter.record.obj["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:10Z"
    longer = await registry.delete(context(), PODS, "default", "p", DeleteOptions(grace_period_seconds=60))
    assert longer.record.revision == shorter.record.revision
    gone = await registry.delete(context(), PODS, "default", "p", DeleteOptions(grace_period_seconds=0))
    assert gone.removed


def running(**more: Any) -> dict[str, Any]:
    return {"name": "c", "ready": True, "restartCount": 0, "state": {"running": {}}, **more}


def waiting(reason: str, **more: Any) -> dict[str, Any]:
    return {"name": "c", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": reason}}, **more}


def exited(code: int, **more: Any) -> dict[str, Any]:
    return {
        "name": "c",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": {"exitCode": code, **more}},
    }


CRASHED = {"terminated": {"exitCode": 1, "finishedAt": "2025-12-31T23:55:01Z"}}
DELETED = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("status", "ready", "shown", "restarts"),
    [
        ({"phase": "Pending"}, "0/1", "Pending", "0"),
        ({"phase": "Running", "containerStatuses": [running()]}, "1/1", "Running", "0"),
        (
            {
                "phase": "Running",
                "containerStatuses": [waiting("CrashLoopBackOff", restartCount=3, lastState=CRASHED)],
            },
            "0/1",
            "CrashLoopBackOff",
            "3 (5m ago)",
        ),
        ({"phase": "Pending", "containerStatuses": [waiting("ErrImagePull")]}, "0/1", "ErrImagePull", "0"),
        (
            {"phase": "Succeeded", "containerStatuses": [exited(0, reason="Completed")]},
            "0/1",
            "Completed",
            "0",
        ),
        ({"phase": "Failed", "containerStatuses": [exited(3, reason="Error")]}, "0/1", "Error", "0"),
        ({"phase": "Failed", "containerStatuses": [exited(3)]}, "0/1", "ExitCode:3", "0"),
        ({"phase": "Failed", "containerStatuses": [exited(137, signal=9)]}, "0/1", "Signal:9", "0"),
        ({"phase": "Failed", "reason": "Evicted"}, "0/1", "Evicted", "0"),
        ({"phase": "Pending", "initContainerStatuses": [running()]}, "0/1", "Init:0/1", "0"),
        (
            {"phase": "Pending", "initContainerStatuses": [waiting("ImagePullBackOff")]},
            "0/1",
            "Init:ImagePullBackOff",
            "0",
        ),
        (
            {"phase": "Pending", "initContainerStatuses": [exited(1, reason="Error")]},
            "0/1",
            "Init:Error",
            "0",
        ),
    ],
)
def test_how_a_pod_is_shown(status: dict[str, Any], ready: str, shown: str, restarts: str) -> None:
    spec = {"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]}
    pod = {
        "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": spec,
        "status": status,
    }
    assert pod_cells(pod, NOW + timedelta(seconds=1))[:5] == ["p", ready, shown, restarts, "1s"]


def test_a_pod_under_deletion_is_terminating() -> None:
    pod = {
        "metadata": {"name": "p", "deletionTimestamp": DELETED},
        "spec": {"containers": [{"name": "c"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1"},
    }
    cells = pod_cells(pod, NOW)
    assert (cells[2], cells[5]) == ("Terminating", "10.0.0.1")


async def patched(registry: Registry, subresource: str, **spec: Any) -> Record:
    patch = Patch(STRATEGIC_MERGE_PATCH, {"spec": spec})
    result = await registry.patch(context(), PODS, "default", "p", patch, subresource=subresource)
    return result.record


async def test_debugging_containers_are_added_and_stay(registry: Registry) -> None:
    await make(registry)
    debugger = {"name": "d", "image": "busybox", "targetContainerName": "c"}
    obj = (await patched(registry, "ephemeralcontainers", ephemeralContainers=[debugger])).obj
    assert obj["spec"]["ephemeralContainers"][0]["imagePullPolicy"] == "Always"
    assert obj["metadata"]["generation"] == 2
    other = {"name": "e", "image": "busybox"}
    both = (await patched(registry, "ephemeralcontainers", ephemeralContainers=[other])).obj
    assert {each["name"] for each in both["spec"]["ephemeralContainers"]} == {"d", "e"}
    with pytest.raises(errors.Invalid, match='existing ephemeral containers "d" may not be changed'):
        await patched(registry, "ephemeralcontainers", ephemeralContainers=[{"name": "d", "image": "x"}])
    wrong = {"name": "f", "image": "x", "targetContainerName": "nobody"}
    with pytest.raises(errors.Invalid, match="targetContainerName: Not found"):
        await patched(registry, "ephemeralcontainers", ephemeralContainers=[wrong])


async def test_debugging_containers_have_a_door_of_their_own(registry: Registry) -> None:
    debugger = [{"name": "d", "image": "busybox"}]
    assert "spec.ephemeralContainers: Forbidden: cannot be set on create" in await causes(
        registry, ephemeralContainers=debugger
    )
    await make(registry)
    with pytest.raises(errors.Invalid, match="pod updates may not change fields other than"):
        await patched(registry, "", ephemeralContainers=debugger)
    changed = await patched(registry, "ephemeralcontainers", activeDeadlineSeconds=5)
    assert "activeDeadlineSeconds" not in changed.obj["spec"]


async def test_cpu_and_memory_are_resized_in_place(registry: Registry) -> None:
    resources = {"requests": {"cpu": "100m"}, "limits": {"cpu": "200m", "memory": "1Gi"}}
    await make(registry, containers=[{"name": "c", "image": "i", "resources": resources}])
    more = {"name": "c", "resources": {"requests": {"cpu": "150m"}}, "image": "other"}
    obj = (await patched(registry, "resize", containers=[more])).obj
    assert obj["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "150m"
    assert (obj["spec"]["containers"][0]["image"], obj["metadata"]["generation"]) == ("i", 2)
    disk = {"name": "c", "resources": {"limits": {"ephemeral-storage": "1Gi"}}}
    with pytest.raises(errors.Invalid, match=r"spec: .*only cpu and memory resources are mutable"):
        await patched(registry, "resize", containers=[disk])
    same = {"requests": {"cpu": "200m", "memory": "1Gi"}, "limits": {"cpu": "200m", "memory": "1Gi"}}
    with pytest.raises(errors.Invalid, match="Pod QOS Class may not change as a result of resizing"):
        await patched(registry, "resize", containers=[{"name": "c", "resources": same}])
    without = {"name": "c", "resources": {"limits": {"memory": None}, "requests": {"memory": None}}}
    with pytest.raises(errors.Invalid, match="resource limits cannot be removed"):
        await patched(registry, "resize", containers=[without])


async def test_what_the_pod_itself_has_is_resized_as_well(registry: Registry) -> None:
    await make(registry, resources={"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}})
    obj = (await patched(registry, "resize", resources={"requests": {"cpu": "200m"}})).obj
    assert obj["spec"]["resources"]["requests"]["cpu"] == "200m"
    with pytest.raises(errors.Invalid, match=r"spec.resources.limits: .*resource limits cannot be removed"):
        await patched(registry, "resize", resources={"limits": None})
    with pytest.raises(errors.Invalid, match=r"only cpu and memory resources are mutable"):
        await patched(registry, "resize", resources={"limits": {"hugepages-2Mi": "2Mi"}})


async def test_a_resize_is_of_the_same_containers(registry: Registry) -> None:
    await make(registry, containers=[{"name": name, "image": "i"} for name in ("a", "b")])
    other = [{"name": "b"}, {"name": "a"}]
    order = {"$setElementOrder/containers": other, "containers": other}
    with pytest.raises(errors.Invalid, match=r"spec.containers\[1\].name: .*may not be renamed or reordered"):
        await patched(registry, "resize", **order)
    with pytest.raises(errors.Invalid, match="containers may not be added or removed on resize"):
        await patched(registry, "resize", containers=[{"name": "c", "image": "i"}])


async def test_a_gated_pod_may_be_aimed_more_narrowly(registry: Registry) -> None:
    await make(registry, schedulingGates=[{"name": "g"}], nodeSelector={"a": "b"})
    obj = (await patched(registry, "", nodeSelector={"c": "d"})).obj
    assert obj["spec"]["nodeSelector"] == {"a": "b", "c": "d"}
    with pytest.raises(errors.Invalid, match=r"only additions to spec.nodeSelector are allowed"):
        await patched(registry, "", nodeSelector={"a": "x"})
    with pytest.raises(errors.Invalid, match="but found new scheduling gate 'h'"):
        await patched(registry, "", schedulingGates=[{"name": "h"}])


async def test_label_keys_become_part_of_the_selector(registry: Registry) -> None:
    selector = {"matchLabels": {"app": "a"}}
    constraint = {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}
    spread = [{**constraint, "labelSelector": selector, "matchLabelKeys": ["rev"]}]
    spec = {"containers": [{"name": "c", "image": "i"}], "topologySpreadConstraints": spread}
    obj = {"metadata": {"name": "p", "labels": {"rev": "1"}}, "spec": spec}
    made = (await registry.create(context(), PODS, "default", obj)).obj
    found = made["spec"]["topologySpreadConstraints"][0]["labelSelector"]
    assert found["matchExpressions"] == [{"key": "rev", "operator": "In", "values": ["1"]}]


async def test_the_status_keeps_one_address_under_two_names(registry: Registry) -> None:
    await make(registry)
    patch = Patch(MERGE_PATCH, {"status": {"podIPs": [{"ip": "10.0.0.9"}]}})
    result = await registry.patch(context(), PODS, "default", "p", patch, subresource="status")
    assert result.record.obj["status"]["podIP"] == "10.0.0.9"


APPARMOR = "container.apparmor.security.beta.kubernetes.io/c"


@pytest.mark.parametrize(
    ("annotation", "profile"),
    [
        ("unconfined", {"type": "Unconfined"}),
        ("runtime/default", {"type": "RuntimeDefault"}),
        ("localhost/mine", {"type": "Localhost", "localhostProfile": "mine"}),
        ("localhost/", None),
        ("strange", None),
    ],
)
async def test_apparmor_annotations_become_fields(registry: Registry, annotation: str, profile: Any) -> None:
    asked = context()
    pod = {
        "metadata": {"name": "p", "annotations": {APPARMOR: annotation}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    made = await registry.create(asked, PODS, "default", pod)
    assert made.obj["spec"]["containers"][0].get("securityContext", {}).get("appArmorProfile") == profile
    assert asked.warnings == [
        f'metadata.annotations[{APPARMOR}]: deprecated since v1.30; use the "appArmorProfile" field instead'
    ]
