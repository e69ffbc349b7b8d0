"""/metrics/resource: processor time and memory of node, pods and containers, for metrics servers."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from runtime.node.api.metrics.page import counter, gauge
from runtime.stats.usage import ContainerUsage, NodeUsage, PodUsage

if TYPE_CHECKING:
    from prometheus_client import Metric

_NANO = 1e9
_CONTAINER = ("container", "pod", "namespace")
_POD = ("pod", "namespace")


def resource_metrics(node: NodeUsage, pods: Sequence[PodUsage]) -> Iterable["Metric"]:
    yield from _of_node(node)
    yield from _of_containers(pods)
    yield from _of_pods(pods)
    text = "1 if there was an error while getting container metrics, 0 otherwise"
    error = gauge("resource_scrape_error", text)
    error.add_metric([], 0)
    yield error


def _of_node(node: NodeUsage) -> Iterable["Metric"]:
    at = node.cpu.time.timestamp()
    cpu = counter("node_cpu_usage_seconds", "Cumulative cpu time consumed by the node in core-seconds")
    cpu.add_metric([], node.cpu.total / _NANO, timestamp=at)
    yield cpu
    memory = gauge("node_memory_working_set_bytes", "Current working set of the node in bytes")
    memory.add_metric([], node.memory.working_set, timestamp=at)
    yield memory
    swap = gauge("node_swap_usage_bytes", "Current swap usage of the node in bytes")
    swap.add_metric([], node.memory.swap, timestamp=at)
    yield swap


def _of_containers(pods: Sequence[PodUsage]) -> Iterable["Metric"]:
    text = "Cumulative cpu time consumed by the container in core-seconds"
    cpu = counter("container_cpu_usage_seconds", text, _CONTAINER)
    text = "Current working set of the container in bytes"
    memory = gauge("container_memory_working_set_bytes", text, _CONTAINER)
    text = "Start time of the container since unix epoch in seconds"
    start = gauge("container_start_time_seconds", text, _CONTAINER)
    swap = gauge(
        "container_swap_usage_bytes", "Current amount of the container swap usage in bytes", _CONTAINER
    )
    text = "Current amount of the container swap limit in bytes"
    swap_limit = gauge("container_swap_limit_bytes", text, _CONTAINER)
    for pod, container in _containers(pods):
        labels = [container.name, *_names(pod)]
        start.add_metric(labels, container.started_at.timestamp())
        if container.cpu is not None:
            cpu.add_metric(labels, container.cpu.total / _NANO, timestamp=_at(container))
        if container.memory is not None:
            memory.add_metric(labels, container.memory.working_set, timestamp=_at(container))
            swap.add_metric(labels, container.memory.swap, timestamp=_at(container))
            if container.memory.swap_limit is not None:
                swap_limit.add_metric(labels, container.memory.swap_limit, timestamp=_at(container))
    return cpu, memory, start, swap, swap_limit


def _of_pods(pods: Sequence[PodUsage]) -> Iterable["Metric"]:
    text = "Cumulative cpu time consumed by the pod in core-seconds"
    cpu = counter("pod_cpu_usage_seconds", text, _POD)
    memory = gauge("pod_memory_working_set_bytes", "Current working set of the pod in bytes", _POD)
    swap = gauge("pod_swap_usage_bytes", "Current amount of the pod swap usage in bytes", _POD)
    for pod in pods:
        if pod.cpu is not None:
            cpu.add_metric(_names(pod), pod.cpu.total / _NANO, timestamp=pod.cpu.time.timestamp())
        if pod.memory is not None:
            at = pod.memory.time.timestamp()
            memory.add_metric(_names(pod), pod.memory.working_set, timestamp=at)
            swap.add_metric(_names(pod), pod.memory.swap, timestamp=at)
    return cpu, memory, swap


def _containers(pods: Sequence[PodUsage]) -> Iterable[tuple[PodUsage, ContainerUsage]]:
    return ((pod, each) for pod in pods for each in pod.containers)


def _names(pod: PodUsage) -> list[str]:
    return [pod.pod["metadata"]["name"], pod.pod["metadata"]["namespace"]]


def _at(container: ContainerUsage) -> float:
    moment: datetime = container.cpu.time if container.cpu is not None else container.started_at
    return moment.timestamp()
