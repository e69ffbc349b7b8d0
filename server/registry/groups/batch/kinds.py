"""Registration of the batch group's kinds."""

from server.registry.groups.plain import Generational
from server.registry.groups.subresources import status
from server.registry.kind import Kind

KINDS = (
    Kind(
        "batch",
        "CronJob",
        "cronjobs",
        Generational(),
        short_names=("cj",),
        categories=("all",),
        subresources=status("CronJob"),
    ),
    Kind("batch", "Job", "jobs", Generational(), categories=("all",), subresources=status("Job")),
)
