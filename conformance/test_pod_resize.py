"""In-place resize: cpu and memory of running containers change, as seen from inside, in status and events."""

from functools import partial
from typing import Any

import pytest

from conformance import pods
from conformance.kubectl import Kubectl
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")

STRATEGIC = "application/strategic-merge-patch+json"
MIB = 2**20
READ = "cat /sys/fs/cgroup/{0} 2>/dev/null || cat /sys/fs/cgroup/{1}"
RESTARTS = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]


def size(cpu: str, memory: str) -> Object:
    return {"cpu": cpu, "memory": memory}


SMALL, MIDDLE, LARGE = size("20m", "20Mi"), size("30m", "30Mi"), size("50m", "50Mi")


def sized(space: Space, amounts: Object, *, name: str = "main", **more: Any) -> Object:
    resources = {"requests": amounts, "limits": amounts}
    return pods.container(space.image, name=name, resources=resources, **more)


def resize(space: Space, pod: str, *, kind: str = "containers", **sizes: Object) -> Object:
    """By the containers' names."""
    path = space.path("pods", pod) + "/resize"
    patched: Object = space.rest.patch(path, _patch(sizes, kind), content_type=STRATEGIC)
    return patched


def _patch(sizes: dict[str, Object], kind: str = "containers") -> Object:
    resources = {name: {"requests": amounts, "limits": amounts} for name, amounts in sizes.items()}
    return {"spec": {kind: [{"name": name, "resources": each} for name, each in resources.items()]}}


def in_force(space: Space, pod: str, *, init: bool = False, **sizes: Object) -> Object:
    """The pod, when what was asked for is in force and nothing of a resize is left."""

    def holds(found: Object) -> bool:
        limits = {
            name: (pods.status_of(found, name, init=init).get("resources") or {}).get("limits")
            for name in sizes
        }
        left = [kind for kind in ("PodResizePending", "PodResizeInProgress") if pods.condition(found, kind)]
        return limits == sizes and not left and pods.ready(found)

    return space.until(pod, holds, what=f"has been resized to {sizes}")


def inside(kubectl: Kubectl, pod: str, container: str = "main") -> tuple[int, int]:
    """Microseconds of cpu in 100 ms and bytes of memory, as the container sees its limits."""
    cpu = READ.format("cpu/cpu.cfs_quota_us", "cpu.max")
    memory = READ.format("memory/memory.limit_in_bytes", "memory.max")
    said = kubectl("exec", pod, "-c", container, "--", "sh", "-c", f"{cpu}; {memory}")
    return int(said.lines[0].split()[0]), int(said.lines[1])


def test_one_container_grows_and_shrinks_without_a_restart(space: Space, kubectl: Kubectl) -> None:
    space.create(pods.pod("web", sized(space, MIDDLE)))
    before = pods.status_of(space.ready("web"))
    patched = resize(space, "web", main=LARGE)
    assert patched["spec"]["containers"][0]["resources"]["limits"] == LARGE
    after = in_force(space, "web", main=LARGE)
    assert after["status"]["observedGeneration"] == after["metadata"]["generation"] == 2
    status = pods.status_of(after)
    assert (status["containerID"], status["restartCount"]) == (before["containerID"], 0)
    assert status["allocatedResources"] == LARGE
    assert inside(kubectl, "web") == (5_000, 50 * MIB)
    for reason in ("ResizeStarted", "ResizeCompleted"):
        assert '"generation":2' in space.event("web", reason)["message"]
    resize(space, "web", main=SMALL)
    assert pods.status_of(in_force(space, "web", main=SMALL))["restartCount"] == 0
    assert inside(kubectl, "web") == (2_000, 20 * MIB)


def test_three_containers_each_in_its_direction(space: Space, kubectl: Kubectl) -> None:
    space.create(pods.pod("three", *(sized(space, MIDDLE, name=name) for name in ("c1", "c2", "c3"))))
    space.ready("three")
    third = size("20m", "50Mi")
    resize(space, "three", c1=LARGE, c2=SMALL, c3=third)
    pod = in_force(space, "three", c1=LARGE, c2=SMALL, c3=third)
    assert [each["restartCount"] for each in pod["status"]["containerStatuses"]] == [0, 0, 0]
    assert inside(kubectl, "three", "c3") == (2_000, 50 * MIB)
    assert inside(kubectl, "three", "c1") == (5_000, 50 * MIB)


