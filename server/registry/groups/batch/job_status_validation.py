"""Validation of Jobs' statuses: what is finished stays so, and counts agree with conditions."""

from collections.abc import Iterator

from kubeling.objects import conditions
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import at_least, duplicate, invalid, misfit, required
from server.registry.groups.batch.indexes import indexes_causes

_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_TERMINAL = ("Failed", "Complete", "FailureTarget", "SuccessCriteriaMet")
_CONDITIONS = "status.conditions"
_IMPOSSIBLE = (
    ("Complete", "Failed", "cannot set Complete=True and Failed=true conditions"),
    ("Complete", "FailureTarget", "cannot set Complete=True and FailureTarget=true conditions"),
    ("SuccessCriteriaMet", "Failed", "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
    (
        "SuccessCriteriaMet",
        "FailureTarget",
        "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
    ),
)
_PRECEDED = (
    ("Failed", "FailureTarget", "cannot set Failed=True condition without the FailureTarget=true condition"),
    (
        "Complete",
        "SuccessCriteriaMet",
        "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
    ),
)


def job_status_causes(obj: Object, old: Object) -> list[Cause]:
    return [*_state_causes(obj), *_index_causes(obj), *_change_causes(obj, old)]


def _state_causes(obj: Object) -> Iterator[Cause]:
    status = obj.get("status") or {}
    for name in _COUNTS:
        yield from at_least(f"status.{name}", status.get(name))
    yield from _uncounted_causes(status.get("uncountedTerminatedPods") or {})
    for one, other, why in _IMPOSSIBLE:
        if conditions.is_true(obj, one) and conditions.is_true(obj, other):
            yield misfit(_CONDITIONS, why)
    for one, other, why in _PRECEDED:
        if conditions.is_true(obj, one) and not conditions.is_true(obj, other):
            yield misfit(_CONDITIONS, why)
    yield from _time_causes(obj, status)
    if conditions.is_true(obj, "Complete") or conditions.is_true(obj, "Failed"):
        yield from _finished_causes(status)
    if status.get("ready", 0) > status.get("active", 0):
        yield invalid("status.ready", status["ready"], "cannot set more ready pods than active")


def _uncounted_causes(pods: Object) -> Iterator[Cause]:
    seen: set[str] = set()
    for name in ("succeeded", "failed"):
        for position, each in enumerate(pods.get(name) or ()):
            where = f"status.uncountedTerminatedPods.{name}[{position}]"
            if not each:
                yield invalid(where, each, "must not be empty")
            elif each in seen:
                yield duplicate(where, each)
            seen.add(each)


def _time_causes(obj: Object, status: Object) -> Iterator[Cause]:
    field, done = "status.completionTime", conditions.is_true(obj, "Complete")
    start, end = status.get("startTime"), status.get("completionTime")
    if end and not done:
        yield invalid(field, end, "cannot set completionTime when there is no Complete=True condition")
    if done and not end:
        yield required(field, "completionTime is required for Complete jobs")
    if start and end and end < start:
        yield invalid(field, end, "completionTime cannot be set before startTime")


def _finished_causes(status: Object) -> Iterator[Cause]:
    if status.get("active", 0) > 0:
        yield invalid("status.active", status["active"], "active>0 is invalid for finished job")
    if not status.get("startTime"):
        yield required("status.startTime", "startTime is required for finished job")
    pods = status.get("uncountedTerminatedPods") or {}
    if pods.get("succeeded") or pods.get("failed"):
        why = "uncountedTerminatedPods needs to be empty for finished job"
        yield invalid("status.uncountedTerminatedPods", pods, why)
    if status.get("terminating", 0) > 0:
        why = "terminating>0 is invalid for finished job"
        yield invalid("status.terminating", status["terminating"], why)


def _index_causes(obj: Object) -> Iterator[Cause]:
    spec, status = obj["spec"], obj.get("status") or {}
    done, failed = status.get("completedIndexes"), status.get("failedIndexes")
    yield from indexes_causes("status.completedIndexes", done, spec.get("completions"))
    if done and spec.get("completionMode") != "Indexed":
        why = "cannot set non-empty completedIndexes when non-indexed completion mode"
        yield invalid("status.completedIndexes", done, why)
    if failed is None:
        return
    if "backoffLimitPerIndex" not in spec:
        why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        yield invalid("status.failedIndexes", failed, why)
    else:
        yield from indexes_causes("status.failedIndexes", failed, spec.get("completions"))


def _change_causes(obj: Object, old: Object) -> Iterator[Cause]:
    status, before = obj.get("status") or {}, old.get("status") or {}
    for name in _TERMINAL:
        if conditions.is_true(old, name) and not conditions.is_true(obj, name):
            noun = "" if name == "SuccessCriteriaMet" else "terminal "
            yield misfit(_CONDITIONS, f"cannot disable the {noun}{name}=True condition")
    for name in ("failed",) if _is_elastic(obj["spec"]) else ("failed", "succeeded"):
        if status.get(name, 0) < before.get(name, 0):
            yield invalid(f"status.{name}", status.get(name, 0), f"cannot decrease the {name} counter")
    end, was = status.get("completionTime"), before.get("completionTime")
    if end and was and end != was:
        yield invalid("status.completionTime", end, "completionTime cannot be mutated")
    started = before.get("startTime")
    if started and status.get("startTime") != started and not obj["spec"].get("suspend"):
        yield required("status.startTime", "startTime cannot be removed for unsuspended job")


def _is_elastic(spec: Object) -> bool:
    """Whether the job may shrink, and what it has completed with it."""
    return spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
