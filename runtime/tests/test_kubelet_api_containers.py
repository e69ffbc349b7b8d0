"""Which container a request for a log means, and what is said when there is none."""

from typing import Any

import pytest

from runtime.node.api.containers import logged_container
from runtime.node.api.errors import HttpError


def pod(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": "default", "uid": "u"},
        "status": {"containerStatuses": [{"name": "c", **status}] if status else []},
    }


def terminated(container_id: str = "") -> dict[str, Any]:
    return {
        "terminated": {"exitCode": 1, "containerID": f"containerd://{container_id}" if container_id else ""}
    }


RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


@pytest.mark.parametrize(
    ("status", "previous", "expected"),
    [
        ({"state": RUNNING, "containerID": "containerd://now"}, False, "now"),
        ({"state": terminated("now")}, False, "now"),
        ({"state": {"waiting": {}}, "lastState": terminated("old")}, False, "old"),
        ({"state": terminated(), "lastState": terminated("old")}, False, "old"),
        ({"state": RUNNING, "containerID": "containerd://now", "lastState": terminated("old")}, True, "old"),
    ],
)
def test_the_log_of_the_running_or_last_container(
    status: dict[str, Any], previous: bool, expected: str
) -> None:
    assert logged_container(pod(**status), "c", previous=previous) == expected


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({}, 'container "c" in pod "p" is not available'),
        ({"state": terminated()}, 'container "c" in pod "p" is terminated'),
        (
            {"state": {"waiting": {"reason": "ContainerCreating"}}},
            'container "c" in pod "p" is waiting to start: ContainerCreating',
        ),
        (
            {"state": {"waiting": {"reason": "ImagePullBackOff"}}},
            'container "c" in pod "p" is waiting to start: trying and failing to pull image',
        ),
        (
            {"state": {"waiting": {"reason": "ErrImagePull"}}},
            'container "c" in pod "p" is waiting to start: image can\'t be pulled',
        ),
    ],
)
def test_a_container_without_a_log_is_told_why(status: dict[str, Any], text: str) -> None:
    with pytest.raises(HttpError) as raised:
        logged_container(pod(**status), "c", previous=False)
    assert (raised.value.status, raised.value.message) == (400, text)


def test_no_previous_container() -> None:
    with pytest.raises(HttpError, match='previous terminated container "c" in pod "p" not found'):
        logged_container(pod(state=RUNNING, containerID="containerd://x"), "c", previous=True)


def test_init_containers_have_logs_too() -> None:
    status = {"initContainerStatuses": [{"name": "i", "state": terminated("first")}]}
    assert logged_container({"metadata": {"name": "p"}, "status": status}, "i", previous=False) == "first"
