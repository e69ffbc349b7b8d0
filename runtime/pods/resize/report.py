"""How a resize is told: the pod's conditions, and the messages of events. Pure."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from kubeling.objects.meta import Object, timestamp

PENDING, IN_PROGRESS = "PodResizePending", "PodResizeInProgress"
DEFERRED, INFEASIBLE, ERROR = "Deferred", "Infeasible", "Error"
_LISTS = ("initContainers", "containers")


class Told(NamedTuple):
    """A condition that stands; without it there is no such condition."""

    kind: str
    reason: str
    message: str
    generation: int


def conditions_of(told: Sequence[Told], old: Sequence[Object], now: datetime) -> list[Object]:
    """The conditions to report, given those that the API has."""
    since = {each.get("type"): each.get("lastTransitionTime") for each in old}
    return [_condition(each, since.get(each.kind) or timestamp(now)) for each in told]


def _condition(told: Told, since: str) -> Object:
    texts = {name: text for name, text in (("reason", told.reason), ("message", told.message)) if text}
    stamp = {"observedGeneration": told.generation} if told.generation else {}
    return {"type": told.kind, "status": "True", "lastTransitionTime": since, **texts, **stamp}


def shown(told: Told, conditions: Sequence[Object]) -> bool:
    """Whether the API has this condition with this text."""
    wanted = (told.kind, told.reason, told.message, told.generation)
    keys = ("type", "reason", "message", "observedGeneration")
    return any(tuple(each.get(key, "") for key in keys) == wanted for each in conditions)


def message(what: str, pod: Object, generation: int, error: str = "") -> str:
    """An event's text, with what the pod asks for: `Pod resize started: {"containers":...}`."""
    spec = pod.get("spec") or {}
    summary: Object = {
        kind: [{"name": each["name"], "resources": _ordered(each)} for each in spec[kind]]
        for kind in _LISTS
        if spec.get(kind)
    }
    summary["generation"] = generation
    if error:
        summary["error"] = error
    return f"Pod resize {what}: {json.dumps(summary, separators=(',', ':'))}"


def _ordered(container: Object) -> Object:
    given = container.get("resources") or {}
    return {
        key: dict(sorted(given[key].items())) if isinstance(given[key], dict) else given[key]
        for key in ("limits", "requests", "claims")
        if given.get(key)
    }
