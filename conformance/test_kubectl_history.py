"""What kubectl tells of a workload's revisions and goes back to: upstream's test-cmd for apps and batch.

The pods find no node, as there: only what the controllers say is looked at.
"""

import json

import pytest

from conformance.kubectl import Kubectl
from conformance.rollouts import Object, deployment, template
from conformance.space import Space
from conformance.waiting import eventually

NOWHERE = {"conformance.example.com/nowhere": "true"}
REVISIONS = "deployment.kubernetes.io/revision-history"


def _image(kubectl: Kubectl, workload: str) -> str:
    containers = kubectl.json("get", workload)["spec"]["template"]["spec"]["containers"]
    return " ".join(each["image"] for each in containers)


def _record(kubectl: Kubectl, obj: Object, image: str) -> None:
    obj["spec"]["template"]["spec"]["containers"][0]["image"] = image
    kubectl("apply", "--filename=-", "--record", stdin=json.dumps(obj))


def _history(kubectl: Kubectl, workload: str) -> dict[str, str]:
    """Its lines by number."""
    lines = kubectl("rollout", "history", workload).lines[2:]
    return {line.split()[0]: line for line in lines if line}


@pytest.mark.parametrize("kind", ["DaemonSet", "StatefulSet"])
def test_sets_go_back_to_a_revision(kind: str, virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    kubectl, workload = virtual_kubectl, f"{kind.lower()}.apps/s"
    labels = {"app": "s"}
    spec = {
        "selector": {"matchLabels": labels},
        "template": template(virtual_space, labels, nodeSelector=NOWHERE),
    }
    more = {"serviceName": "s", "replicas": 0} if kind == "StatefulSet" else {}
    obj: Object = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "s"}, "spec": spec | more}

    def reaches(*numbers: str) -> None:
        eventually(lambda: tuple(_history(kubectl, workload)) == numbers, what=f"its history is {numbers}")

    _record(kubectl, obj, "first")
    reaches("1")
    _record(kubectl, obj, "second")
    reaches("1", "2")
    assert all("--record=true" in cause for cause in _history(kubectl, workload).values())
    told = kubectl("rollout", "history", workload, "--revision=1").text
    assert told.startswith(f"{workload} with revision #1\nPod Template:")
    assert "first" in told
    kubectl("rollout", "undo", workload, "--dry-run=server")
    assert _image(kubectl, workload) == "second"
    kubectl("rollout", "undo", workload, "--to-revision=1")
    assert _image(kubectl, workload) == "first"
    reaches("2", "3")
    refused = kubectl.attempt("rollout", "undo", workload, "--to-revision=1000000")
    assert "unable to find specified revision" in refused.errors
    kubectl("rollout", "undo", workload)
    assert _image(kubectl, workload) == "second"
    reaches("3", "4")


def test_a_replica_set_remembers_the_revisions_it_had(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    kubectl, pod = virtual_kubectl, template(virtual_space, {"app": "d"}, nodeSelector=NOWHERE)
    kubectl.apply(deployment(virtual_space, "d", 1, template=pod))

    def reaches(revision: int) -> None:
        shown = (
            "get",
            "deployment/d",
            r"--output=jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}",
        )
        eventually(lambda: kubectl(*shown).text == str(revision), what=f"revision {revision} is reached")

    reaches(1)
    assert "skipped rollback" in kubectl("rollout", "undo", "deployment/d", "--to-revision=1").text
    kubectl("set", "image", "deployment/d", "main=other")
    reaches(2)
    for revision in (3, 4):
        kubectl("rollout", "undo", "deployment/d")
        reaches(revision)
    kubectl("rollout", "pause", "deployment/d")
    for command in ("undo", "restart"):
        assert kubectl.attempt("rollout", command, "deployment/d").code == 1
    kubectl("rollout", "resume", "deployment/d")
    kubectl("rollout", "undo", "deployment/d", "--to-revision=3")
    reaches(5)
    found = {
        each["metadata"]["annotations"].get(REVISIONS) for each in kubectl.json("get", "replicasets")["items"]
    }
    assert found == {"1,3", "2"}
    superseded = kubectl.attempt("rollout", "status", "deployment/d", "--revision=3")
    assert "desired revision (3) is different from the running revision (5)" in superseded.errors


def test_a_schedule_that_never_comes_is_told_of(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    kubectl, flags = virtual_kubectl, ("--schedule=59 23 31 2 *", "--image=perl")
    kubectl("create", "cronjob", "pi", *flags, "--", "true")
    event = virtual_space.event("pi", "InvalidSchedule")
    assert (event["type"], event["source"]["component"]) == ("Warning", "cronjob-controller")
    assert event["message"].startswith("invalid schedule: 59 23 31 2 * : ")
    assert "InvalidSchedule" in kubectl("events", "--for=CronJob/pi", "--types=Warning").text
    kubectl("create", "job", "by-hand", "--from=cronjob/pi", "--dry-run=server")
    assert kubectl.json("get", "jobs")["items"] == []
    kubectl("create", "job", "by-hand", "--from=cronjob/pi")
    virtual_space.event("pi", "UnexpectedJob")
