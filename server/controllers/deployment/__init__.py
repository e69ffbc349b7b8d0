"""Rolls out Deployments: a ReplicaSet for each pod template, one growing as the others shrink.

`reconcile` decides what a Deployment needs at a moment. `rollout` is what it looks at and writes with;
`revision` finds or makes the ReplicaSet of the current template; `rolling`, `recreate` and `scaling` are the
ways of changing sizes, `history` what is left of old ones. `progress` and `status` say how far it is. Pure
arithmetic is in `bounds`, `proportion` and `replica_sets`.
"""

from server.controllers.deployment.reconcile import make

__all__ = ["make"]
