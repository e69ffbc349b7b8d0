"""Requests and limits as cgroup values: of a container for the runtime, of a pod for its own cgroup. Pure."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cri_api.v1 import api_pb2 as cri

from kubeling.objects import pod_resources, quantity
from kubeling.objects.meta import Object
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.pods.cgroups.qos import BEST_EFFORT, BURSTABLE, GUARANTEED, oom_score_adjustment, qos_class
from runtime.pods.cgroups.tree import LEAST_SHARES, MOST_SHARES, Limits

QUOTA_PERIOD = 100_000
_LEAST_QUOTA = 1_000
_PAGE_UNITS = {"Ki": "KB", "Mi": "MB", "Gi": "GB"}
_HUGE = "hugepages-"


@dataclass(frozen=True, slots=True)
class ResourceRules:
    """How this node turns amounts into limits: its configuration, its size, its version of cgroups."""

    kubelet: KubeletConfiguration = field(default_factory=KubeletConfiguration)
    memory_capacity: int = 1
    """Bytes."""
    memory_allocatable: int = 0
    swap: int = 0
    """Bytes of swap that the machine has."""
    page_sizes: Sequence[str] = ()
    """Of huge pages, as `2MB`."""
    unified: bool = False
    """Whether cgroups are of version 2."""
    swap_counted: bool = False
    """Whether the use of swap can be limited."""

    def container(self, pod: Object, container: Object) -> cri.LinuxContainerResources:
        """The container's limits; a request that is not given counts as its limit, a limit as its pod's."""
        requests, limits = _amounts(container, "requests"), _with_pods(pod, _amounts(container, "limits"))
        cpu_limit = quantity.milli(limits.get("cpu", 0))
        made = cri.LinuxContainerResources(
            cpu_shares=shares(quantity.milli(requests["cpu"]) if "cpu" in requests else cpu_limit),
            memory_limit_in_bytes=quantity.value(limits.get("memory", 0)),
            oom_score_adj=oom_score_adjustment(pod, container, memory_capacity=self.memory_capacity),
            hugepage_limits=[
                cri.HugepageLimit(page_size=size, limit=limit)
                for size, limit in huge_page_limits(limits, self.page_sizes).items()
            ],
            unified=self._unified(pod, requests, limits),
        )
        if self.kubelet.cpu_cfs_quota:
            made.cpu_period, made.cpu_quota = self.period, self._quota(cpu_limit)
        if self.swap_counted and not self.unified:
            made.memory_swap_limit_in_bytes = made.memory_limit_in_bytes  # both together: no swap
        return made

    def pod(self, pod: Object) -> Limits:
        """What the pod's own cgroup is to be limited to."""
        plain = {"spec": pod.get("spec") or {}}
        requests, limits = pod_resources.requests(plain), pod_resources.limits(plain)
        quality, declared = qos_class(pod), _declared(plain)
        cpu, memory = (quality == GUARANTEED or (quality == BURSTABLE and each in declared) for each in _BOTH)
        return Limits(
            cpu_shares=LEAST_SHARES
            if quality == BEST_EFFORT
            else shares(quantity.milli(requests.get("cpu", 0))),
            cpu_quota=self._pod_quota(limits) if cpu else None,
            cpu_period=self.period if cpu else None,
            memory=quantity.value(limits.get("memory", 0)) if memory else None,
            memory_min=quantity.value(requests.get("memory", 0)) if self.keeps_memory else None,
            pids=self.kubelet.pod_pids_limit if self.kubelet.pod_pids_limit > 0 else None,
            huge_pages=huge_page_limits(requests, self.page_sizes),
        )

    def sandbox(self, pod: Object) -> cri.LinuxContainerResources:
        """What the runtime is told of the pod as a whole, without its overhead."""
        spec = pod.get("spec") or {}
        requests, limits = (pod_resources.specified(spec, which) for which in ("requests", "limits"))
        return self._plain(requests, limits)

    def overhead(self, pod: Object) -> cri.LinuxContainerResources | None:
        given = (pod.get("spec") or {}).get("overhead")
        return self._plain(given, given) if given else None

    def swaps(self, pod: Object, container: Object) -> bool:
        """Whether the container may use swap."""
        requests, limits = _amounts(container, "requests"), _amounts(container, "limits")
        return self.unified and self.swap_counted and self._swap(pod, requests, limits) > 0

    @property
    def period(self) -> int:
        """Microseconds."""
        return round(self.kubelet.cpu_cfs_quota_period * 1_000_000)

    def _plain(self, requests: Mapping[str, str], limits: Mapping[str, str]) -> cri.LinuxContainerResources:
        cpu_limit = quantity.milli(limits.get("cpu", 0))
        made = cri.LinuxContainerResources(
            cpu_shares=shares(quantity.milli(requests["cpu"]) if "cpu" in requests else cpu_limit),
            memory_limit_in_bytes=quantity.value(limits.get("memory", 0)),
        )
        if self.kubelet.cpu_cfs_quota:
            made.cpu_period, made.cpu_quota = self.period, self._quota(cpu_limit)
        return made

    def _quota(self, millicores: int) -> int:
        return quota(millicores, self.period) if millicores else 0

    def _pod_quota(self, limits: Mapping[str, str]) -> int:
        cpu = quantity.milli(limits.get("cpu", 0))
        return quota(cpu, self.period) if cpu and self.kubelet.cpu_cfs_quota else -1

    @property
    def keeps_memory(self) -> bool:
        """Whether memory that is requested is kept for those that requested it."""
        return self.unified and self.kubelet.feature_gates.get("MemoryQoS") is True

    def _unified(self, pod: Object, requests: Mapping[str, str], limits: Mapping[str, str]) -> dict[str, str]:
        """What only cgroup v2 knows."""
        if not self.unified:
            return {}
        made = {} if self.kubelet.single_process_oom_kill else {"memory.oom.group": "1"}
        if self.swap_counted:
            made["memory.swap.max"] = str(self._swap(pod, requests, limits))
        if self.keeps_memory:
            made |= self._kept(requests, limits)
        return made

    def _swap(self, pod: Object, requests: Mapping[str, str], limits: Mapping[str, str]) -> int:
        """Bytes: with LimitedSwap a burstable container's share is that of its memory in the node's."""
        asked, limit = (quantity.value(each.get("memory", 0)) for each in (requests, limits))
        limited = self.kubelet.memory_swap.get("swapBehavior") == "LimitedSwap"
        if not limited or qos_class(pod) != BURSTABLE or not asked or asked == limit:
            return 0
        return asked * self.swap // max(self.memory_capacity, 1)

    def _kept(self, requests: Mapping[str, str], limits: Mapping[str, str]) -> dict[str, str]:
        """Memory QoS: what is requested is kept, and growth is slowed down before the limit is reached."""
        asked, limit = (quantity.value(each.get("memory", 0)) for each in (requests, limits))
        made = {"memory.min": str(asked)} if asked else {}
        if asked != limit:
            most, page = limit or self.memory_allocatable, os.sysconf("SC_PAGE_SIZE")
            high = int(asked + (most - asked) * self.kubelet.memory_throttling_factor) // page * page
            if high > asked:
                made["memory.high"] = str(high)
        return made


