"""Pods that take more of the node's disk than their limits allow."""

import pytest

from conformance import pods
from conformance.space import Object, Space
from conformance.waiting import eventually

FILL = "dd if=/dev/zero of=%s bs=1M count=%d 2>/dev/null; "


@pytest.fixture(scope="module")
def limits(containers: None, shared_space: Space) -> Space:
    """A namespace of pods each of which exceeds one limit, and of one that exceeds none."""
    space = shared_space
    data = {"name": "data", "emptyDir": {"sizeLimit": "1Mi"}}
    mount = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    some = {"resources": {"limits": {"ephemeral-storage": "1Mi"}}}
    space.run("volume", FILL % ("/data/x", 2) + pods.IDLE, container=mount, volumes=[data])
    space.run("layer", FILL % ("/x", 2) + pods.IDLE, container=some)
    space.run("modest", FILL % ("/x", 2) + pods.IDLE, container=mount, volumes=[data])
    return space


def evicted(space: Space, name: str) -> Object:
    pod = space.phase(name, "Failed", timeout=60)
    assert pod["status"]["reason"] == "Evicted", pod["status"]
    return pod


def test_an_empty_dir_over_its_limit_costs_its_pod(limits: Space) -> None:
    pod = evicted(limits, "volume")
    assert pod["status"]["message"] == 'Usage of EmptyDir volume "data" exceeds the limit "1Mi". '
    assert limits.event("volume", "Evicted")["message"] == pod["status"]["message"]
    assert not pods.condition(pod, "DisruptionTarget")


def test_a_writable_layer_over_the_limit_costs_its_pod(limits: Space) -> None:
    pod = evicted(limits, "layer")
    message = "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "
    assert pod["status"]["message"] == message
    assert pods.exit_code(pod) is not None


def test_a_pod_within_its_limits_runs_on(limits: Space) -> None:
    evicted(limits, "volume")
    assert limits.pod("modest")["status"]["phase"] == "Running"


def test_of_an_evicted_pod_s_log_nothing_is_left(limits: Space) -> None:
    evicted(limits, "volume")

    def refused() -> bool:
        answer = limits.rest.request("GET", limits.path("pods", "volume") + "/log")
        return answer.code == 400 and "unable to retrieve container logs for containerd://" in answer.text

    eventually(refused, what="the log is gone")
