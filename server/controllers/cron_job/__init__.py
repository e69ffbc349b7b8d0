"""CronJobs: a Job at each time of a schedule.

`due` says when, `history` which finished jobs go, `controller` does it.
"""

from server.controllers.cron_job.controller import make

__all__ = ["make"]
