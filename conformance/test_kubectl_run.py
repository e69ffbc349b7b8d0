"""A first pod with kubectl: run, look at it, delete it."""

import re

import pytest

from conformance import pods
from conformance.kubectl import Kubectl
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")


@pytest.fixture
def web(kubectl: Kubectl, space: Space) -> str:
    """The name of a running pod that `kubectl run` made."""
    kubectl("run", "web", f"--image={space.image}", "--", "sh", "-c", pods.IDLE)
    kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=30s")
    return "web"


def test_run_makes_a_pod_that_becomes_ready(space: Space, web: str) -> None:
    pod = space.pod(web)
    assert pod["metadata"]["labels"] == {"run": "web"}
    assert pod["spec"]["restartPolicy"] == "Always"
    assert pod["status"]["phase"] == "Running"
    kinds = {found["type"]: found["status"] for found in pod["status"]["conditions"]}
    assert (
        kinds.items()
        >= dict.fromkeys(["Initialized", "Ready", "ContainersReady", "PodScheduled"], "True").items()
    )


def test_get_shows_its_columns(kubectl: Kubectl, web: str) -> None:
    heading, row = kubectl("get", "pod", web).lines
    assert heading.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert row.split()[:4] == ["web", "1/1", "Running", "0"]


def test_get_wide_shows_address_and_node(kubectl: Kubectl, space: Space, web: str) -> None:
    heading, row = kubectl("get", "pod", web, "-o", "wide").lines
    assert heading.split() == [
        "NAME",
        "READY",
        "STATUS",
        "RESTARTS",
        "AGE",
        "IP",
        "NODE",
        "NOMINATED",
        "NODE",
        "READINESS",
        "GATES",
    ]
    pod = space.pod(web)
    assert row.split()[5:7] == [pod["status"]["podIP"], pod["spec"]["nodeName"]]


def test_get_in_other_formats(kubectl: Kubectl, web: str) -> None:
    assert kubectl("get", "pods", "-o", "name").text == "pod/web\n"
    assert kubectl("get", "pod", web, "-o", "jsonpath={.status.phase}").text == "Running"
    assert kubectl("get", "pod", web, "-o", "yaml").text.startswith("apiVersion: v1\n")
    columns = kubectl("get", "pods", "-o", "custom-columns=N:.metadata.name,P:.status.phase").lines
    assert columns[1].split() == ["web", "Running"]


def test_get_of_all_kinds(kubectl: Kubectl, web: str) -> None:
    assert f"pod/{web}" in kubectl("get", "all").text


def test_get_of_nothing(kubectl: Kubectl, space: Space) -> None:
    result = kubectl("get", "pods")
    assert result.errors == f"No resources found in {space.name} namespace.\n"


def test_describe_tells_the_story(kubectl: Kubectl, space: Space, web: str) -> None:
    space.event(web, "Started")
    text = kubectl("describe", "pod", web).text
    for part in (
        "Name:             web",
        "Status:           Running",
        "Container ID:  containerd://",
        "QoS Class:",
    ):
        assert part in text, f"{part!r} not in {text}"
    reasons = ["Scheduled", "Pulled", "Created", "Started"]
    assert all(re.search(rf"Normal +{reason}", text) for reason in reasons), text
    assert f"Successfully assigned {space.name}/web to " in text


def test_events_of_a_pod(kubectl: Kubectl, space: Space, web: str) -> None:
    space.event(web, "Started")
    messages = {event["reason"]: event["message"] for event in space.events(web)}
    assert messages["Pulled"].startswith(f'Container image "{space.image}" already present on machine')
    assert "web" in messages["Created"] or messages["Created"] == "Container created"
    listed = kubectl("get", "events").text
    assert "pod/web" in listed
    assert "Scheduled" in listed
    assert "Started" in kubectl("events", f"--for=pod/{web}").text


def test_a_pod_is_deleted(kubectl: Kubectl, space: Space, web: str) -> None:
    assert kubectl("delete", "pod", web).text.startswith('pod "web" deleted')
    space.rest.refusal(404, "GET", space.path("pods", web))


def test_a_pod_is_deleted_by_force(kubectl: Kubectl, space: Space) -> None:
    space.run_ready("deaf", "trap '' TERM; sleep 1000", terminationGracePeriodSeconds=1000)
    result = kubectl("delete", "pod", "deaf", "--force", "--grace-period=0", timeout=15)
    assert 'pod "deaf" force deleted' in result.text
    assert "Immediate deletion does not wait for confirmation" in result.errors
    space.rest.refusal(404, "GET", space.path("pods", "deaf"))


def test_run_attached_and_removed(kubectl: Kubectl, space: Space) -> None:
    command = ["run", "once", f"--image={space.image}", "--rm", "-i", "--restart=Never", "--quiet"]
    result = kubectl(*command, "--", "sh", "-c", "read line; echo got $line", stdin="hello\n")
    assert "got hello" in result.text
    space.rest.gone(space.path("pods", "once"))


def test_the_nodes(kubectl: Kubectl) -> None:
    heading, *rows = kubectl("get", "nodes", "-o", "wide").lines
    assert heading.split()[:5] == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert "CONTAINER-RUNTIME" in heading
    assert any(row.split()[1] == "Ready" and "containerd://" in row for row in rows), rows


def test_a_node_is_described(kubectl: Kubectl, web: str, space: Space) -> None:
    node = space.pod(web)["spec"]["nodeName"]
    text = kubectl("describe", "node", node).text
    for part in ("Ready", "MemoryPressure", "Capacity:", "Allocatable:", "Kubelet Version:", "Lease:"):
        assert part in text, f"{part!r} not in {text}"
    assert f"{space.name}" in text.partition("Non-terminated Pods:")[2]
