"""What a StatefulSet's status says of its pods. Pure."""

from collections.abc import Iterable
from datetime import datetime

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.stateful_set.identity import wanted_replicas
from server.controllers.stateful_set.replicas import (
    Revisions,
    is_available,
    is_created,
    is_running_and_ready,
    revision_of,
)

_COUNTED = (
    "replicas",
    "readyReplicas",
    "availableReplicas",
    "currentReplicas",
    "updatedReplicas",
    "currentRevision",
    "updateRevision",
    "collisionCount",
)


def status_of(set_: Object, pods: Iterable[Object], revisions: Revisions, now: datetime) -> Object:
    status: Object = {
        "observedGeneration": int(meta.metadata(set_).get("generation") or 0),
        "currentRevision": revisions.current_name,
        "updateRevision": revisions.update_name,
        "collisionCount": revisions.collisions,
        **dict.fromkeys(_COUNTED[:5], 0),
    }
    for pod in pods:
        _count(status, set_, pod, now)
    return status


def _count(status: Object, set_: Object, pod: Object, now: datetime) -> None:
    created = is_created(pod)
    status["replicas"] += created
    if is_running_and_ready(pod):
        status["readyReplicas"] += 1
        status["availableReplicas"] += is_available(set_, pod, now)
    if created and not meta.is_terminating(pod):
        revision = revision_of(pod)
        status["currentReplicas"] += revision == status["currentRevision"]
        status["updatedReplicas"] += revision == status["updateRevision"]


def complete(set_: Object, status: Object) -> None:
    """An update that has reached every pod is over: what was the update is current from now on."""
    wanted = wanted_replicas(set_)
    rolling = (set_["spec"].get("updateStrategy") or {}).get("type") == "RollingUpdate"
    if rolling and all(status[name] == wanted for name in ("updatedReplicas", "readyReplicas", "replicas")):
        status["currentReplicas"] = status["updatedReplicas"]
        status["currentRevision"] = status["updateRevision"]


def differs(old: Object, new: Object) -> bool:
    """Whether the new one says anything that the old does not."""
    if new["observedGeneration"] > (old.get("observedGeneration") or 0):
        return True
    return any((old.get(name) or 0) != (new[name] or 0) for name in _COUNTED)
