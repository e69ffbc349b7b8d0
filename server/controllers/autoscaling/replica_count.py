"""How many replicas a metric asks for. Pure functions of pods and metrics; values in thousandths.

Pods that are not ready, or of which there is no metric, are taken to use nothing where more replicas are
asked for, and all that they should where fewer are: they never make the change larger, nor turn it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from kubeling.objects import conditions, meta, quantity
from kubeling.objects.meta import Object
from server.controllers.autoscaling.metrics_api import MetricsError, PodMetric, PodMetrics
from server.controllers.owned import pods as owned

CPU_INITIALIZATION = timedelta(minutes=5)
"""How long after its start a pod's cpu counts only if taken while it is ready."""
INITIAL_READINESS = timedelta(seconds=30)
"""A pod that ceased to be ready so soon after its start has never been ready."""

_NO_PODS = "no pods returned by selector while calculating replica count"
_NOT_READY = "did not receive metrics for targeted pods (pods might be unready)"
Values = Mapping[str, int]
"""By the name of the pod."""


class Tolerance(NamedTuple):
    """How far from the target is near enough, as a part of it."""

    up: float = 0.1
    down: float = 0.1

    def covers(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


class Count(NamedTuple):
    """The replicas that are asked for; the usage on average, and in percent of what is requested."""

    replicas: int
    usage: int
    percent: int | None = None


class _Pods(NamedTuple):
    """The values of those that are ready, and the names of the others."""

    values: Values
    ready: int
    unready: set[str]
    missing: set[str]


def for_utilization(
    current: int,
    target: int,
    pods: Sequence[Object],
    metrics: PodMetrics,
    *,
    resource: str,
    container: str,
    now: datetime,
    tolerance: Tolerance,
) -> Count:
    """By usage in percent of what pods request. Raises: MetricsError."""
    grouped = _grouped(pods, metrics, resource, now)
    requests = requests_of(pods, resource, container)

    def percent(values: Values) -> int:
        return _percent(values, requests)

    replicas = _replicas(
        current,
        grouped,
        ratio_of=lambda values: percent(values) / target,
        full=lambda pod: requests[pod] * max(100, target) // 100,
        tolerance=tolerance,
    )
    known = {pod: value for pod, value in grouped.values.items() if pod in requests}
    return Count(replicas, _average(known), percent(known))


def for_average(
    current: int,
    target: int,
    pods: Sequence[Object],
    metrics: PodMetrics,
    *,
    resource: str,
    now: datetime,
    tolerance: Tolerance,
) -> Count:
    """By usage on average; `resource` is "" for metrics that are no resource's. Raises: MetricsError."""
    grouped = _grouped(pods, metrics, resource, now)
    replicas = _replicas(
        current,
        grouped,
        ratio_of=lambda values: _average(values) / target,
        full=lambda _: target,
        tolerance=tolerance,
        zero_at_target=True,
    )
    return Count(replicas, _average(grouped.values))


def for_total(
    current: int, target: int, usage: int, pods: Sequence[Object], *, tolerance: Tolerance
) -> Count:
    """By one value for all: so many times the ready pods as it is above the target. Raises: MetricsError."""
    ratio = usage / target
    if not current:
        return Count(math.ceil(ratio), usage)
    if tolerance.covers(ratio):
        return Count(current, usage)
    if not pods:
        raise MetricsError(f"unable to calculate ready pods: {_NO_PODS}")
    ready = sum(owned.phase(pod) == "Running" and owned.is_ready(pod) for pod in pods)
    return Count(math.ceil(ratio * ready), usage)


def for_share(current: int, target: int, usage: int, *, tolerance: Tolerance) -> Count:
    """By one value for all that is to be shared out, `target` for each replica."""
    ratio = usage / (target * current) if current else math.inf
    replicas = current if tolerance.covers(ratio) else math.ceil(usage / target)
    return Count(replicas, math.ceil(usage / current) if current else usage)


def requests_of(pods: Sequence[Object], resource: str, container: str) -> dict[str, int]:
    """What each pod requests, or one of its containers. Raises: MetricsError, when one does not say."""
    return {meta.name(pod): _request(pod, resource, container) for pod in pods}


def _request(pod: Object, resource: str, container: str) -> int:
    spec = pod["spec"]
    whole = ((spec.get("resources") or {}).get("requests") or {}).get(resource)
    if whole is not None and not container:
        return quantity.milli(whole)
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    total, found = 0, False
    for each in (*spec["containers"], *sidecars):
        if container not in ("", each["name"]):
            continue
        request = ((each.get("resources") or {}).get("requests") or {}).get(resource)
        if request is None:
            where = f"container {each['name']} of Pod {meta.name(pod)}"
            raise MetricsError(f"missing request for {resource} in {where}")
        total, found = total + quantity.milli(request), True
    if not found:
        raise MetricsError(f"container {container} not found in Pod {meta.name(pod)}")
    return total


def _replicas(
    current: int,
    pods: _Pods,
    *,
    ratio_of: Callable[[Values], float],
    full: Callable[[str], int],
    tolerance: Tolerance,
    zero_at_target: bool = False,
) -> int:
    ratio = ratio_of(pods.values)
    grows = bool(pods.unready) and ratio > 1.0
    if not grows and not pods.missing:
        return current if tolerance.covers(ratio) else math.ceil(ratio * pods.ready)
    filled = dict(pods.values)
    if ratio < 1.0:
        filled |= {pod: full(pod) for pod in pods.missing}
    elif ratio > 1.0 or zero_at_target:
        filled |= dict.fromkeys(pods.missing, 0)
    if grows:
        filled |= dict.fromkeys(pods.unready, 0)
    again = ratio_of(filled)
    wanted = math.ceil(again * len(filled))
    turned = ratio < 1.0 < again or again < 1.0 < ratio
    backwards = (again < 1.0 and wanted > current) or (again > 1.0 and wanted < current)
    return current if turned or backwards or tolerance.covers(again) else wanted


def _percent(values: Values, requests: Values) -> int:
    known = [pod for pod in values if pod in requests]
    requested = sum(requests[pod] for pod in known)
    if not requested:
        raise MetricsError("no metrics returned matched known pods")
    return sum(values[pod] for pod in known) * 100 // requested


def _average(values: Values) -> int:
    return sum(values.values()) // len(values)


def _grouped(pods: Sequence[Object], metrics: PodMetrics, resource: str, now: datetime) -> _Pods:
    if not pods:
        raise MetricsError(_NO_PODS)
    values = {pod: metric.value for pod, metric in metrics.items()}
    grouped = _Pods(values, 0, set(), set())
    ready = 0
    for pod in pods:
        name = meta.name(pod)
        metric = metrics.get(name)
        if meta.is_terminating(pod) or owned.phase(pod) == "Failed":
            values.pop(name, None)
        elif owned.phase(pod) == "Pending":
            grouped.unready.add(name)
        elif metric is None:
            grouped.missing.add(name)
        elif resource == "cpu" and _is_starting(pod, metric, now):
            grouped.unready.add(name)
        else:
            ready += 1
    for name in grouped.unready:
        values.pop(name, None)
    if not values:
        raise MetricsError(_NOT_READY)
    return grouped._replace(ready=ready)


def _is_starting(pod: Object, metric: PodMetric, now: datetime) -> bool:
    """Whether the pod's use of cpu is that of its start, and says nothing."""
    ready, started = conditions.find(pod, "Ready"), pod["status"].get("startTime")
    if ready is None or not started:
        return True
    begin, is_ready = meta.parse_timestamp(started), ready["status"] != "False"
    since = meta.parse_timestamp(ready.get("lastTransitionTime") or started)
    if begin + CPU_INITIALIZATION > now:
        return not is_ready or metric.timestamp < since + timedelta(seconds=metric.window)
    return not is_ready and begin + INITIAL_READINESS > since
