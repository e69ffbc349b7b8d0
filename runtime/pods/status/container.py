"""The status of one container as the API shows it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from kubeling.objects.meta import Object, timestamp
from runtime.pods.containers import stop_signal
from runtime.pods.containers.kinds import EPHEMERAL, INIT, MAIN, STATUSES, containers_of, is_sidecar, kind_of
from runtime.pods.observed import ObservedContainer, ObservedPod, State
from runtime.pods.resize.report import Told
from runtime.pods.restart import RESTART_ALL, matching_action, should_restart
from runtime.pods.status.phase import RESTARTING_ALL


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
REMOVED = Waiting(RESTARTING_ALL, "The container is removed because RestartAllContainers in place")

MESSAGES_PER_POD = 12 * 1024
"""Bytes of termination messages in a pod's status; each container has the same part."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the worker knows beside the spec and the runtime's report."""

    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    """Why containers could not be started, by name."""
    messages: Mapping[str, str] = field(default_factory=dict)
    """Termination messages by container id."""
    volume_images: Mapping[str, str] = field(default_factory=dict)
    """The digests of image volumes, by the volumes' names."""
    unready: frozenset[str] = frozenset()
    """Running containers whose readiness probe has not succeeded."""
    not_started: frozenset[str] = frozenset()
    """Running containers whose startup probe has not succeeded."""
    hooked: frozenset[str] = frozenset()
    """Ids of containers that run, but whose postStart hook has not ended."""
    in_force: Mapping[str, Object] = field(default_factory=dict)
    """The resources of containers that a resize has not reached yet, by name."""
    whole: Object | None = None
    """The resources of the pod itself that a resize has not reached yet."""
    resized: frozenset[str] = frozenset()
    """Containers that are restarted to get their new resources."""
    replaced: frozenset[str] = frozenset()
    """Ids of containers that are ended to be started anew: they show their end with the new start."""
    resize: Sequence[Told] = ()
    """How the pod's resize stands."""
    restarting_all: bool = False
    """Whether containers are removed so that all start anew."""


def container_statuses(pod: Object, observed: ObservedPod, known: Knowledge, *, kind: str) -> list[Object]:
    """The statuses of the containers in one list of the spec."""
    old = {each["name"]: each for each in (pod.get("status") or {}).get(STATUSES[kind]) or []}
    default = INITIALIZING if containers_of(pod, INIT) else CREATING
    made = [
        container_status(
            pod, container, observed, known, old=old.get(container["name"]) or {}, default=default
        )
        for container in containers_of(pod, kind)
    ]
    return made if kind == INIT else sorted(made, key=lambda each: str(each["name"]))


def container_status(
    pod: Object, container: Object, observed: ObservedPod, known: Knowledge, *, old: Object, default: Waiting
) -> Object:
    """`old` is the API's present status of the container, {} when it has none."""
    name = container["name"]
    latest = observed.latest(name)
    waiting = known.waiting.get(name)
    if latest is None:
        if known.restarting_all and old and kind_of(pod, name) != EPHEMERAL:
            return _removed(container, old)
        return _never_seen(pod, container, old, waiting or default)
    if latest.exited and waiting is None and _shows_it_still(latest, known, old):
        return old
    status: Object = {
        "name": name,
        "image": latest.image or container.get("image", ""),
        "imageID": latest.image_id,
        "containerID": container_id(latest),
        "restartCount": latest.restart_count,
        "lastState": _last_state(pod, observed, known, latest, old),
        "state": _state(pod, latest, known, default),
        **_readiness(pod, container, latest, known),
    }
    signal = latest.stop_signal or stop_signal.of_spec(container)
    if signal:
        status["stopSignal"] = signal
    if name in known.resized and latest.exited:
        waiting = waiting or default
    if waiting is not None and not latest.running and _may_start(pod, container, latest, known):
        if "terminated" in status["state"]:
            status["lastState"] = status["state"]
        status["state"] = waiting.state()
    return status | _resources(container, latest, known, old)


def container_id(container: ObservedContainer) -> str:
    return f"containerd://{container.id}"


def _shows_it_still(latest: ObservedContainer, known: Knowledge, old: Object) -> bool:
    """Whether `old` tells of the container, which is between its end and its new start."""
    return latest.id in known.replaced and old.get("containerID") == container_id(latest)


def _removed(container: Object, old: Object) -> Object:
    """Of a container whose record went so that all start anew; asked again it is the same."""
    state = old.get("state") or {}
    if "waiting" in state:
        return old
    ended = state.get("terminated")
    if not ended or matching_action(container, ended["exitCode"]) != RESTART_ALL:
        ended = {"exitCode": 137, "reason": REMOVED.reason, "message": REMOVED.message}
    kept = {key: value for key, value in old.items() if key != "containerID"}
    return {
        **kept,
        "state": REMOVED.state(),
        "lastState": {"terminated": ended},
        "restartCount": old.get("restartCount", 0) + 1,
        "ready": False,
        "started": False,
    }


