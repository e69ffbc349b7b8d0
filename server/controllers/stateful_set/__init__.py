"""StatefulSets: pods with names, claims of their own, and an order in which they come and go.

`identity` says what pod n is; `replicas` puts the pods that there are into their places; `claims` and `pods`
write them, with events; `scaling` and `rolling` decide what is next; `status` counts.
"""

from server.controllers.stateful_set.controller import make

__all__ = ["make"]
