"""DaemonSets: a pod on each node that fits, replacement, rolling updates and roll backs, status."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conformance import pods
from conformance.kubectl import Kubectl
from conformance.rest import MERGE, Rest
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
COLOUR = "daemonset-color"


def _set(space: Space, image: str = FIRST_IMAGE, *, more: Object | None = None, **spec: Any) -> Workload:
    workload = Workload(space, "daemonsets")
    workload.create(image, more=more, **spec)
    return workload


def _nodes(rest: Rest) -> list[str]:
    """Those that take pods."""
    found = rest.get("/api/v1/nodes")["items"]
    return sorted(node["metadata"]["name"] for node in found if not _keeps_away(node))


def _keeps_away(node: Object) -> bool:
    return any(taint["effect"] != "PreferNoSchedule" for taint in node["spec"].get("taints", []))


def _runs_on(workload: Workload, nodes: list[str]) -> None:
    """Until one ready pod is on each of the nodes and none elsewhere, and the status says so."""

    def probe() -> bool:
        found = workload.pods()
        assert sorted(pod["spec"].get("nodeName", "") for pod in found) == nodes
        assert all(pods.ready(pod) for pod in found)
        status = workload.get()["status"]
        counts = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady")
        return [status[count] for count in counts] == [len(nodes)] * 3

    eventually(probe, what=f"runs on {nodes}", timeout=60)


def _all_have(workload: Workload, image: str, nodes: list[str]) -> None:
    _runs_on(workload, nodes)
    eventually(
        lambda: [image_of(pod) for pod in workload.pods()] == [image] * len(nodes),
        what=f"all have {image}",
        timeout=60,
    )
    _runs_on(workload, nodes)


@contextmanager
def _painted(rest: Rest, node: str) -> Iterator[str]:
    """The path of a node that has no colour now nor afterwards."""
    path = f"/api/v1/nodes/{node}"
    try:
        yield path
    finally:
        _paint(rest, path, None)


def _paint(rest: Rest, path: str, colour: str | None) -> None:
    rest.patch(path, {"metadata": {"labels": {COLOUR: colour}}}, content_type=MERGE)


def test_run_and_stop_a_simple_daemon(virtual_space: Space) -> None:
    nodes = _nodes(virtual_space.rest)
    web = _set(virtual_space)
    _runs_on(web, nodes)
    (lost, *_) = names(web.pods())
    virtual_space.rest.delete(virtual_space.path("pods", lost))
    eventually(lambda: lost not in names(web.pods()), what="the deleted one is gone")
    _runs_on(web, nodes)
    web.delete()
    eventually(lambda: not web.pods(), what="its pods are gone, too")


def test_run_and_stop_a_complex_daemon(virtual_space: Space) -> None:
    rest = virtual_space.rest
    node = _nodes(rest)[0]
    with _painted(rest, node) as path:
        web = _set(virtual_space, more={"nodeSelector": {COLOUR: "blue"}})
        _runs_on(web, [])
        _paint(rest, path, "blue")
        _runs_on(web, [node])
        _paint(rest, path, "green")
        _runs_on(web, [])
        web.patch(
            template={"spec": {"nodeSelector": {COLOUR: "green"}}}, updateStrategy={"type": "RollingUpdate"}
        )
        _runs_on(web, [node])


def test_a_complex_daemon_with_node_affinity(virtual_space: Space) -> None:
    rest = virtual_space.rest
    node = _nodes(rest)[0]
    expression = {"key": COLOUR, "operator": "In", "values": ["blue"]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    with _painted(rest, node) as path:
        web = _set(virtual_space, more={"affinity": affinity})
        _runs_on(web, [])
        _paint(rest, path, "blue")
        _runs_on(web, [node])
        _paint(rest, path, None)
        _runs_on(web, [])


def test_retry_creating_failed_daemon_pods(virtual_space: Space) -> None:
    nodes = _nodes(virtual_space.rest)
    web = _set(virtual_space)
    _runs_on(web, nodes)
    (failing, *_) = names(web.pods())
    path = virtual_space.path("pods", failing)
    virtual_space.rest.patch(f"{path}/status", {"status": {"phase": "Failed"}}, content_type=MERGE)
    virtual_space.rest.gone(path)
    _runs_on(web, nodes)
    assert virtual_space.event("web", "FailedDaemonPod")["message"].endswith("will try to kill it")


def test_an_update_of_the_spec_updates_the_pods(virtual_space: Space) -> None:
    nodes = _nodes(virtual_space.rest)
    web = _set(virtual_space, updateStrategy={"type": "RollingUpdate"})
    _runs_on(web, nodes)
    (first,) = web.revisions()
    assert first["revision"] == 1
    hashes = {revision_of(pod) for pod in web.pods()}
    assert hashes == {first["metadata"]["labels"]["controller-revision-hash"]}
    web.use(SECOND_IMAGE)
    _all_have(web, SECOND_IMAGE, nodes)
    assert [each["revision"] for each in web.revisions()] == [1, 2]
    assert {revision_of(pod) for pod in web.pods()} == {
        web.revisions()[-1]["metadata"]["labels"]["controller-revision-hash"]
    }


def test_on_delete_pods_are_updated_when_they_are_deleted(virtual_space: Space) -> None:
    nodes = _nodes(virtual_space.rest)
    web = _set(virtual_space, updateStrategy={"type": "OnDelete"})
    _runs_on(web, nodes)
    web.use(SECOND_IMAGE)
    web.until(lambda found: "updatedNumberScheduled" not in found["status"], what="has seen its update")
    (first, *_) = web.pods()
    assert image_of(first) == FIRST_IMAGE
    virtual_space.rest.delete(virtual_space.path("pods", first["metadata"]["name"]))
    web.until(lambda found: found["status"].get("updatedNumberScheduled") == 1, what="has one updated")
    _runs_on(web, nodes)
    assert sorted(map(image_of, web.pods())) == [FIRST_IMAGE] * (len(nodes) - 1) + [SECOND_IMAGE]


def test_an_update_with_surge_brings_new_pods_first(virtual_space: Space) -> None:
    nodes = _nodes(virtual_space.rest)
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    web = _set(virtual_space, updateStrategy={"type": "RollingUpdate", "rollingUpdate": rolling})
    _runs_on(web, nodes)
    version = web.get()["metadata"]["resourceVersion"]
    collection = virtual_space.path("daemonsets", group=GROUP)
    with virtual_space.rest.watch(collection, resourceVersion=version, timeout=60) as events:
        web.use(SECOND_IMAGE)
        for event in events:
            status = event["object"]["status"]
            assert status.get("numberUnavailable", 0) == 0
            if status.get("updatedNumberScheduled") == len(nodes) == status["numberReady"]:
                break
    _all_have(web, SECOND_IMAGE, nodes)


def test_roll_back_without_unnecessary_restarts(virtual_space: Space) -> None:
    nodes = _nodes(virtual_space.rest)
    web = _set(virtual_space, updateStrategy={"type": "RollingUpdate"})
    _runs_on(web, nodes)
    before = {pod["metadata"]["uid"] for pod in web.pods()}
    broken = {"metadata": {"annotations": {READY: "false"}}}
    web.patch(template=broken)
    eventually(
        lambda: any(READY in pod["metadata"].get("annotations", {}) for pod in web.pods()),
        what="a pod is replaced by one that does not become ready",
    )
    web.until(lambda found: found["status"].get("updatedNumberScheduled") == 1, what="is held up")
    assert len(before & {pod["metadata"]["uid"] for pod in web.pods()}) == len(nodes) - 1
    web.patch(template={"metadata": {"annotations": None}})
    _runs_on(web, nodes)
    assert len(before & {pod["metadata"]["uid"] for pod in web.pods()}) == len(nodes) - 1
    assert [each["revision"] for each in web.revisions()] == [2, 3]


def test_list_and_delete_a_collection(virtual_space: Space) -> None:
    rest = virtual_space.rest
    web = _set(virtual_space)
    _runs_on(web, _nodes(rest))
    label = f"{virtual_space.name}=yes"
    rest.patch(web.path, {"metadata": {"labels": {virtual_space.name: "yes"}}}, content_type=MERGE)
    assert names(rest.get(f"/{GROUP}/daemonsets", labelSelector=label)["items"]) == ["web"]
    rest.delete(virtual_space.path("daemonsets", group=GROUP), labelSelector=label)
    rest.gone(web.path)
    eventually(lambda: not web.pods(), what="its pods are gone, too")


def test_changes_of_the_status(virtual_space: Space) -> None:
    web = _set(virtual_space)
    _runs_on(web, _nodes(virtual_space.rest))
    shows_changes_of_its_status(web)


def test_kubectl_rollout(virtual_space: Space, virtual_kubectl: Kubectl) -> None:
    nodes = _nodes(virtual_space.rest)
    web, kubectl = _set(virtual_space), virtual_kubectl
    done = 'daemon set "web" successfully rolled out'
    assert done in kubectl("rollout", "status", "daemonset/web", "--timeout=60s").text
    kubectl("set", "image", "daemonset/web", f"web={SECOND_IMAGE}")
    assert done in kubectl("rollout", "status", "daemonset/web", "--timeout=60s").text
    _all_have(web, SECOND_IMAGE, nodes)
    history = kubectl("rollout", "history", "daemonset/web").lines
    assert [line.split()[0] for line in history if line[:1].isdigit()] == ["1", "2"]
    assert FIRST_IMAGE in kubectl("rollout", "history", "daemonset/web", "--revision=1").text
    assert "rolled back" in kubectl("rollout", "undo", "daemonset/web").text
    assert done in kubectl("rollout", "status", "daemonset/web", "--timeout=60s").text
    _all_have(web, FIRST_IMAGE, nodes)
    before = {pod["metadata"]["uid"] for pod in web.pods()}
    kubectl("rollout", "restart", "daemonset/web")
    assert done in kubectl("rollout", "status", "daemonset/web", "--timeout=60s").text
    assert not before & {pod["metadata"]["uid"] for pod in web.pods()}


def test_a_real_daemon_is_updated(space: Space, kubectl: Kubectl, containers: None) -> None:
    nodes = _nodes(space.rest)
    main = pods.container(space.image, name="web")
    web = _set(space, space.image, more={"containers": [main]})
    _runs_on(web, nodes)
    kubectl("set", "env", "daemonset/web", "A=b")
    kubectl("rollout", "status", "daemonset/web", "--timeout=60s")
    (pod, *_) = names(web.pods())
    assert kubectl("exec", pod, "--", "sh", "-c", "echo $A").text.strip() == "b"
