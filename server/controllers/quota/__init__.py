"""Says in each ResourceQuota's status what is used of it: at first, and again when something is given back.

What is taken is charged by admission as it is created; see `server.admission.resource_quota`.
"""

from server.controllers.quota.controller import make

__all__ = ["make"]
