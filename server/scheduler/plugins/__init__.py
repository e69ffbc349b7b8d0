"""The plug-ins, a module each. Filters are asked in this order, as upstream's; the first no is the reason."""

from server.scheduler.framework import Filter, Score
from server.scheduler.plugins.balanced_allocation import BalancedAllocation
from server.scheduler.plugins.node_affinity import NodeAffinity
from server.scheduler.plugins.node_name import NodeName
from server.scheduler.plugins.node_ports import NodePorts
from server.scheduler.plugins.node_unschedulable import NodeUnschedulable
from server.scheduler.plugins.resources_fit import ResourcesFit
from server.scheduler.plugins.taint_toleration import TaintToleration

FILTERS: tuple[Filter, ...] = (
    NodeUnschedulable(),
    NodeName(),
    TaintToleration(),
    NodeAffinity(),
    NodePorts(),
    ResourcesFit(),
)
SCORES: tuple[Score, ...] = (TaintToleration(), NodeAffinity(), ResourcesFit(), BalancedAllocation())

__all__ = ["FILTERS", "SCORES"]
