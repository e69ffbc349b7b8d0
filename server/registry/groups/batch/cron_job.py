"""CronJobs."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.ages import age
from server.registry.causes import at_least, invalid, one_of, required, unsupported
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.batch.job import default_failure_policy
from server.registry.groups.batch.job_validation import job_spec_causes
from server.registry.groups.batch.schedule import schedule_error
from server.registry.groups.batch.time_zones import zone_causes
from server.registry.groups.core.pod_defaults import default_template
from server.registry.groups.core.pod_warnings import template_warnings
from server.registry.groups.workload import WIDE_COLUMNS, changed_warnings, pod_name_warnings, wide_cells
from server.registry.strategy import Strategy

_LONGEST_NAME = 52
_POLICIES = ("Allow", "Forbid", "Replace")
_LIMITS = ("successfulJobsHistoryLimit", "failedJobsHistoryLimit")
_ZONE_WARNING = (
    "CRON_TZ or TZ used in spec.schedule is not officially supported, see"
    " https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)


class CronJobs(Strategy):
    has_generation = True
    columns = columns(
        "Schedule",
        "Timezone",
        Column("Suspend", "boolean"),
        Column("Active", "integer"),
        "Last Schedule",
        AGE,
        *WIDE_COLUMNS,
    )

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("concurrencyPolicy", "Allow")
        spec.setdefault("suspend", False)
        spec.setdefault("successfulJobsHistoryLimit", 3)
        spec.setdefault("failedJobsHistoryLimit", 1)
        template = spec.setdefault("jobTemplate", {})
        template.setdefault("metadata", {})
        job = template.setdefault("spec", {})
        default_template(job.setdefault("template", {}))
        default_failure_policy(job.get("podFailurePolicy") or {})

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        causes = _schedule_causes(spec.get("schedule", ""))
        causes += at_least("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
        causes += one_of("spec.concurrencyPolicy", spec["concurrencyPolicy"], _POLICIES)
        causes += _template_causes("spec.jobTemplate.spec", spec["jobTemplate"]["spec"])
        for name in _LIMITS:
            causes += at_least(f"spec.{name}", spec.get(name))
        return causes

    def validate_create(self, obj: Object) -> list[Cause]:
        """Jobs are named after it, with 11 characters more."""
        causes = zone_causes("spec.timeZone", obj["spec"].get("timeZone"))
        if "TZ" in obj["spec"].get("schedule", ""):
            why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            causes.append(invalid("spec.schedule", obj["spec"]["schedule"], why))
        name = meta.name(obj)
        if len(name) > _LONGEST_NAME:
            why = f"must be no more than {_LONGEST_NAME} characters"
            causes.append(invalid("metadata.name", name, why))
        return causes

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        """A schedule that says its time zone itself stays possible where it was, alone."""
        spec, before = obj["spec"], old["spec"]
        zone, schedule = spec.get("timeZone"), spec.get("schedule", "")
        causes = zone_causes("spec.timeZone", zone) if zone != before.get("timeZone") else []
        if "TZ" not in schedule:
            return causes
        if "TZ" not in before.get("schedule", ""):
            why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        elif zone is not None:
            why = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        else:
            return causes
        return [*causes, invalid("spec.schedule", schedule, why)]

    def warnings(self, obj: Object) -> list[str]:
        template = obj["spec"]["jobTemplate"]["spec"]["template"]
        found = template_warnings("spec.jobTemplate.spec.template", template)
        if "TZ" in obj["spec"].get("schedule", ""):
            found.append(_ZONE_WARNING)
        return pod_name_warnings(obj) + found

    def update_warnings(self, obj: Object, old: Object) -> list[str]:
        found = changed_warnings(obj, old, "spec.jobTemplate.spec.template")
        return [*found, _ZONE_WARNING] if "TZ" in obj["spec"].get("schedule", "") else found

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        job = (spec.get("jobTemplate") or {}).get("spec") or {}
        last = status.get("lastScheduleTime")
        return [
            meta.name(obj),
            spec.get("schedule", ""),
            spec.get("timeZone") or "<none>",
            "True" if spec.get("suspend") else "False",
            len(status.get("active") or []),
            age(last, now) if last else "<none>",
            object_age(obj, now),
            *wide_cells(job.get("template") or {}, job.get("selector")),
        ]


def _schedule_causes(schedule: str) -> list[Cause]:
    if not schedule:
        return [required("spec.schedule")]
    error = schedule_error(schedule)
    return [invalid("spec.schedule", schedule, error)] if error else []


def _template_causes(field: str, spec: Object) -> list[Cause]:
    causes = job_spec_causes(field, spec)
    if (selector := spec.get("selector")) is not None:
        causes.append(invalid(f"{field}.selector", selector, "`selector` will be auto-generated"))
    if spec.get("manualSelector"):
        causes.append(unsupported(f"{field}.manualSelector", True, ("nil", "false")))
    return causes
