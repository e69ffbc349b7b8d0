"""Jobs."""

from datetime import datetime
from typing import Any

from kubeling.objects import conditions, meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.ages import age, human_duration
from server.registry.causes import immutable, required
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.batch.job_status_validation import job_status_causes
from server.registry.groups.batch.job_validation import (
    NAME,
    OLD_NAME,
    OLD_OWNER,
    OWNER,
    completion_update_causes,
    job_create_causes,
    job_spec_causes,
)
from server.registry.groups.core.label_selector_validation import label_selector_causes
from server.registry.groups.core.pod_defaults import default_template
from server.registry.groups.core.pod_warnings import template_warnings
from server.registry.groups.workload import (
    WIDE_COLUMNS,
    changed_warnings,
    matching_causes,
    pod_name_warnings,
    replicas_of,
    wide_cells,
)
from server.registry.strategy import Scope, Strategy

_FIXED = (
    "selector",
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
)
_STEERED = ("nodeSelector", "tolerations", "schedulingGates")
_MANY, _LARGE = 100_000, 10_000
_STATES = ("Complete", "Failed")
_LATER_STATES = ("Suspended", "FailureTarget", "SuccessCriteriaMet")


class Jobs(Strategy):
    has_generation = True
    changes_last = True
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
        spec.pop("scheduling", None)
        default_template(spec.setdefault("template", {}))
        default_failure_policy(spec.get("podFailurePolicy") or {})
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
        causes += label_selector_causes("spec.selector", spec["selector"])
        return causes + matching_causes(spec["selector"], spec["template"])

    def validate_create(self, obj: Object) -> list[Cause]:
        return job_create_causes(obj)

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        """A selector that was generated need not be sent back."""
        if "selector" not in obj["spec"]:
            obj["spec"]["selector"] = old["spec"].get("selector")

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        spec, before = obj["spec"], old["spec"]
        causes = completion_update_causes(spec, before)
        causes += [
            immutable(f"spec.{name}", spec.get(name)) for name in _FIXED if spec.get(name) != before.get(name)
        ]
        kept = _steered(spec["template"], before["template"]) if _may_be_steered(old) else before["template"]
        if spec["template"] != kept:
            causes.append(immutable("spec.template", spec["template"]))
        return causes

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        return job_status_causes(obj, old)

    def warnings(self, obj: Object) -> list[str]:
        spec = obj["spec"]
        found = pod_name_warnings(obj) + template_warnings("spec.template", spec["template"])
        large = spec.get("completions", 0) > _MANY and spec.get("parallelism", 0) > _LARGE
        if spec.get("completionMode") == "Indexed" and large:
            found.append(
                f"spec: In Indexed Jobs with a number of completions higher than {_MANY} and a parallelism"
                f" higher than {_LARGE}, Kubernetes might not be able to track completedIndexes when a big"
                " number of indexes fail"
            )
        return found

    def update_warnings(self, obj: Object, old: Object) -> list[str]:
        return changed_warnings(obj, old)

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


def default_failure_policy(policy: Object) -> None:
    """A condition that a rule names must be true, unless the rule says otherwise."""
    for rule in policy.get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern["status"] = pattern.get("status") or "True"


def _generate_selector(obj: Object) -> None:
    """A selector by the job's uid, and the labels on its pods that it selects."""
    spec, uid, name = obj["spec"], obj["metadata"]["uid"], obj["metadata"].get("name", "")
    labels = spec["template"]["metadata"].setdefault("labels", {})
    labels |= {OWNER: uid, OLD_OWNER: uid, NAME: name, OLD_NAME: name}
    selector = spec.setdefault("selector", {})
    selector.setdefault("matchLabels", {})[OWNER] = uid


def _may_be_steered(old: Object) -> bool:
    """A suspended job without active pods may have its template changed: queues place it then."""
    status = old.get("status") or {}
    rests = not status.get("startTime") or conditions.is_true(old, "Suspended")
    return bool(old["spec"].get("suspend")) and rests and not status.get("active")


def _steered(template: Object, before: Object) -> Object:
    """The old template with what says where pods go, and how large they are, of the new one."""
    own, was = template.get("metadata") or {}, before.get("metadata") or {}
    spec, kept = template.get("spec") or {}, before.get("spec") or {}
    metadata = {**was, **{name: own[name] for name in ("labels", "annotations") if name in own}}
    metadata = {
        key: value for key, value in metadata.items() if key in own or key not in ("labels", "annotations")
    }
    pod = {key: value for key, value in kept.items() if key not in _STEERED}
    pod |= {name: spec[name] for name in _STEERED if name in spec}
    _steer_affinity(pod, spec, kept)
    for name in ("containers", "initContainers"):
        if name in kept:
            pod[name] = _resized(spec.get(name) or [], kept[name])
    return {**before, "metadata": metadata, "spec": pod}


def _steer_affinity(pod: Object, spec: Object, kept: Object) -> None:
    affinity = {key: value for key, value in (kept.get("affinity") or {}).items() if key != "nodeAffinity"}
    given = spec.get("affinity")
    if given and "nodeAffinity" in given:
        affinity["nodeAffinity"] = given["nodeAffinity"]
    pod.pop("affinity", None)
    if affinity or given is not None:
        pod["affinity"] = affinity


def _resized(containers: list[Object], before: list[Object]) -> list[Object]:
    if len(containers) != len(before):
        return before
    return [
        {**was, "resources": new["resources"]} if "resources" in new else was
        for new, was in zip(containers, before, strict=True)
    ]


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
