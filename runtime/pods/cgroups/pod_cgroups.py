"""The cgroups above containers, as the kubelet's cgroupfs driver makes them: implements `PodCgroups`.

    kubepods                 what the node can give to pods
    ├── pod<uid>             guaranteed pods
    ├── burstable/pod<uid>   shares of cpu: what its pods request together
    └── besteffort/pod<uid>  the least shares

A pod's group is there before its sandbox and goes after it. The groups of containers are the runtime's.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock

from kubeling.objects import quantity
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from runtime.pods.cgroups.qos import BESTEFFORT_PATH, BURSTABLE_PATH, KUBEPODS, cgroup_parent
from runtime.pods.cgroups.resources import ResourceRules, shares
from runtime.pods.cgroups.tree import LEAST_SHARES, CgroupError, CgroupTree, Limits

PATIENCE = (0.02, 0.05, 0.2, 0.5, 1.0)
"""Seconds between attempts to remove a group in which processes are still ending."""


class NodeCgroups:
    def __init__(self, rules: ResourceRules, clock: Clock, tree: CgroupTree) -> None:
        self._rules = rules
        self._clock = clock
        self._following = Lock()
        self.tree = tree

    async def begin(self, enforced: Mapping[str, str]) -> None:
        """Make the levels, and limit all pods to what they may use together. Raises CgroupError."""
        await asyncio.to_thread(self._make_levels, self._limits(enforced))

    def _limits(self, enforced: Mapping[str, str]) -> Limits:
        if "pods" not in self._rules.kubelet.enforce_node_allocatable:
            return Limits()
        return Limits(
            cpu_shares=shares(quantity.milli(enforced["cpu"])),
            memory=quantity.value(enforced["memory"]),
        )

    def _make_levels(self, limits: Limits) -> None:
        self.tree.apply(BESTEFFORT_PATH, Limits(cpu_shares=LEAST_SHARES))
        self._follow()
        self.tree.apply(KUBEPODS, limits)

    async def make(self, pod: Object) -> None:
        """Make the pod's group with its limits. Raises CgroupError."""
        await asyncio.to_thread(self._make_pod, pod)

    def _make_pod(self, pod: Object) -> None:
        self.tree.apply(cgroup_parent(pod), self._rules.pod(pod))
        if self._rules.keeps_memory or cgroup_parent(pod).startswith(BURSTABLE_PATH):
            self._follow()

    async def limits(self, pod: Object) -> Limits:
        """What the pod's group is limited to now."""
        return await asyncio.to_thread(self.tree.limits, cgroup_parent(pod))

    async def limit(self, pod: Object, limits: Limits) -> None:
        """Change some of the limits of the pod's group. Raises CgroupError."""
        await asyncio.to_thread(self.tree.apply, cgroup_parent(pod), limits)
        await asyncio.to_thread(self._follow)

    def memory_usage(self, pod: Object, container_id: str = "") -> int | None:
        """Bytes that the pod, or one of its containers, has in use; None where that cannot be told."""
        path = cgroup_parent(pod)
        return self.tree.memory_usage(f"{path}/{container_id}" if container_id else path)

    async def free(self, pod_uid: str) -> None:
        """End what is left in the pod's group, and remove it."""
        for delay in (*PATIENCE, 0.0):
            await asyncio.to_thread(self.tree.end_pod, pod_uid)
            if await asyncio.to_thread(self.tree.remove_pod, pod_uid):
                break
            await self._clock.sleep(delay)
        with suppress(CgroupError):  # a pod goes all the same
            await asyncio.to_thread(self._follow)

    def _follow(self) -> None:
        """Let the level of burstable pods have what its pods have together.

        It is summed up from the groups, not from what this agent knows: that holds over its restarts, and
        where two clusters share a machine.
        """
        with self._following:
            together = self.tree.shares_below(BURSTABLE_PATH)
            self.tree.apply(BURSTABLE_PATH, Limits(cpu_shares=max(together, LEAST_SHARES)))
            if self._rules.keeps_memory:
                kept = self.tree.memory_kept_below(BURSTABLE_PATH)
                self.tree.apply(BURSTABLE_PATH, Limits(memory_min=kept))
                self.tree.apply(KUBEPODS, Limits(memory_min=kept + self.tree.memory_kept_below(KUBEPODS)))


class NoCgroups:
    """Implements `PodCgroups` where pods have no processes."""

    async def make(self, pod: Object) -> None:
        return

    async def limits(self, pod: Object) -> Limits:
        return Limits()

    async def limit(self, pod: Object, limits: Limits) -> None:
        return

    def memory_usage(self, pod: Object, container_id: str = "") -> int | None:
        return None

    async def free(self, pod_uid: str) -> None:
        return
