"""PodDisruptionBudgets and evictions: upstream's e2e tests of them, and `kubectl drain`."""

import json
from typing import Any

import pytest

from conformance import pods
from conformance.kubectl import Kubectl
from conformance.rest import JSON_PATCH, MERGE
from conformance.space import Space
from conformance.waiting import eventually
from conformance.workload import READY

Object = dict[str, Any]
APPS, POLICY = "apis/apps/v1", "apis/policy/v1"
LABELS = {"app": "guarded"}
COUNTS = ("expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed")


def path(space: Space, name: str = "", sub: str = "") -> str:
    return space.path("poddisruptionbudgets", name, group=POLICY) + sub


def budget(space: Space, name: str = "b", **spec: Any) -> Object:
    """A new budget, as soon as it has been counted."""
    body = {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": LABELS}, **spec}}
    space.rest.post(path(space), body)
    return processed(space, name)


def processed(space: Space, name: str = "b") -> Object:
    """The budget when its controller has seen its last change."""

    def probe() -> Object | None:
        found: Object = space.rest.get(path(space, name))
        assert found["status"].get("observedGeneration") == found["metadata"]["generation"], found["status"]
        return found

    return eventually(probe, what=f"budget {name} is processed")


def counted(space: Space, *wanted: int, name: str = "b") -> None:
    """Expected, healthy, desired, allowed."""

    def probe() -> bool:
        status = processed(space, name)["status"]
        assert tuple(status.get(each) for each in COUNTS) == wanted, status
        return True

    eventually(probe, what=f"budget {name} says {wanted}", timeout=60)


def run(space: Space, *names: str, ready: bool = True) -> None:
    """Pods that no controller owns."""
    for name in names:
        made = pods.pod(name, {"name": "c", "image": "registry.example/c"}, restartPolicy="Always")
        made["metadata"] |= {"labels": LABELS, "annotations": {} if ready else {READY: "false"}}
        space.create(made)
    for name in names:
        space.until(name, lambda pod: pod["status"].get("phase") == "Running", what="runs")
        if ready:
            space.ready(name)


def replica_set(space: Space, replicas: int) -> None:
    spec = {"containers": [{"name": "c", "image": "registry.example/c"}], "terminationGracePeriodSeconds": 1}
    template = {"metadata": {"labels": LABELS}, "spec": spec}
    wanted = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template}
    space.rest.post(space.path("replicasets", group=APPS), {"metadata": {"name": "rs"}, "spec": wanted})

    def ready() -> bool:
        found = space.rest.get(space.path("replicasets", "rs", group=APPS))["status"]
        return bool(found.get("readyReplicas") == replicas)

    eventually(ready, what="all replicas are ready", timeout=60)


def daemon_set(space: Space) -> None:
    """One pod on each node, which no drain takes away."""
    labels = {"app": "everywhere"}
    spec = {"containers": [{"name": "c", "image": "registry.example/c"}], "terminationGracePeriodSeconds": 1}
    template = {"metadata": {"labels": labels}, "spec": spec}
    body = {"selector": {"matchLabels": labels}, "template": template}
    space.rest.post(space.path("daemonsets", group=APPS), {"metadata": {"name": "ds"}, "spec": body})

    def ready() -> bool:
        status = space.rest.get(space.path("daemonsets", "ds", group=APPS))["status"]
        return bool(status["numberReady"] == status["desiredNumberScheduled"] > 0)

    eventually(ready, what="the daemon set is everywhere", timeout=60)


def eviction(name: str, **more: Any) -> Object:
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, **more}


def evict(space: Space, name: str, **more: Any) -> None:
    space.rest.post(space.path("pods", name) + "/eviction", eviction(name, **more))


