"""Finds the pod, sandbox or container that a request means. Texts are the kubelet's.

`PodLookup` is what this API needs to know about pods; the pod workers' owner implements it.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Protocol

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object, uid
from runtime.container_runtime import ContainerRuntime
from runtime.node.api.errors import HttpError
from runtime.pods.identity import CONTAINER_NAME, POD_UID

_STATUS_LISTS = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_PULL_FAILURES = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


class PodLookup(Protocol):
    """The pods of this node as its workers know them, with their newest status."""

    def pod(self, namespace: str, name: str) -> Object | None:
        """The pod of this name, None when the node has none."""

    def pods(self) -> Sequence[Object]:
        """All pods of the node."""


def find_pod(pods: PodLookup, namespace: str, name: str) -> Object:
    """Raises HttpError 404."""
    pod = pods.pod(namespace, name)
    if pod is None:
        raise HttpError(HTTPStatus.NOT_FOUND, "pod does not exist")
    return pod


async def running_container(runtime: ContainerRuntime, pod: Object, container: str) -> str:
    """Id of the pod's running container of this name; HttpError when none runs."""
    labels = {POD_UID: uid(pod), CONTAINER_NAME: container}
    running = cri.ContainerStateValue(state=cri.CONTAINER_RUNNING)
    found = await runtime.list_containers(cri.ContainerFilter(label_selector=labels, state=running))
    if not found:
        raise HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, f'container not found ("{container}")')
    return max(found, key=lambda each: each.created_at).id


async def ready_sandbox(runtime: ContainerRuntime, pod: Object) -> str:
    """Id of the pod's sandbox; HttpError when it has none that is ready."""
    ready = cri.PodSandboxStateValue(state=cri.SANDBOX_READY)
    found = await runtime.list_pod_sandboxes(
        cri.PodSandboxFilter(label_selector={POD_UID: uid(pod)}, state=ready)
    )
    if not found:
        name = pod["metadata"]["name"]
        raise HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, f'pod not found ("{name}")')
    return max(found, key=lambda each: each.created_at).id


def logged_container(pod: Object, container: str, *, previous: bool) -> str:
    """Id of the container whose log is meant; HttpError 400 when there is none, saying why."""
    name = pod["metadata"]["name"]
    status = _container_status(pod, container)
    if status is None:
        raise _bad_request(f'container "{container}" in pod "{name}" is not available')
    state, last = status.get("state") or {}, _terminated_id(status.get("lastState") or {})
    if previous:
        if not last:
            raise _bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        return last
    current = status.get("containerID", "") if "running" in state else _terminated_id(state)
    if current or last:
        return _bare(current or last)
    raise _bad_request(f'container "{container}" in pod "{name}" is {_why_no_log(state)}')


def _container_status(pod: Object, container: str) -> dict[str, Any] | None:
    status = pod.get("status") or {}
    for key in _STATUS_LISTS:
        for each in status.get(key) or []:
            if each.get("name") == container:
                return dict(each)
    return None


def _terminated_id(state: dict[str, Any]) -> str:
    return _bare((state.get("terminated") or {}).get("containerID") or "")


def _bare(container_id: str) -> str:
    """Without the runtime's name: "containerd://abc" → "abc"."""
    return container_id.rpartition("://")[2]


def _why_no_log(state: dict[str, Any]) -> str:
    if "terminated" in state:
        return "terminated"
    if "waiting" not in state:
        return "waiting to start - no logs yet"
    reason = (state["waiting"] or {}).get("reason", "")
    return f"waiting to start: {_PULL_FAILURES.get(reason, reason)}"


def _bad_request(message: str) -> HttpError:
    return HttpError(HTTPStatus.BAD_REQUEST, message)
