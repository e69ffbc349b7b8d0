"""A container's requests and limits as cgroup values."""

from cri_api.v1 import api_pb2 as cri

from kubeling.objects import quantity
from kubeling.objects.meta import Object
from runtime.pods.qos import oom_score_adjustment

QUOTA_PERIOD = 100_000
_LEAST_QUOTA = 1_000
_LEAST_SHARES, _MOST_SHARES = 2, 262_144


def linux_resources(pod: Object, container: Object, *, memory_capacity: int) -> cri.LinuxContainerResources:
    """The container's limits; a request that is not given counts as its limit."""
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    cpu_limit = quantity.milli(limits.get("cpu", 0))
    made = cri.LinuxContainerResources(
        cpu_shares=shares(quantity.milli(requests.get("cpu", 0)) or cpu_limit),
        cpu_period=QUOTA_PERIOD,
        memory_limit_in_bytes=quantity.value(limits.get("memory", 0)),
        oom_score_adj=oom_score_adjustment(pod, container, memory_capacity=memory_capacity),
    )
    if cpu_limit:
        made.cpu_quota = quota(cpu_limit)
    return made


def shares(millicores: int) -> int:
    """cgroup v1 cpu.shares; runc converts them for v2."""
    return min(max(millicores * 1024 // 1000, _LEAST_SHARES), _MOST_SHARES)


def quota(millicores: int) -> int:
    """Microseconds of cpu time in each period of 100 ms."""
    return max(millicores * QUOTA_PERIOD // 1000, _LEAST_QUOTA)
