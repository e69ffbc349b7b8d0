"""Jobs: pods that run until enough of them have succeeded, or too many have failed.

`controller` ties the parts together: what a reconcile sees (`tracked`), whether the job ends (`verdict`),
which pods it makes and deletes (`scale`), and how their ends are counted (`accounting`).
"""

from server.controllers.job.controller import make

__all__ = ["make"]