_BOTH = ("cpu", "memory")


def shares(millicores: int) -> int:
    """cgroup v1 cpu.shares; runc converts them for v2."""
    return min(max(millicores * 1024 // 1000, LEAST_SHARES), MOST_SHARES)


def quota(millicores: int, period: int = QUOTA_PERIOD) -> int:
    """Microseconds of cpu time in each period."""
    return max(millicores * period // 1000, _LEAST_QUOTA)


def huge_page_limits(amounts: Mapping[str, str], page_sizes: Sequence[str]) -> dict[str, int]:
    """Bytes by size of page: what is not asked for is not to be had."""
    asked = {
        page_size(name): quantity.value(amount) for name, amount in amounts.items() if name.startswith(_HUGE)
    }
    return {size: asked.get(size, 0) for size in page_sizes}


def page_size(resource: str) -> str:
    """`2MB` for `hugepages-2Mi`: as cgroups name it."""
    text = resource.removeprefix(_HUGE)
    return text[:-2] + _PAGE_UNITS.get(text[-2:], text[-2:])


def _amounts(holder: Object, kind: str) -> Mapping[str, str]:
    return (holder.get("resources") or {}).get(kind) or {}


def _with_pods(pod: Object, limits: Mapping[str, str]) -> dict[str, str]:
    """What the pod as a whole is limited to holds for a container that has no limit of its own."""
    own = _amounts(pod.get("spec") or {}, "limits")
    return {**own, **{name: amount for name, amount in limits.items() if quantity.parse(amount)}}


def _declared(pod: Object) -> set[str]:
    """Of cpu and memory, what every container, or the pod as a whole, has a limit for."""
    spec = pod["spec"]
    holders = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return {
        name
        for name in _BOTH
        if quantity.parse(_amounts(spec, "limits").get(name, 0))
        or all(quantity.parse(_amounts(each, "limits").get(name, 0)) for each in holders)
    }
