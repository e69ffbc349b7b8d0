"""/metrics and /metrics/probes: what the agent itself does, under the kubelet's names."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeling.objects.meta import Object
from kubeling.version import KUBERNETES_VERSION
from runtime.cri.operations import Operation, operation_name
from runtime.node.api.metrics.page import counter, gauge, histogram
from runtime.node.api.metrics.volumes import claim_stats, volume_counts
from runtime.pods.observed import State
from runtime.pods.tally import Tally
from runtime.pods.work import PodWork
from runtime.stats.usage import PodUsage

if TYPE_CHECKING:
    from prometheus_client import Metric


@dataclass(frozen=True, slots=True)
class AgentState:
    """What the page is made from."""

    node_name: str
    works: Sequence[PodWork]
    tally: Tally
    operations: Mapping[str, Operation]
    answered: Counter[tuple[str, int]]
    """The API server's answers, by method and status."""
    server: str
    usages: Sequence[PodUsage]
    cgroup_version: int


def kubelet_metrics(state: AgentState) -> Iterable["Metric"]:
    yield from _build()
    yield from _process()
    yield from _pods(state)
    yield from _starts(state.tally)
    yield from _shortages(state.tally)
    yield from _operations(state.operations)
    yield volume_counts(state.works)
    yield from claim_stats(state.usages)
    yield _answers(state)


def probe_metrics(tally: Tally) -> Iterable["Metric"]:
    text = "Cumulative number of a liveness, readiness or startup probe for a container by result."
    labels = ("probe_type", "container", "pod", "namespace")
    total = counter("prober_probe", text, (*labels, "result", "pod_uid"))
    seconds = histogram("prober_probe_duration_seconds", "Duration in seconds for a probe response.", labels)
    for probed, results in tally.probes.items():
        values = [probed.kind, probed.container, probed.pod.name, probed.pod.namespace]
        for result, count in results.items():
            total.add_metric([*values, result, probed.pod.uid], count)
        durations = tally.probe_durations[probed]
        seconds.add_metric(values, durations.cumulative(), durations.total)
    return total, seconds


def _build() -> Iterable["Metric"]:
    text = "A metric with a constant '1' value labeled by the version of Kubernetes and of the build."
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    labels = {"git_version": KUBERNETES_VERSION, "major": major, "minor": minor, "platform": "linux"}
    family = gauge("kubernetes_build_info", text, labels)
    family.add_metric([*labels.values()], 1)
    yield family


def _process() -> Iterable["Metric"]:
    from prometheus_client import ProcessCollector

    yield from ProcessCollector(registry=None).collect()


def _pods(state: AgentState) -> Iterable["Metric"]:
    works = state.works
    name = gauge("kubelet_node_name", "The node's name. The count is always 1.", ("node",))
    name.add_metric([state.node_name], 1)
    yield name
    version = gauge("kubelet_cgroup_version", "cgroup version on the hosts.")
    version.add_metric([], state.cgroup_version)
    yield version
    running = gauge("kubelet_running_pods", "Number of pods that have a running pod sandbox")
    running.add_metric([], sum(1 for work in works if work.view.observed.ready_sandbox is not None))
    yield running
    states = Counter(each.state for work in works for each in work.view.observed.containers.values())
    containers = gauge(
        "kubelet_running_containers", "Number of containers currently running", ("container_state",)
    )
    for each in State:
        if states[each]:
            containers.add_metric([each.name.lower()], states[each])
    yield containers
    for family, text in (
        ("kubelet_desired_pods", "The number of pods the kubelet is being instructed to run."),
        ("kubelet_active_pods", "The number of pods the kubelet considers active."),
    ):
        found = gauge(family, text, ("static",))
        for static, count in sorted(Counter(map(_is_static, works)).items()):
            found.add_metric([static], count)
        yield found


def _is_static(work: PodWork) -> str:
    annotations: Object = (work.pod.get("metadata") or {}).get("annotations") or {}
    source = annotations.get("kubernetes.io/config.source", "api")
    return "" if source == "api" else "true"


def _starts(tally: Tally) -> Iterable["Metric"]:
    text = "Duration in seconds from kubelet seeing a pod for the first time to the pod starting to run"
    starts = histogram("kubelet_pod_start_duration_seconds", text)
    starts.add_metric([], tally.pod_starts.cumulative(), tally.pod_starts.total)
    yield starts
    counts = {
        "kubelet_started_pods": ("Cumulative number of pods started", tally.started_sandboxes),
        "kubelet_started_pods_errors": (
            "Cumulative number of errors when starting pods",
            tally.sandbox_failures,
        ),
        "kubelet_started_containers": ("Cumulative number of containers started", tally.started_containers),
    }
    for name, (text, count) in counts.items():
        family = counter(name, text)
        family.add_metric([], count)
        yield family
    yield _counted(
        "kubelet_started_containers_errors",
        "Cumulative number of errors when starting containers",
        "code",
        tally.container_failures,
    )


def _shortages(tally: Tally) -> Iterable["Metric"]:
    text = "Cumulative number of pod evictions by eviction signal"
    yield _counted("kubelet_evictions", text, "eviction_signal", tally.evictions)
    text = "Total number of images garbage collected by the kubelet, whether through disk usage or image age."
    yield _counted("kubelet_image_garbage_collected", text, "reason", tally.collected_images)


def _counted(name: str, text: str, label: str, counts: Mapping[str, int]) -> "Metric":
    family = counter(name, text, (label,))
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


def _operations(operations: Mapping[str, Operation]) -> Iterable["Metric"]:
    labels = ("operation_type",)
    total = counter(
        "kubelet_runtime_operations", "Cumulative number of runtime operations by operation type.", labels
    )
    text = "Cumulative number of runtime operation errors by operation type."
    errors = counter("kubelet_runtime_operations_errors", text, labels)
    text = "Duration in seconds of runtime operations. Broken down by operation type."
    seconds = histogram("kubelet_runtime_operations_duration_seconds", text, labels)
    for request, operation in operations.items():
        name, durations = [operation_name(request)], operation.durations
        total.add_metric(name, sum(durations.counts))
        if operation.errors:
            errors.add_metric(name, operation.errors)
        seconds.add_metric(name, durations.cumulative(), durations.total)
    return total, errors, seconds


def _answers(state: AgentState) -> "Metric":
    text = "Number of HTTP requests, partitioned by status code, method, and host."
    family = counter("rest_client_requests", text, ("code", "host", "method"))
    host = state.server.partition("://")[2]
    for (method, status), count in state.answered.items():
        family.add_metric([str(status), host, method], count)
    return family
