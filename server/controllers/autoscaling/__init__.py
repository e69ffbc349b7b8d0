"""HorizontalPodAutoscalers: as many replicas as metrics ask for.

`metrics_api` reads metrics, `replica_count` says how many replicas one of them asks for, `proposal` what each
metric of a spec comes to, `behavior` how far and how fast to go there, `target` does it.
"""

from server.controllers.autoscaling.controller import make

__all__ = ["make"]
