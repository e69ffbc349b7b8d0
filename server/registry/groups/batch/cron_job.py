"""CronJobs."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import subdomain_errors
from server.registry.ages import age
from server.registry.causes import at_least, invalid, one_of, required
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.batch.job import job_spec_causes
from server.registry.groups.core.pod_defaults import default_template
from server.registry.groups.workload import WIDE_COLUMNS, wide_cells
from server.registry.strategy import Strategy

_LONGEST_NAME = 52
_POLICIES = ("Allow", "Forbid", "Replace")
_NUMBERS = ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")


class CronJobs(Strategy):
    has_generation = True
    columns = columns(
        "Schedule", "Timezone", "Suspend", Column("Active", "integer"), "Last Schedule", AGE, *WIDE_COLUMNS
    )

    def name_errors(self, name: str) -> list[str]:
        errors = subdomain_errors(name)
        if len(name) > _LONGEST_NAME:
            errors.append(f"must be no more than {_LONGEST_NAME} characters")
        return errors

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("concurrencyPolicy", "Allow")
        spec.setdefault("suspend", False)
        spec.setdefault("successfulJobsHistoryLimit", 3)
        spec.setdefault("failedJobsHistoryLimit", 1)
        template = spec.setdefault("jobTemplate", {})
        template.setdefault("metadata", {})
        default_template(template.setdefault("spec", {}).setdefault("template", {}))

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        causes = _schedule_causes(spec.get("schedule", ""))
        causes += one_of("spec.concurrencyPolicy", spec["concurrencyPolicy"], _POLICIES)
        for name in _NUMBERS:
            causes += at_least(f"spec.{name}", spec.get(name))
        return causes + job_spec_causes("spec.jobTemplate.spec", spec["jobTemplate"]["spec"])

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
    """The form only; what stands in the five fields is the controller's to read."""
    if not schedule:
        return [required("spec.schedule")]
    if "TZ" in schedule:
        why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        return [invalid("spec.schedule", schedule, why)]
    fields = schedule.split()
    if schedule.startswith("@") or len(fields) == 5:
        return []
    shown = f"[{' '.join(fields)}]"
    why = f"expected exactly 5 fields, found {len(fields)}: {shown}"
    return [invalid("spec.schedule", schedule, why)]
