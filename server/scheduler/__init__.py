"""The scheduler: takes pods without a node, finds the node that suits best, and binds them.

It knows the API through a client only. Preemption, pod affinity and volumes are not considered.
"""

from server.scheduler.scheduler import Scheduler, start_scheduler

__all__ = ["Scheduler", "start_scheduler"]
