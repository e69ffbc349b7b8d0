"""Registration of the batch group's kinds."""

from server.registry.groups.batch.cron_job import CronJobs
from server.registry.groups.batch.job import Jobs
from server.registry.groups.subresources import status
from server.registry.kind import Kind

KINDS = (
    Kind(
        "batch",
        "CronJob",
        "cronjobs",
        CronJobs(),
        short_names=("cj",),
        categories=("all",),
        subresources=status("CronJob"),
    ),
    Kind("batch", "Job", "jobs", Jobs(), categories=("all",), subresources=status("Job")),
)