def test_by_the_replace_endpoint(space: Space) -> None:
    space.create(pods.pod("web", sized(space, MIDDLE)))
    space.ready("web")
    path = space.path("pods", "web")
    wanted = space.rest.get(path + "/resize")
    wanted["spec"]["containers"][0]["resources"] = {"requests": LARGE, "limits": LARGE}
    space.rest.put(path + "/resize", wanted)
    pod = in_force(space, "web", main=LARGE)
    seen = space.rest.get(path + "/resize")
    assert seen["spec"] == pod["spec"]
    assert seen["metadata"]["uid"] == pod["metadata"]["uid"]


def test_a_policy_lets_the_container_start_anew(space: Space, kubectl: Kubectl) -> None:
    main = sized(space, MIDDLE, resizePolicy=RESTARTS)
    sidecar = sized(space, MIDDLE, name="side", restartPolicy="Always")
    space.create(pods.pod("web", main, initContainers=[sidecar], restartPolicy="OnFailure"))
    space.ready("web")
    resize(space, "web", main=size("50m", "30Mi"))
    assert pods.status_of(in_force(space, "web", main=size("50m", "30Mi")))["restartCount"] == 0
    resize(space, "web", main=LARGE)
    in_force(space, "web", main=LARGE)
    restarted = lambda pod: pods.status_of(pod)["restartCount"] == 1 and pods.ready(pod)  # noqa: E731
    space.until("web", restarted, what="was restarted")
    assert inside(kubectl, "web") == (5_000, 50 * MIB)
    resize(space, "web", kind="initContainers", side=LARGE)
    pod = in_force(space, "web", init=True, side=LARGE)
    assert pods.status_of(pod, "side", init=True)["restartCount"] == 0


def test_an_init_container_is_resized_while_it_runs(space: Space, kubectl: Kubectl) -> None:
    first = sized(space, MIDDLE, name="first")
    space.create(pods.pod("web", sized(space, MIDDLE), initContainers=[first]))
    status = partial(pods.status_of, name="first", init=True)
    space.until("web", lambda pod: "running" in status(pod).get("state", {}), what="initializes")
    resize(space, "web", kind="initContainers", first=LARGE)

    def done(pod: Object) -> bool:
        return status(pod)["resources"]["limits"] == LARGE and not pods.condition(pod, "PodResizeInProgress")

    assert status(space.until("web", done, what="has been resized"))["restartCount"] == 0
    assert inside(kubectl, "web", container="first") == (5_000, 50 * MIB)


def whole(space: Space, pod: str, amounts: Object) -> Object:
    """Resizes the pod itself, and gives back how it is then."""
    body = {"spec": {"resources": {"requests": amounts, "limits": amounts}}}
    space.rest.patch(space.path("pods", pod) + "/resize", body, content_type=STRATEGIC)

    def holds(found: Object) -> bool:
        left = [kind for kind in ("PodResizePending", "PodResizeInProgress") if pods.condition(found, kind)]
        return found["status"]["resources"]["limits"] == amounts and not left and pods.ready(found)

    return space.until(pod, holds, what=f"has {amounts} as a whole")


def test_what_the_pod_itself_has_is_resized(space: Space, kubectl: Kubectl) -> None:
    """Containers without limits of their own follow; those whose policy says so by a restart."""
    plain, own = pods.container(space.image), sized(space, SMALL, name="own")
    again = pods.container(space.image, name="again", resizePolicy=RESTARTS)
    resources = {"requests": LARGE, "limits": LARGE}
    space.create(pods.pod("web", plain, own, again, resources=resources, restartPolicy="OnFailure"))
    pod = space.ready("web")
    assert pod["status"]["allocatedResources"] == LARGE
    assert inside(kubectl, "web") == inside(kubectl, "web", "again") == (5_000, 50 * MIB)
    pod = whole(space, "web", size("70m", "70Mi"))
    assert pod["status"]["allocatedResources"] == size("70m", "70Mi")
    restarted = lambda pod: pods.status_of(pod, "again")["restartCount"] == 1 and pods.ready(pod)  # noqa: E731
    pod = space.until("web", restarted, what="restarts the container whose policy says so")
    assert [pods.status_of(pod, name)["restartCount"] for name in ("main", "own")] == [0, 0]
    assert inside(kubectl, "web") == inside(kubectl, "web", "again") == (7_000, 70 * MIB)
    assert inside(kubectl, "web", "own") == (2_000, 20 * MIB)