def _never_seen(pod: Object, container: Object, old: Object, waiting: Waiting) -> Object:
    """No trace in the runtime: the restart count and what was known last come from the API.

    A count beside a containerID is that container's, one without is that of the container to come.
    """
    status: Object = {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": "",
        "restartCount": old.get("restartCount", 0) + bool(old.get("containerID")),
        "lastState": old.get("lastState") or {},
        "ready": False,
        "state": waiting.state(),
    }
    if kind_of(pod, container["name"]) != EPHEMERAL:
        status["started"] = False
    previous = old.get("state") or {}
    if "terminated" in previous:
        return {**old, **{key: False for key in ("ready", "started") if key in old}}
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


def without_trace(status: Object) -> Object:
    """For a pod that is over: a container of which nobody knows how it ended counts as failed."""
    if "terminated" in status["state"]:
        return status
    message = "The container could not be located when the pod was terminated"
    ended = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": message}
    return {**status, "state": {"terminated": ended}, "ready": False}


def _readiness(pod: Object, container: Object, latest: ObservedContainer, known: Knowledge) -> Object:
    """An init container that is no sidecar is ready when it has succeeded; an ephemeral one never is."""
    name, kind = container["name"], kind_of(pod, container["name"])
    if kind == EPHEMERAL:
        return {"ready": False}
    running = latest.running and latest.id not in known.hooked
    if kind == INIT and not is_sidecar(container):
        return {"ready": latest.succeeded, "started": running}
    started = running and name not in known.not_started
    return {"ready": started and name not in known.unready, "started": started}


def is_init(pod: Object, name: str) -> bool:
    return kind_of(pod, name) == INIT


def _may_start(pod: Object, container: Object, latest: ObservedContainer, known: Knowledge) -> bool:
    """Whether the container waits to be started again, so that its end is not its present state."""
    if latest.state is State.CREATED or container["name"] in known.resized or latest.id in known.replaced:
        return True
    kind = kind_of(pod, container["name"])
    if kind == MAIN or is_sidecar(container):
        return should_restart(pod, container, latest.exit_code)
    return kind == INIT and not latest.succeeded and should_restart(pod, container, latest.exit_code)


def _state(pod: Object, container: ObservedContainer, known: Knowledge, default: Waiting) -> Object:
    if container.running and container.id not in known.hooked:
        return {"running": _times(startedAt=container.started_at)}
    if container.running or container.state is State.CREATED:
        return default.state()
    return {"terminated": terminated(pod, container, known)}


def terminated(pod: Object, container: ObservedContainer, known: Knowledge) -> Object:
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
    said = [each for each in (container.message, known.messages.get(container.id)) if each]
    message = _cut(": ".join(said), MESSAGES_PER_POD // max(len(containers_of(pod)), 1))
    return state | ({"message": message} if message else {})


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


def _times(**moments: datetime | None) -> Object:
    return {key: timestamp(moment) for key, moment in moments.items() if moment is not None}


def _last_state(
    pod: Object, observed: ObservedPod, known: Knowledge, latest: ObservedContainer, old: Object
) -> Object:
    previous = observed.previous(latest.name)
    if previous is not None and previous.exited:
        return {"terminated": terminated(pod, previous, known)}
    last: Object = old.get("lastState") or {}
    ended = (old.get("state") or {}).get("terminated")
    if ended and ended.get("containerID") != container_id(latest):
        return {"terminated": ended}
    return last if (last.get("terminated") or {}).get("containerID") != container_id(latest) else {}


def _resources(container: Object, latest: ObservedContainer, known: Knowledge, old: Object) -> Object:
    """What is in force, which during a resize is not what was given; the user where the runtime tells it."""
    given: Object = container.get("resources") or {}
    held = known.in_force.get(container["name"], given) if latest.running else given
    found: Object = {"resources": {key: value for key, value in held.items() if key != "claims"}}
    if given.get("requests"):
        found["allocatedResources"] = given["requests"]
    if latest.user is not None:
        found["user"] = {"linux": latest.user}
    told = {each["mountPath"]: each for each in old.get("volumeMounts") or []}
    mounts = [
        _mount_status(mount, latest, known, told.get(mount["mountPath"]) or {})
        for mount in container.get("volumeMounts") or []
    ]
    return found | ({"volumeMounts": mounts} if mounts else {})


def _mount_status(mount: Object, latest: ObservedContainer, known: Knowledge, old: Object) -> Object:
    """An image's digest is known since it was mounted; an agent that starts anew has it from the API."""
    status: Object = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        recursive = mount["mountPath"] in latest.recursive_mounts
        status |= {"readOnly": True, "recursiveReadOnly": "Enabled" if recursive else "Disabled"}
    digest = known.volume_images.get(mount["name"])
    if digest:
        status["volumeStatus"] = {"image": {"imageRef": digest}}
    elif old.get("volumeStatus"):
        status["volumeStatus"] = old["volumeStatus"]
    return status
