"""The columns of pods. STATUS is not the phase: it is the most telling reason among the containers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.registry.ages import age
from server.registry.columns import AGE, Column, columns, object_age, wide

COLUMNS: Sequence[Column] = columns(
    Column("Ready", description="The aggregate readiness state of this pod for accepting traffic."),
    Column("Status", description="The aggregate status of the containers in this pod."),
    Column(
        "Restarts",
        description="The number of times the containers in this pod have been restarted and when the last"
        " container in this pod has restarted.",
    ),
    AGE,
    wide("IP"),
    wide("Node"),
    wide("Nominated Node"),
    wide("Readiness Gates"),
)
_NONE = "<none>"


@dataclass(slots=True)
class _Tally:
    """What is counted over the containers."""

    reason: str
    total: int
    ready: int = 0
    restarts: int = 0
    last_restart: str = ""
    sidecar_restarts: int = 0
    last_sidecar_restart: str = ""
    sidecars: frozenset[str] = field(default_factory=frozenset)


def pod_cells(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    tally = _tally(obj, spec, status)
    ips = status.get("podIPs") or []
    return [
        meta.name(obj),
        f"{tally.ready}/{tally.total}",
        tally.reason,
        _restarts(tally, now),
        object_age(obj, now),
        (ips[0].get("ip") if ips else status.get("podIP")) or _NONE,
        spec.get("nodeName") or _NONE,
        status.get("nominatedNodeName") or _NONE,
        _readiness_gates(obj, spec),
    ]


def _restarts(tally: _Tally, now: datetime) -> str:
    if tally.restarts and tally.last_restart:
        return f"{tally.restarts} ({age(tally.last_restart, now)} ago)"
    return str(tally.restarts)


def _readiness_gates(obj: Object, spec: Object) -> str:
    gates = spec.get("readinessGates") or []
    if not gates:
        return _NONE
    met = sum(conditions.is_true(obj, gate.get("conditionType", "")) for gate in gates)
    return f"{met}/{len(gates)}"


def _tally(obj: Object, spec: Object, status: Object) -> _Tally:
    sidecars = frozenset(
        each.get("name", "")
        for each in spec.get("initContainers") or ()
        if each.get("restartPolicy") == "Always"
    )
    total = len(spec.get("containers") or ()) + len(sidecars)
    tally = _Tally(_first_reason(obj, status), total, sidecars=sidecars)
    initializing = _count_init_containers(tally, spec, status)
    if not initializing or conditions.is_true(obj, "Initialized"):
        _count_containers(tally, obj, status)
    if meta.is_terminating(obj):
        if status.get("reason") == "NodeLost":
            tally.reason = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            tally.reason = "Terminating"
    return tally


def _first_reason(obj: Object, status: Object) -> str:
    scheduled = conditions.find(obj, "PodScheduled")
    if scheduled and scheduled.get("reason") == "SchedulingGated":
        return "SchedulingGated"
    return status.get("reason") or status.get("phase") or ""


def _count_init_containers(tally: _Tally, spec: Object, status: Object) -> bool:
    """Count until the first that has not done its work; whether there is one."""
    for position, each in enumerate(status.get("initContainerStatuses") or ()):
        sidecar = each.get("name") in tally.sidecars
        _count_restarts(tally, each, sidecar=sidecar)
        state = each.get("state") or {}
        if (state.get("terminated") or {}).get("exitCode") == 0:
            continue
        if sidecar and each.get("started"):
            tally.ready += bool(each.get("ready"))
            continue
        tally.reason = _init_reason(state, position, len(spec.get("initContainers") or ()))
        return True
    return False


def _count_restarts(tally: _Tally, each: Object, *, sidecar: bool) -> None:
    restarts = each.get("restartCount", 0)
    finished = _last_finished(each)
    tally.restarts += restarts
    tally.last_restart = max(tally.last_restart, finished)
    if sidecar:
        tally.sidecar_restarts += restarts
        tally.last_sidecar_restart = max(tally.last_sidecar_restart, finished)


def _last_finished(each: Object) -> str:
    return ((each.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or ""


def _init_reason(state: Object, position: int, count: int) -> str:
    if (terminated := state.get("terminated")) is not None:
        return f"Init:{_exit_reason(terminated)}"
    waiting = (state.get("waiting") or {}).get("reason")
    if waiting and waiting != "PodInitializing":
        return f"Init:{waiting}"
    return f"Init:{position}/{count}"


def _exit_reason(terminated: Object) -> str:
    if reason := terminated.get("reason"):
        return str(reason)
    if signal := terminated.get("signal"):
        return f"Signal:{signal}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _count_containers(tally: _Tally, obj: Object, status: Object) -> None:
    tally.restarts, tally.last_restart = tally.sidecar_restarts, tally.last_sidecar_restart
    running = False
    for each in reversed(status.get("containerStatuses") or []):
        tally.restarts += each.get("restartCount", 0)
        tally.last_restart = max(tally.last_restart, _last_finished(each))
        state = each.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            tally.reason = state["waiting"]["reason"]
        elif (terminated := state.get("terminated")) is not None:
            tally.reason = _exit_reason(terminated)
        elif each.get("ready") and state.get("running") is not None:
            running = True
            tally.ready += 1
    if tally.reason == "Completed" and running:
        tally.reason = "Running" if conditions.is_true(obj, "Ready") else "NotReady"
