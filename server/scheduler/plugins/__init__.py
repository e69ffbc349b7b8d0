"""The plug-ins, a module each, in upstream's order. Filters are asked in it; the first no is the reason."""

from server.scheduler.framework import Plugin
from server.scheduler.plugins.balanced_allocation import BalancedAllocation
from server.scheduler.plugins.default_binder import DefaultBinder
from server.scheduler.plugins.default_preemption import DefaultPreemption
from server.scheduler.plugins.image_locality import ImageLocality
from server.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from server.scheduler.plugins.node_affinity import NodeAffinity
from server.scheduler.plugins.node_name import NodeName
from server.scheduler.plugins.node_ports import NodePorts
from server.scheduler.plugins.node_unschedulable import NodeUnschedulable
from server.scheduler.plugins.node_volume_limits import NodeVolumeLimits
from server.scheduler.plugins.pod_topology_spread import PodTopologySpread
from server.scheduler.plugins.priority_sort import PrioritySort
from server.scheduler.plugins.resources_fit import ResourcesFit
from server.scheduler.plugins.scheduling_gates import SchedulingGates
from server.scheduler.plugins.taint_toleration import TaintToleration
from server.scheduler.plugins.volume_binding import VolumeBinding
from server.scheduler.plugins.volume_restrictions import VolumeRestrictions
from server.scheduler.plugins.volume_zone import VolumeZone

DEFAULTS: tuple[tuple[type[Plugin], int], ...] = (
    (SchedulingGates, 0),
    (PrioritySort, 0),
    (NodeUnschedulable, 0),
    (NodeName, 0),
    (TaintToleration, 3),
    (NodeAffinity, 2),
    (NodePorts, 0),
    (ResourcesFit, 1),
    (VolumeRestrictions, 0),
    (NodeVolumeLimits, 0),
    (VolumeBinding, 0),
    (VolumeZone, 0),
    (PodTopologySpread, 2),
    (InterPodAffinity, 2),
    (DefaultPreemption, 0),
    (BalancedAllocation, 1),
    (ImageLocality, 1),
    (DefaultBinder, 0),
)
"""With the weights of their scores."""

__all__ = ["DEFAULTS"]
