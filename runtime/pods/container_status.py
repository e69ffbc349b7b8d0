"""The status of one container as the API shows it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from kubeling.objects.meta import Object, timestamp
from runtime.pods.actions import is_sidecar, restart_policy
from runtime.pods.observed import ObservedContainer, ObservedPod, State


class Waiting(NamedTuple):
    """Why a container does not run, as its status says it."""

    reason: str
    message: str = ""

    def state(self) -> Object:
        return {"waiting": {"reason": self.reason, **({"message": self.message} if self.message else {})}}


NEVER = datetime.fromtimestamp(0, UTC)
"""What the kubelet shows as the start of a container that could not be executed."""

CREATING = Waiting("ContainerCreating")
INITIALIZING = Waiting("PodInitializing")


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the worker knows beside the spec and the runtime's report."""

    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    """Why containers could not be started, by name."""
    messages: Mapping[str, str] = field(default_factory=dict)
    """Termination messages by container id."""
    unready: frozenset[str] = frozenset()
    """Running containers whose readiness probe has not succeeded."""
    not_started: frozenset[str] = frozenset()
    """Running containers whose startup probe has not succeeded."""


def container_statuses(pod: Object, observed: ObservedPod, known: Knowledge, *, kind: str) -> list[Object]:
    """The statuses for `containerStatuses` or, with kind `initContainers`, `initContainerStatuses`."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    field_name = "containerStatuses" if kind == "containers" else "initContainerStatuses"
    old = {each["name"]: each for each in status.get(field_name) or []}
    default = INITIALIZING if spec.get("initContainers") else CREATING
    made = [
        container_status(
            pod, container, observed, known, old=old.get(container["name"]) or {}, default=default
        )
        for container in spec.get(kind) or []
    ]
    return made if kind == "initContainers" else sorted(made, key=lambda each: str(each["name"]))


def container_status(
    pod: Object, container: Object, observed: ObservedPod, known: Knowledge, *, old: Object, default: Waiting
) -> Object:
    """`old` is the API's present status of the container, {} when it has none."""
    name = container["name"]
    latest = observed.latest(name)
    waiting = known.waiting.get(name)
    if latest is None:
        return _never_seen(container, old, waiting or default)
    status: Object = {
        "name": name,
        "image": latest.image or container.get("image", ""),
        "imageID": latest.image_id,
        "containerID": container_id(latest),
        "restartCount": latest.restart_count,
        "lastState": _last_state(observed, known, latest, old),
        "state": _state(latest, known, default),
        **_readiness(pod, container, latest, known),
    }
    if waiting is not None and not latest.running and _may_start(pod, container, latest):
        if "terminated" in status["state"]:
            status["lastState"] = status["state"]
        status["state"] = waiting.state()
    return status | _resources(container, latest)


def container_id(container: ObservedContainer) -> str:
    return f"containerd://{container.id}"


def _never_seen(container: Object, old: Object, waiting: Waiting) -> Object:
    """No trace in the runtime: the restart count and what was known last come from the API."""
    status: Object = {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": "",
        "restartCount": old.get("restartCount", 0),
        "lastState": old.get("lastState") or {},
        "ready": False,
        "started": False,
        "state": waiting.state(),
    }
    previous = old.get("state") or {}
    if "terminated" in previous:
        return {**old, "ready": False, "started": False}
    if "running" in previous:
        status["lastState"] = {"terminated": _lost(previous["running"], old)}
    return status


def _lost(running: Object, old: Object) -> Object:
    """What stands for a container that ran and then vanished together with the runtime's records."""
    return {
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "message": "The container could not be located when the pod was deleted.  "
        "The container used to be Running",
        "containerID": old.get("containerID", ""),
        **({"startedAt": running["startedAt"]} if running.get("startedAt") else {}),
    }


def _readiness(pod: Object, container: Object, latest: ObservedContainer, known: Knowledge) -> Object:
    """An init container that is no sidecar is ready when it has succeeded."""
    name = container["name"]
    if is_init(pod, name) and not is_sidecar(container):
        return {"ready": latest.succeeded, "started": latest.running}
    started = latest.running and name not in known.not_started
    ready = started and name not in known.unready
    return {"ready": ready, "started": started}


def is_init(pod: Object, name: str) -> bool:
    return any(each["name"] == name for each in (pod.get("spec") or {}).get("initContainers") or [])


def _may_start(pod: Object, container: Object, latest: ObservedContainer) -> bool:
    """Whether the container waits to be started again, so that its end is not its present state."""
    if latest.state is State.CREATED or is_sidecar(container):
        return True
    policy = restart_policy(pod)
    if policy == "Never":
        return False
    if policy == "OnFailure" or is_init(pod, container["name"]):
        return not latest.succeeded
    return True


def _state(container: ObservedContainer, known: Knowledge, default: Waiting) -> Object:
    if container.running:
        return {"running": _times(startedAt=container.started_at)}
    if container.state is State.CREATED:
        return default.state()
    return {"terminated": terminated(container, known)}


def terminated(container: ObservedContainer, known: Knowledge) -> Object:
    if container.state is State.UNKNOWN:
        reason, exit_code = "ContainerStatusUnknown", container.exit_code or 137
    else:
        exit_code = container.exit_code
        reason = container.reason or ("Error" if exit_code else "Completed")
    state: Object = {
        "exitCode": exit_code,
        "reason": reason,
        "containerID": container_id(container),
        **_times(startedAt=container.started_at or NEVER, finishedAt=container.finished_at or NEVER),
    }
    message = known.messages.get(container.id) or container.message
    return state | ({"message": message} if message else {})


def _times(**moments: datetime | None) -> Object:
    return {key: timestamp(moment) for key, moment in moments.items() if moment is not None}


def _last_state(observed: ObservedPod, known: Knowledge, latest: ObservedContainer, old: Object) -> Object:
    previous = observed.previous(latest.name)
    if previous is not None and previous.exited:
        return {"terminated": terminated(previous, known)}
    last: Object = old.get("lastState") or {}
    ended = (old.get("state") or {}).get("terminated")
    if ended and ended.get("containerID") != container_id(latest):
        return {"terminated": ended}
    return last if (last.get("terminated") or {}).get("containerID") != container_id(latest) else {}


def _resources(container: Object, latest: ObservedContainer) -> Object:
    found: Object = {}
    given = {key: value for key, value in (container.get("resources") or {}).items() if key != "claims"}
    if latest.running:
        found["resources"] = given
        if given.get("requests"):
            found["allocatedResources"] = given["requests"]
    mounts = [_mount_status(mount, latest) for mount in container.get("volumeMounts") or []]
    return found | ({"volumeMounts": mounts} if mounts else {})


def _mount_status(mount: Object, latest: ObservedContainer) -> Object:
    status: Object = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        recursive = mount["mountPath"] in latest.recursive_mounts
        status |= {"readOnly": True, "recursiveReadOnly": "Enabled" if recursive else "Disabled"}
    return status
