"""DaemonSets: a pod on each node that the template asks for.

What a node's pods amount to is assessed once per change of that node or of its pods (`assessment`) and added
up (`fleet`), so that a reconcile costs what has changed and not what there is. `placement` says which nodes,
`template` which pod, `rolling` who is next in an update.
"""

from server.controllers.daemon_set.controller import make

__all__ = ["make"]
