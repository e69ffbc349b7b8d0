"""Which nodes a DaemonSet's template asks for, by name, selector, affinity and taints. Pure."""

from typing import NamedTuple

from kubeling.objects import meta
from kubeling.objects.meta import Object
from kubeling.objects.node_selection import required
from kubeling.objects.taints import NO_EXECUTE, NO_SCHEDULE, untolerated
from server.controllers.daemon_set.template import tolerations


class Fit(NamedTuple):
    """Whether a pod is to be on the node, and whether one that is there may stay."""

    run: bool
    stay: bool


NOWHERE, STAY, RUN = Fit(False, False), Fit(False, True), Fit(True, True)


class Placement:
    """Compiled once for a template."""

    def __init__(self, template: Object) -> None:
        spec = template.get("spec") or {}
        self._node_name = spec.get("nodeName") or ""
        self._selects = required(spec)
        self._tolerations = tolerations(spec)

    def fit(self, node: Object) -> Fit:
        name = meta.name(node)
        if self._node_name not in ("", name):
            return NOWHERE
        if self._selects is not None and not self._selects(meta.labels(node), name):
            return NOWHERE
        taints = taints_of(node)
        if untolerated(self._tolerations, taints, (NO_SCHEDULE, NO_EXECUTE)) is None:
            return RUN
        return STAY if untolerated(self._tolerations, taints, (NO_EXECUTE,)) is None else NOWHERE


def taints_of(node: Object) -> list[Object]:
    return (node.get("spec") or {}).get("taints") or []


def same_to_daemons(node: Object, before: Object) -> bool:
    """Whether nothing has changed that a placement looks at: most changes of nodes are heartbeats."""
    return meta.labels(node) == meta.labels(before) and taints_of(node) == taints_of(before)
