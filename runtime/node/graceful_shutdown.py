"""Ends the node's pods before the node is shut down, where KubeletConfiguration has a shutdownGracePeriod.

In the order of their priority, each group within its time. The pods have failed then, and do not come back
with the node: whoever owns them makes others.
"""

from collections.abc import Sequence
from typing import NamedTuple

from kubeling.objects.clock import Clock
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.pods.status.pod import Verdict
from runtime.pods.worker import PodWorker

REASON, DISRUPTION = "Terminated", "TerminationByKubelet"
MESSAGE = "Pod was terminated in response to imminent node shutdown."
NODE_MESSAGE = "node is shutting down"

CRITICAL = 2_000_000_000
"""The priority of system-cluster-critical: from there on pods are critical."""
LOOK_EVERY = 0.1


class Group(NamedTuple):
    priority: int
    """The least that its pods have."""
    seconds: float


def shutdown_groups(kubelet: KubeletConfiguration) -> list[Group]:
    """By rising priority; none when pods are to come back with the node."""
    given = kubelet.shutdown_grace_period_by_pod_priority
    groups = [
        Group(int(each.get("priority", 0)), float(each.get("shutdownGracePeriodSeconds", 0)))
        for each in given
    ]
    if not groups and kubelet.shutdown_grace_period:
        critical = kubelet.shutdown_grace_period_critical_pods
        groups = [Group(0, kubelet.shutdown_grace_period - critical), Group(CRITICAL, critical)]
    return sorted(groups)


async def end_pods(workers: Sequence[PodWorker], groups: Sequence[Group], clock: Clock) -> None:
    """Group after group; what has not ended within its group's time is left to the node's end."""
    for number, group in enumerate(groups):
        ending = [each for each in workers if _group_of(each, groups) == number]
        for worker in ending:
            worker.condemn(Verdict(REASON, MESSAGE, grace=group.seconds, disruption=DISRUPTION))
        deadline = clock.monotonic() + group.seconds
        while not all(each.over for each in ending) and clock.monotonic() < deadline:
            await clock.sleep(LOOK_EVERY)


def _group_of(worker: PodWorker, groups: Sequence[Group]) -> int:
    """The last whose priority the pod has; those below all go with the first."""
    priority = int(worker.work.spec.get("priority") or 0)
    reached = [number for number, group in enumerate(groups) if group.priority <= priority]
    return max(reached, default=0)
