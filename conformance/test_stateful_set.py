"""StatefulSets: scaling in order and in parallel, rolling updates whole and in part, recreation, status."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conformance import pods
from conformance.kubectl import Kubectl
from conformance.rest import MERGE
from conformance.space import Space
from conformance.waiting import eventually
from conformance.workload import (
    FIRST_IMAGE,
    GROUP,
    READY,
    SECOND_IMAGE,
    Workload,
    image_of,
    names,
    revision_of,
    shows_changes_of_its_status,
)

Object = dict[str, Any]


def _set(space: Space, replicas: int = 3, *, image: str = FIRST_IMAGE, **spec: Any) -> Workload:
    workload = Workload(space, "statefulsets")
    workload.create(image, replicas=replicas, serviceName="web", **spec)
    return workload


def _ready(workload: Workload, count: int) -> Object:
    def holds(found: Object) -> bool:
        status = found["status"]
        return bool(status.get("readyReplicas", 0) == status["replicas"] == count)

    return workload.until(holds, what=f"has {count} ready pods")


def _updated(workload: Workload) -> Object:
    """When its rolling update is over."""

    def over(found: Object) -> bool:
        status, wanted = found["status"], found["spec"]["replicas"]
        if status["currentRevision"] != status["updateRevision"]:
            return False
        return bool(status.get("updatedReplicas") == status.get("readyReplicas") == wanted)

    return workload.until(over, what="is updated")


@contextmanager
def _watched(workload: Workload) -> Iterator[Iterator[tuple[str, str]]]:
    """What comes and goes: (ADDED or DELETED, the pod's name)."""
    space = workload.space
    version = space.rest.get(space.path("pods"))["metadata"]["resourceVersion"]
    with space.rest.watch(space.path("pods"), resourceVersion=version, timeout=60) as events:
        yield (
            (event["type"], event["object"]["metadata"]["name"])
            for event in events
            if event["type"] in ("ADDED", "DELETED")
        )


def _next(events: Iterator[tuple[str, str]], count: int) -> list[tuple[str, str]]:
    return [next(events) for _ in range(count)]


def _images(workload: Workload) -> list[str]:
    return [image_of(pod) for pod in workload.pods()]


def test_rolling_updates_and_roll_backs_of_template_modifications(virtual_space: Space) -> None:
    web = _set(virtual_space)
    first = _ready(web, 3)["status"]
    assert first["currentRevision"] == first["updateRevision"]
    assert {revision_of(pod) for pod in web.pods()} == {first["currentRevision"]}
    for image in (SECOND_IMAGE, FIRST_IMAGE):
        web.set_ready("web-1", False)
        web.use(image)
        status = web.until(
            lambda found: found["status"]["currentRevision"] != found["status"]["updateRevision"],
            what="has an update under way",
        )["status"]
        assert names(web.pods()) == ["web-0", "web-1", "web-2"]
        assert image not in _images(web)
        with _watched(web) as events:
            web.set_ready("web-1", True)
            came = [name for kind, name in _next(events, 6) if kind == "ADDED"]
        assert came == ["web-2", "web-1", "web-0"]
        assert _updated(web)["status"]["currentRevision"] == status["updateRevision"]
        assert _images(web) == [image] * 3
        assert {revision_of(pod) for pod in web.pods()} == {status["updateRevision"]}
    assert _updated(web)["status"]["currentRevision"] == first["currentRevision"]


def test_canary_updates_and_phased_rolling_updates_of_template_modifications(virtual_space: Space) -> None:
    web = _set(virtual_space, updateStrategy=_partition(3))
    first = _ready(web, 3)["status"]["currentRevision"]
    web.use(SECOND_IMAGE)
    update = web.until(lambda found: found["status"]["updateRevision"] != first, what="knows its update")[
        "status"
    ]["updateRevision"]
    assert [revision_of(pod) for pod in web.pods()] == [first] * 3
    web.patch(updateStrategy=_partition(2))
    _has_revisions(web, first, first, update)
    for name in ("web-0", "web-2"):
        _replaced(virtual_space, name)
    _has_revisions(web, first, first, update)
    web.patch(updateStrategy=_partition(1))
    _has_revisions(web, first, update, update)
    web.patch(updateStrategy=_partition(0))
    assert _updated(web)["status"]["currentRevision"] == update
    assert _images(web) == [SECOND_IMAGE] * 3


def _replaced(space: Space, name: str) -> None:
    """Delete a pod and wait for the next of its name."""
    before = space.pod(name)["metadata"]["uid"]
    space.rest.delete(space.path("pods", name))

    def probe() -> bool:
        answer = space.rest.request("GET", space.path("pods", name))
        return answer.code == 200 and answer.object["metadata"]["uid"] != before

    eventually(probe, what=f"{name} is replaced")


def _partition(number: int) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": number}}


def _has_revisions(workload: Workload, *expected: str) -> None:
    def probe() -> bool:
        found = workload.pods()
        assert [revision_of(pod) for pod in found] == list(expected)
        return all(pods.ready(pod) for pod in found)

    eventually(probe, what=f"pods have the revisions {expected} and are ready")


def test_scaling_happens_in_predictable_order_and_halts_if_any_pod_is_unhealthy(
    virtual_space: Space,
) -> None:
    web = _set(virtual_space, 1)
    _ready(web, 1)
    web.set_ready("web-0", False)
    with _watched(web) as events:
        web.patch(replicas=3)
        web.until(lambda found: found["status"]["replicas"] == 1, what="has seen that it is to grow")
        assert names(web.pods()) == ["web-0"]
        web.set_ready("web-0", True)
        assert _next(events, 2) == [("ADDED", "web-1"), ("ADDED", "web-2")]
    _ready(web, 3)
    pods_of_web = ("web-0", "web-1", "web-2")
    for name in pods_of_web:
        web.set_ready(name, False)
    with _watched(web) as events:
        web.patch(replicas=0)
        web.until(lambda found: found["status"]["replicas"] == 3, what="has seen that it is to shrink")
        assert names(web.pods()) == list(pods_of_web)
        web.set_ready("web-0", True)
        assert names(web.pods()) == list(pods_of_web)
        web.mark_ready("web-1", True)  # now the third may go as it is: it is the first that is unhealthy
        assert _next(events, 3) == [("DELETED", f"web-{number}") for number in (2, 1, 0)]
    _ready(web, 0)


def test_burst_scaling_runs_to_completion_even_with_unhealthy_pods(virtual_space: Space) -> None:
    web = _set(virtual_space, 1, podManagementPolicy="Parallel")
    _ready(web, 1)
    web.set_ready("web-0", False)
    web.patch(replicas=3)
    web.until(lambda found: found["status"]["replicas"] == 3, what="has grown")
    web.set_ready("web-0", True)
    _ready(web, 3)
    web.set_ready("web-0", False)
    web.patch(replicas=0)
    _ready(web, 0)
    assert web.pods() == []


def test_an_evicted_pod_is_recreated(virtual_space: Space) -> None:
    web = _set(virtual_space, 1)
    _ready(web, 1)
    (before,) = web.pods()
    evicted = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    path = virtual_space.path("pods", "web-0") + "/status"
    virtual_space.rest.patch(path, {"status": evicted}, content_type=MERGE)

    def again() -> bool:
        ready = [pod["metadata"]["uid"] for pod in web.pods() if pods.ready(pod)]
        return bool(ready) and ready != [before["metadata"]["uid"]]

    eventually(again, what="web-0 runs again")


def test_a_pod_that_its_node_rejects_is_recreated_until_it_is_taken(virtual_space: Space) -> None:
    node = virtual_space.rest.get("/api/v1/nodes")["items"][0]["metadata"]["name"]
    ports = [{"containerPort": 21017, "hostPort": 21017}]
    main = pods.container(FIRST_IMAGE, name="web", ports=ports)
    virtual_space.create(pods.pod("holder", main, nodeName=node))
    virtual_space.ready("holder")
    web = Workload(virtual_space, "statefulsets")
    with virtual_space.rest.watch(virtual_space.path("pods")) as events:
        web.create(more={"nodeName": node, "containers": [main]}, replicas=1, serviceName="web")
        of_web = (each for each in events if each["object"]["metadata"]["name"] == "web-0")
        gone = next(event["object"] for event in of_web if event["type"] == "DELETED")
    assert (gone["status"]["phase"], gone["status"]["reason"]) == ("Failed", "NodePorts")
    virtual_space.remove_pod("holder")
    _ready(web, 1)


def test_a_working_scale_subresource(virtual_space: Space) -> None:
    web = _set(virtual_space, 1)
    _ready(web, 1)
    rest, path = virtual_space.rest, f"{web.path}/scale"
    scale = rest.get(path)
    assert (scale["kind"], scale["spec"]["replicas"], scale["status"]["replicas"]) == ("Scale", 1, 1)
    assert scale["status"]["selector"] == "app=web"
    scale["spec"]["replicas"] = 2
    assert rest.put(path, scale)["spec"]["replicas"] == 2
    assert web.get()["spec"]["replicas"] == 2
    rest.patch(path, {"spec": {"replicas": 4}}, content_type=MERGE)
    assert web.get()["spec"]["replicas"] == 4
    _ready(web, 4)


def test_list_patch_and_delete_a_collection(virtual_space: Space) -> None:
    web = _set(virtual_space, 1)
    _ready(web, 1)
    rest, everywhere = virtual_space.rest, f"/{GROUP}/statefulsets"
    label = f"{virtual_space.name}=patched"
    patch = {
        "metadata": {"labels": {virtual_space.name: "patched"}},
        "spec": {
            "replicas": 2,
            "template": {"spec": {"containers": [{"name": "web", "image": SECOND_IMAGE}]}},
        },
    }
    strategic = "application/strategic-merge-patch+json"
    patched = rest.patch(web.path, patch, content_type=strategic)
    assert patched["spec"]["template"]["spec"]["containers"][0]["image"] == SECOND_IMAGE
    _updated(web)
    assert names(rest.get(everywhere, labelSelector=label)["items"]) == ["web"]
    rest.delete(virtual_space.path("statefulsets", group=GROUP), labelSelector=label)
    rest.gone(web.path)
    assert rest.get(everywhere, labelSelector=label)["items"] == []
    eventually(lambda: not web.pods(), what="its pods are gone, too")


def test_status_endpoints(virtual_space: Space) -> None:
    web = _set(virtual_space, 1)
    _ready(web, 1)
    shows_changes_of_its_status(web)


def test_claims_go_when_the_set_is_scaled_down_or_deleted_if_it_says_so(virtual_space: Space) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    web = _set(
        virtual_space,
        2,
        podManagementPolicy="Parallel",
        volumeClaimTemplates=[claim],
        persistentVolumeClaimRetentionPolicy=policy,
    )

    def claims() -> list[str]:
        return names(virtual_space.rest.get(virtual_space.path("persistentvolumeclaims"))["items"])

    eventually(lambda: sorted(claims()) == ["data-web-0", "data-web-1"], what="both have a claim")
    web.until(lambda found: found["status"]["replicas"] == 2, what="has its pods")
    web.patch(replicas=1)
    eventually(lambda: claims() == ["data-web-0"], what="the claim goes with the pod that was too many")
    web.delete()
    eventually(lambda: not claims(), what="the other goes with the set")


def test_a_pod_is_adopted_and_released(virtual_space: Space) -> None:
    web = _set(virtual_space, 1)
    _ready(web, 1)
    (before,) = web.pods()
    path = virtual_space.path("pods", "web-0")
    for change in ({"ownerReferences": None}, {"labels": {"app": None}}, {"labels": {"app": "web"}}):
        virtual_space.rest.patch(path, {"metadata": change}, content_type=MERGE)
        owned = change != {"labels": {"app": None}}
        virtual_space.until(
            "web-0",
            lambda pod, owned=owned: bool(pod["metadata"].get("ownerReferences")) is owned,  # type: ignore[misc]
            what=f"is owned: {owned}",
        )
    assert virtual_space.pod("web-0")["metadata"]["uid"] == before["metadata"]["uid"]
    _ready(web, 1)


def test_on_delete_pods_are_updated_when_they_are_deleted(virtual_space: Space) -> None:
    web = _set(virtual_space, updateStrategy={"type": "OnDelete"})
    _ready(web, 3)
    web.use(SECOND_IMAGE)
    web.until(lambda found: True, what="has seen its update")
    assert _images(web) == [FIRST_IMAGE] * 3
    _replaced(virtual_space, "web-1")
    _ready(web, 3)
    assert _images(web) == [FIRST_IMAGE, SECOND_IMAGE, FIRST_IMAGE]


def test_ordinals_begin_where_the_set_says(virtual_space: Space) -> None:
    web = _set(virtual_space, 2, ordinals={"start": 2})
    _ready(web, 2)
    assert names(web.pods()) == ["web-2", "web-3"]
    web.patch(ordinals={"start": 3})
    eventually(lambda: names(web.pods()) == ["web-3", "web-4"], what="the pods have moved")
    _ready(web, 2)
    web.patch(ordinals=None)
    eventually(lambda: names(web.pods()) == ["web-0", "web-1"], what="the pods are back")
    (first, _) = web.pods()
    assert first["spec"]["hostname"] == "web-0"
    assert first["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "0"


def test_pods_become_available_when_they_were_ready_for_a_while(virtual_space: Space) -> None:
    with virtual_space.rest.watch(virtual_space.path("statefulsets", group=GROUP)) as events:
        web = _set(virtual_space, 2, minReadySeconds=1, podManagementPolicy="Parallel")
        seen = []
        for event in events:
            status = event["object"]["status"]
            seen.append((status.get("readyReplicas", 0), status["availableReplicas"]))
            if seen[-1] == (2, 2):
                break
    assert (2, 0) in seen
    assert names(web.pods()) == ["web-0", "web-1"]


def test_more_may_be_unavailable_at_once(virtual_space: Space) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}
    web = _set(virtual_space, 4, updateStrategy=rolling, podManagementPolicy="Parallel")
    _ready(web, 4)
    patch = {"metadata": {"annotations": {READY: "false"}}}
    web.patch(template=patch)
    web.until(lambda found: found["status"].get("updatedReplicas") == 2, what="is held up after two")
    updated = [READY in pod["metadata"].get("annotations", {}) for pod in web.pods()]
    assert updated == [False, False, True, True]
    web.patch(template={"metadata": {"annotations": None}})
    _updated(web)


def test_kubectl_rollout(virtual_space: Space, virtual_kubectl: Kubectl) -> None:
    web = _set(virtual_space, 2)
    kubectl = virtual_kubectl
    status = kubectl("rollout", "status", "statefulset/web", "--timeout=60s").text
    assert "statefulset rolling update complete 2 pods at revision web-" in status or "complete" in status
    kubectl("set", "image", "statefulset/web", f"web={SECOND_IMAGE}")
    kubectl("rollout", "status", "statefulset/web", "--timeout=60s")
    assert _images(web) == [SECOND_IMAGE] * 2
    history = kubectl("rollout", "history", "statefulset/web").lines
    assert [line.split()[0] for line in history if line[:1].isdigit()] == ["1", "2"]
    assert FIRST_IMAGE in kubectl("rollout", "history", "statefulset/web", "--revision=1").text
    assert "rolled back" in kubectl("rollout", "undo", "statefulset/web").text
    kubectl("rollout", "status", "statefulset/web", "--timeout=60s")
    assert _images(web) == [FIRST_IMAGE] * 2
    before = {pod["metadata"]["uid"] for pod in web.pods()}
    kubectl("rollout", "restart", "statefulset/web")
    kubectl("rollout", "status", "statefulset/web", "--timeout=60s")
    assert not before & {pod["metadata"]["uid"] for pod in web.pods()}
    kubectl("scale", "statefulset/web", "--replicas=3")
    _ready(web, 3)


def test_its_pods_stay_when_it_is_deleted_alone(virtual_space: Space, virtual_kubectl: Kubectl) -> None:
    web = _set(virtual_space, 2)
    _ready(web, 2)
    uids = {pod["metadata"]["uid"] for pod in web.pods()}
    virtual_kubectl("delete", "statefulset", "web", "--cascade=orphan")
    eventually(
        lambda: all(not pod["metadata"].get("ownerReferences") for pod in web.pods()),
        what="its pods have no owner",
    )
    web.create(replicas=2, serviceName="web")
    _ready(web, 2)
    assert {pod["metadata"]["uid"] for pod in web.pods()} == uids


def test_real_pods_come_in_order_and_are_updated(space: Space, kubectl: Kubectl, containers: None) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1}
    script = "touch /tmp/ready; " + pods.IDLE
    main = pods.container(space.image, script, name="web", readinessProbe=probe)
    web = _set(space, 2, image=space.image, more={"containers": [main]})
    _ready(web, 2)
    kubectl("exec", "web-0", "--", "rm", "/tmp/ready")
    space.until("web-0", lambda pod: not pods.ready(pod), what="is not ready")
    web.patch(replicas=3)
    web.until(lambda found: found["status"]["replicas"] == 2, what="has seen that it is to grow")
    kubectl("exec", "web-0", "--", "touch", "/tmp/ready")
    _ready(web, 3)
    assert kubectl("exec", "web-2", "--", "hostname").text.strip() == "web-2"
    kubectl("set", "env", "statefulset/web", "A=b")
    _updated(web)
    assert kubectl("exec", "web-0", "--", "sh", "-c", "echo $A").text.strip() == "b"