def refused(space: Space, name: str) -> str:
    """Why, by the budget."""
    status = space.rest.refusal(429, "POST", space.path("pods", name) + "/eviction", eviction(name))
    assert status["reason"] == "TooManyRequests"
    assert status["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    (cause,) = status["details"]["causes"]
    assert cause["reason"] == "DisruptionBudget"
    return str(cause["message"])


def test_a_budget_is_created_updated_patched_and_deleted(virtual_space: Space) -> None:
    found = budget(virtual_space, minAvailable=1)
    found["spec"]["minAvailable"] = 2
    assert virtual_space.rest.put(path(virtual_space, "b"), found)["metadata"]["generation"] == 2
    counted(virtual_space, 0, 0, 2, 0)
    patch = {"spec": {"minAvailable": "10%"}}
    patched = virtual_space.rest.patch(path(virtual_space, "b"), patch, content_type=MERGE)
    assert patched["spec"]["minAvailable"] == "10%"
    processed(virtual_space)
    virtual_space.rest.delete(path(virtual_space, "b"))
    virtual_space.rest.gone(path(virtual_space, "b"))


def test_budgets_are_listed_everywhere_and_deleted_together(virtual_space: Space) -> None:
    for name in ("a", "b", "c"):
        budget(virtual_space, name, minAvailable="1%")
    listed = virtual_space.rest.get(f"/{POLICY}/poddisruptionbudgets")["items"]
    assert sum(each["metadata"]["namespace"] == virtual_space.name for each in listed) == 3
    virtual_space.rest.delete(path(virtual_space))
    assert virtual_space.rest.get(path(virtual_space))["items"] == []


def test_the_status_follows_the_pods(virtual_space: Space) -> None:
    budget(virtual_space, minAvailable=1)
    assert virtual_space.event("b", "NoPods")["source"]["component"] == "controllermanager"
    run(virtual_space, "one", "two", "three")
    counted(virtual_space, 3, 3, 1, 2)
    (condition,) = virtual_space.rest.get(path(virtual_space, "b"))["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("DisruptionAllowed", "True")
    assert (condition["reason"], condition["observedGeneration"]) == ("SufficientPods", 1)


def test_the_status_is_written_and_patched_by_itself(virtual_space: Space) -> None:
    run(virtual_space, "one")
    found = budget(virtual_space, minAvailable=1)
    found["status"]["disruptedPods"] = {"one": "2030-01-01T00:00:00Z"}
    written = virtual_space.rest.put(path(virtual_space, "b", "/status"), found)
    assert written["status"]["disruptedPods"] == {"one": "2030-01-01T00:00:00Z"}
    moment = "2030-01-02T00:00:00Z"
    replace = {"op": "replace", "path": "/status/disruptedPods", "value": {"one": moment}}
    patched = virtual_space.rest.patch(
        path(virtual_space, "b", "/status"), [replace], content_type=JSON_PATCH
    )
    assert patched["status"]["disruptedPods"] == {"one": moment}


def test_an_eviction_is_blocked_until_the_budget_allows_it(virtual_space: Space) -> None:
    replica_set(virtual_space, 3)
    budget(virtual_space, minAvailable=3)
    counted(virtual_space, 3, 3, 3, 0)
    first = virtual_space.rest.get(virtual_space.path("pods"))["items"][0]["metadata"]["name"]
    told = "The disruption budget b needs 3 healthy pods and has 3 currently"
    assert refused(virtual_space, first) == told
    virtual_space.rest.patch(path(virtual_space, "b"), {"spec": {"minAvailable": 2}}, content_type=MERGE)
    counted(virtual_space, 3, 3, 2, 1)
    evict(virtual_space, first)
    virtual_space.rest.gone(virtual_space.path("pods", first))
    counted(virtual_space, 3, 3, 2, 1)
    virtual_space.rest.patch(path(virtual_space, "b"), {"spec": {"minAvailable": 3}}, content_type=MERGE)
    counted(virtual_space, 3, 3, 3, 0)
    second = virtual_space.rest.get(virtual_space.path("pods"))["items"][0]["metadata"]["name"]
    assert refused(virtual_space, second) == told
    virtual_space.rest.delete(path(virtual_space, "b"))
    evict(virtual_space, second)
    virtual_space.rest.gone(virtual_space.path("pods", second))


def test_without_a_budget_nothing_is_held(virtual_space: Space) -> None:
    run(virtual_space, "one")
    evict(virtual_space, "one", deleteOptions={"dryRun": ["All"]})
    assert "deletionTimestamp" not in virtual_space.pod("one")["metadata"]
    evict(virtual_space, "one")
    virtual_space.rest.gone(virtual_space.path("pods", "one"))


def test_a_pod_that_is_evicted_says_why(virtual_space: Space) -> None:
    run(virtual_space, "one")
    virtual_space.rest.patch(
        virtual_space.path("pods", "one"), {"metadata": {"finalizers": ["example.com/look"]}}
    )
    evict(virtual_space, "one")
    condition = pods.condition(virtual_space.pod("one"), "DisruptionTarget")
    assert (condition["status"], condition["reason"]) == ("True", "EvictionByEvictionAPI")
    assert condition["message"] == "Eviction API: evicting"
    virtual_space.rest.patch(virtual_space.path("pods", "one"), {"metadata": {"finalizers": None}})


def test_percentages_are_of_what_the_owners_want(virtual_space: Space) -> None:
    budget(virtual_space, maxUnavailable="10%")
    replica_set(virtual_space, 10)
    counted(virtual_space, 10, 10, 9, 1)
    first, second, *_ = virtual_space.rest.get(virtual_space.path("pods"))["items"]
    evict(virtual_space, first["metadata"]["name"])
    again = virtual_space.rest.request(
        "POST",
        virtual_space.path("pods", second["metadata"]["name"]) + "/eviction",
        eviction(second["metadata"]["name"]),
    )
    assert again.code in (201, 429), str(again)  # the first one's successor may be ready by now
    counted(virtual_space, 10, 10, 9, 1)


def test_pods_that_nobody_manages_count_only_where_the_budget_says_a_number(virtual_space: Space) -> None:
    run(virtual_space, "one", "two")
    budget(virtual_space, maxUnavailable=1)
    counted(virtual_space, 0, 2, 0, 0)
    told = virtual_space.event("b", "UnmanagedPods")["message"]
    assert "map[string]string{app: guarded,}" in told
    budget(virtual_space, "number", minAvailable=1)
    counted(virtual_space, 2, 2, 1, 1, name="number")


def test_pods_that_are_not_ready_may_go_when_enough_others_are(virtual_space: Space) -> None:
    run(virtual_space, "sick", ready=False)
    budget(virtual_space, minAvailable=2)
    run(virtual_space, "one")
    counted(virtual_space, 2, 1, 2, 0)
    assert refused(virtual_space, "sick") == (
        "The disruption budget b needs 2 healthy pods and has 1 currently"
    )
    run(virtual_space, "two")
    counted(virtual_space, 3, 2, 2, 0)
    evict(virtual_space, "sick")
    virtual_space.rest.gone(virtual_space.path("pods", "sick"))
    refused(virtual_space, "one")


def test_pods_that_are_not_ready_may_always_go_where_the_budget_says_so(virtual_space: Space) -> None:
    run(virtual_space, "sick", ready=False)
    budget(virtual_space, minAvailable=5, unhealthyPodEvictionPolicy="AlwaysAllow")
    run(virtual_space, "one")
    counted(virtual_space, 2, 1, 5, 0)
    refused(virtual_space, "one")
    evict(virtual_space, "sick")
    virtual_space.rest.gone(virtual_space.path("pods", "sick"))


def test_several_budgets_for_one_pod_are_an_error(virtual_space: Space) -> None:
    run(virtual_space, "one")
    budget(virtual_space, "a", minAvailable=0)
    budget(virtual_space, "b", minAvailable=0)
    answer = virtual_space.rest.request(
        "POST", virtual_space.path("pods", "one") + "/eviction", eviction("one")
    )
    assert answer.code == 500
    assert "more than one PodDisruptionBudget" in answer.object["message"]


@pytest.mark.usefixtures("containers")
def test_real_containers_are_asked_to_end_when_their_pod_is_evicted(space: Space) -> None:
    script = "trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done"
    space.run_until_it_says("up", "one", script, terminationGracePeriodSeconds=20)
    labels = {"metadata": {"labels": LABELS, "finalizers": ["example.com/look"]}}
    space.rest.patch(space.path("pods", "one"), labels)
    budget(space, minAvailable=1)
    counted(space, 1, 1, 1, 0)
    assert refused(space, "one") == "The disruption budget b needs 1 healthy pods and has 1 currently"
    space.rest.patch(path(space, "b"), {"spec": {"minAvailable": 0}})
    counted(space, 1, 1, 0, 1)
    evict(space, "one")
    ended = space.phase("one", "Failed")
    assert pods.exit_code(ended) == 7
    assert pods.condition(space.pod("one"), "DisruptionTarget")["status"] == "True"
    space.rest.patch(space.path("pods", "one"), {"metadata": {"finalizers": None}})
    space.rest.gone(space.path("pods", "one"))


def test_drain_keeps_to_the_budget_and_ends_when_it_can(
    virtual_kubectl: Kubectl, virtual_space: Space
) -> None:
    daemon_set(virtual_space)
    replica_set(virtual_space, 3)
    budget(virtual_space, minAvailable=2)
    counted(virtual_space, 3, 3, 2, 1)
    guarded = f"app={LABELS['app']}"
    listed = virtual_space.rest.get(virtual_space.path("pods"), labelSelector=guarded)["items"]
    node = listed[0]["spec"]["nodeName"]
    there = {pod["metadata"]["name"] for pod in listed if pod["spec"]["nodeName"] == node}
    flags = ("drain", node, f"--pod-selector=app in ({LABELS['app']},everywhere)", "--timeout=60s")
    try:
        refusal = virtual_kubectl.attempt(*flags)
        assert "use --ignore-daemonsets to ignore" in refusal.errors
        done = virtual_kubectl(*flags, "--ignore-daemonsets", timeout=90)
        assert f"ignoring DaemonSet-managed Pods: {virtual_space.name}/ds-" in done.errors
        for name in there:
            assert f"evicting pod {virtual_space.name}/{name}" in done.text + done.errors
        assert virtual_kubectl.json("get", "node", node)["spec"]["unschedulable"] is True
        counted(virtual_space, 3, 3, 2, 1)
        placed = virtual_kubectl.json("get", "pods", "-l", guarded)["items"]
        assert all(pod["spec"].get("nodeName") != node for pod in placed), json.dumps(placed)
    finally:
        virtual_kubectl("uncordon", node)


def test_drain_asks_before_it_deletes_what_cannot_come_again(
    virtual_kubectl: Kubectl, virtual_space: Space
) -> None:
    made = pods.pod("one", {"name": "c", "image": "registry.example/c"}, volumes=[_EMPTY])
    made["metadata"]["labels"] = LABELS
    virtual_space.create(made)
    node = virtual_space.ready("one")["spec"]["nodeName"]
    flags = ("drain", node, f"--pod-selector=app={LABELS['app']}", "--timeout=30s")
    try:
        refusal = virtual_kubectl.attempt(*flags)
        assert "use --delete-emptydir-data to override" in refusal.errors
        refusal = virtual_kubectl.attempt(*flags, "--delete-emptydir-data")
        assert "use --force to override" in refusal.errors
        virtual_kubectl(*flags, "--delete-emptydir-data", "--force")
        virtual_space.rest.gone(virtual_space.path("pods", "one"))
    finally:
        virtual_kubectl("uncordon", node)


_EMPTY = {"name": "scratch", "emptyDir": {}}