def test_memory_below_what_is_used_is_refused_until_it_is_taken_back(space: Space) -> None:
    space.create(pods.pod("web", sized(space, MIDDLE)))
    space.ready("web")
    tiny = size("30m", "10Ki")
    resize(space, "web", main=tiny)
    failed = lambda pod: pods.condition(pod, "PodResizeInProgress").get("reason") == "Error"  # noqa: E731
    pod = space.until("web", failed, what="reports an error")
    assert (
        "memory limit (10240) below current usage (" in pods.condition(pod, "PodResizeInProgress")["message"]
    )
    assert pods.status_of(pod)["resources"]["limits"] == MIDDLE
    assert pods.status_of(pod)["allocatedResources"] == tiny
    assert space.event("web", "ResizeError")["type"] == "Warning"
    resize(space, "web", main=MIDDLE)
    in_force(space, "web", main=MIDDLE)


def test_what_the_node_never_has(space: Space) -> None:
    space.create(pods.pod("web", sized(space, MIDDLE)))
    space.ready("web")
    resize(space, "web", main=size("1k", "30Mi"))
    told = lambda pod: pods.condition(pod, "PodResizePending")  # noqa: E731
    pod = space.until("web", told, what="has a pending resize")
    condition = pods.condition(pod, "PodResizePending")
    assert (condition["status"], condition["reason"]) == ("True", "Infeasible")
    assert condition["message"].startswith(
        "Node didn't have enough capacity: cpu, requested: 1000000, capacity: "
    )
    assert pods.status_of(pod)["resources"]["limits"] == MIDDLE
    assert space.event("web", "ResizeInfeasible")["type"] == "Warning"
    resize(space, "web", main=MIDDLE)
    in_force(space, "web", main=MIDDLE)


def test_what_another_pod_has_is_waited_for(space: Space) -> None:
    node: Object = space.rest.get("/api/v1/nodes")["items"][0]
    whole = int(node["status"]["allocatable"]["cpu"])
    most = {"requests": {"cpu": f"{whole * 1000 - 700}m"}}
    space.create(pods.pod("holder", pods.container(space.image, resources=most)))
    space.create(pods.pod("web", sized(space, MIDDLE)))
    space.ready("holder")
    space.ready("web")
    wanted = size("900m", "30Mi")
    resize(space, "web", main=wanted)
    told = lambda pod: pods.condition(pod, "PodResizePending").get("reason") == "Deferred"  # noqa: E731
    pod = space.until("web", told, what="is deferred")
    message = pods.condition(pod, "PodResizePending")["message"]
    assert message.startswith("Node didn't have enough resource: cpu, requested: 900, used: ")
    assert space.event("web", "ResizeDeferred")["type"] == "Warning"
    space.remove_pod("holder")
    in_force(space, "web", main=wanted)


def test_what_was_given_counts_against_the_quota(space: Space) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "quota"},
        "spec": {"hard": {"limits.memory": "100Mi"}},
    }
    space.create(quota, "resourcequotas")
    space.create(pods.pod("web", sized(space, MIDDLE)))
    space.ready("web")
    resize(space, "web", main=LARGE)
    in_force(space, "web", main=LARGE)

    def used() -> bool:
        status = space.rest.get(space.path("resourcequotas", "quota")).get("status") or {}
        return bool((status.get("used") or {}).get("limits.memory") == "50Mi")

    eventually(used, what="the quota counts the new limit")
    path = space.path("pods", "web") + "/resize"
    body = _patch({"main": size("50m", "200Mi")})
    refusal = space.rest.refusal(403, "PATCH", path, body, content_type=STRATEGIC)
    assert "exceeded quota" in refusal["message"]
