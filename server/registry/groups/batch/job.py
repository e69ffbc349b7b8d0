"""Jobs."""

from datetime import datetime
from typing import Any

from kubeling.objects import conditions, meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.ages import age, human_duration
from server.registry.causes import at_least, immutable, one_of, required
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.core.pod_defaults import default_template
from server.registry.groups.core.pod_validation import template_causes
from server.registry.groups.workload import WIDE_COLUMNS, matching_causes, replicas_of, wide_cells
from server.registry.strategy import Scope, Strategy

_NAME, _OLD_NAME = "batch.kubernetes.io/job-name", "job-name"
_OWNER, _OLD_OWNER = "batch.kubernetes.io/controller-uid", "controller-uid"
_NUMBERS = (
    "parallelism",
    "completions",
    "backoffLimit",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
)
_FIXED = ("selector", "template", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy")
_STATES = ("Complete", "Failed")
_LATER_STATES = ("Suspended", "FailureTarget", "SuccessCriteriaMet")


class Jobs(Strategy):
    has_generation = True
    orphans_by_default = True
    selectable = ("status.successful",)
    columns = columns("Status", "Completions", "Duration", AGE, *WIDE_COLUMNS)

    def field(self, obj: Object, path: str) -> str:
        return str(replicas_of(obj, "succeeded"))

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        if "completions" not in spec and "parallelism" not in spec:
            spec["completions"] = 1
        spec.setdefault("parallelism", 1)
        spec.setdefault("backoffLimit", 2**31 - 1 if "backoffLimitPerIndex" in spec else 6)
        spec.setdefault("completionMode", "NonIndexed")
        spec.setdefault("suspend", False)
        spec.setdefault("manualSelector", False)
        replaced = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
        spec.setdefault("podReplacementPolicy", replaced)
        default_template(spec.setdefault("template", {}))
        _labels_from_template(obj)

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = {}
        if not obj["spec"]["manualSelector"]:
            _generate_selector(obj)
            _labels_from_template(obj)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        causes = job_spec_causes("spec", spec)
        if spec.get("selector") is None:
            return [*causes, required("spec.selector")]
        return causes + matching_causes(spec["selector"], spec["template"])

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        """A selector that was generated need not be sent back."""
        if "selector" not in obj["spec"]:
            obj["spec"]["selector"] = old["spec"].get("selector")

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        spec, before = obj["spec"], old["spec"]
        causes = [
            immutable(f"spec.{name}", spec.get(name))
            for name in _FIXED
            if spec.get(name) != before.get(name) and not (name == "template" and _may_be_steered(old))
        ]
        indexed = spec.get("completionMode") == "Indexed"
        if spec.get("completions") != before.get("completions") and not indexed:
            causes.append(immutable("spec.completions", spec.get("completions")))
        return causes

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        return [
            meta.name(obj),
            _state(obj),
            _completions(obj, spec),
            _duration(obj, now),
            object_age(obj, now),
            *wide_cells(spec.get("template") or {}, spec.get("selector")),
        ]


def _labels_from_template(obj: Object) -> None:
    own, labels = obj.setdefault("metadata", {}), obj["spec"]["template"]["metadata"].get("labels")
    if labels and not own.get("labels"):
        own["labels"] = dict(labels)


def _generate_selector(obj: Object) -> None:
    """A selector by the job's uid, and the labels on its pods that it selects."""
    spec, uid, name = obj["spec"], obj["metadata"]["uid"], obj["metadata"].get("name", "")
    labels = spec["template"]["metadata"].setdefault("labels", {})
    labels |= {_OWNER: uid, _OLD_OWNER: uid, _NAME: name, _OLD_NAME: name}
    selector = spec.setdefault("selector", {})
    selector.setdefault("matchLabels", {})[_OWNER] = uid


def _may_be_steered(old: Object) -> bool:
    """A suspended job that has not started may have its template changed: queues place it then."""
    status = old.get("status") or {}
    return bool(old["spec"].get("suspend")) and not status.get("startTime")


def job_spec_causes(field: str, spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    for name in _NUMBERS:
        causes += at_least(f"{field}.{name}", spec.get(name))
    if mode := spec.get("completionMode"):
        causes += one_of(f"{field}.completionMode", mode, ("Indexed", "NonIndexed"))
        if mode == "Indexed" and spec.get("completions") is None:
            why = "when completion mode is Indexed"
            causes.append(required(f"{field}.completions", why))
    template = spec.get("template") or {}
    causes += template_causes(f"{field}.template", template)
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy not in ("OnFailure", "Never"):
        where = f"{field}.template.spec.restartPolicy"
        causes.append(required(where, 'valid values: "OnFailure", "Never"'))
    return causes


def _state(obj: Object) -> str:
    for name in _STATES:
        if conditions.is_true(obj, name):
            return name
    if meta.is_terminating(obj):
        return "Terminating"
    return next((name for name in _LATER_STATES if conditions.is_true(obj, name)), "Running")


def _completions(obj: Object, spec: Object) -> str:
    done = replicas_of(obj, "succeeded")
    if (wanted := spec.get("completions")) is not None:
        return f"{done}/{wanted}"
    parallel = spec.get("parallelism") or 0
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _duration(obj: Object, now: datetime) -> str:
    status = obj.get("status") or {}
    started, completed = status.get("startTime"), status.get("completionTime")
    if not started:
        return ""
    if not completed:
        return age(started, now)
    return human_duration((meta.parse_timestamp(completed) - meta.parse_timestamp(started)).total_seconds())
