"""What each metric of an autoscaler's spec proposes, with what its status shows of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from kubeling.objects import quantity
from kubeling.objects.meta import Object
from server.controllers.autoscaling.metrics_api import MetricsApi, MetricsError
from server.controllers.autoscaling.replica_count import (
    Count,
    Tolerance,
    for_average,
    for_share,
    for_total,
    for_utilization,
)
from server.controllers.autoscaling.selector_text import printed, query_text


class Proposal(NamedTuple):
    """`metric` is its name in messages; `status` what the autoscaler's status shows."""

    replicas: int
    metric: str
    status: Object


class ProposalError(Exception):
    """A metric proposes nothing. `reason` and the message are for the condition, `summary` for events."""

    def __init__(self, reason: str, message: str, summary: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.summary = f"{summary}: {message}"


@dataclass(frozen=True, slots=True)
class Situation:
    """What the target has now: replicas in its spec and its status, its pods and the selector of these."""

    namespace: str
    spec_replicas: int
    status_replicas: int
    selector: str
    pods: Sequence[Object]
    now: datetime
    tolerance: Tolerance


class Proposals:
    def __init__(self, metrics: MetricsApi) -> None:
        self._metrics = metrics
        self._kinds = {
            "Resource": self._resource,
            "ContainerResource": self._resource,
            "Pods": self._of_pods,
            "Object": self._of_object,
            "External": self._external,
        }

    async def propose(self, spec: Object, situation: Situation) -> Proposal:
        """Raises: ProposalError."""
        kind = spec["type"]
        source: Object = spec.get(kind[:1].lower() + kind[1:]) or {}
        try:
            return await self._kinds[kind](kind, source, situation)
        except MetricsError as error:
            raise ProposalError(f"FailedGet{kind}Metric", str(error), _summary(kind, source)) from error

    async def _resource(self, kind: str, source: Object, now: Situation) -> Proposal:
        resource, container, target = source["name"], source.get("container", ""), source["target"]
        percent = target.get("averageUtilization")
        average = target.get("averageValue")
        words = "usage" if average is not None else "utilization"
        try:
            count = await self._resource_count(now, resource, container, average, percent)
        except MetricsError as error:
            raise MetricsError(f"failed to get {resource} {words}: {error}") from error
        current: Object = {"averageValue": _quantity(count.usage)}
        if count.percent is not None:
            current["averageUtilization"] = count.percent
        shown: Object = {"name": resource, "current": current}
        if container:
            shown["container"] = container
        suffix = "" if average is not None else " utilization (percentage of request)"
        return Proposal(count.replicas, f"{resource} resource{suffix}", _status(kind, shown))

    async def _resource_count(
        self, now: Situation, resource: str, container: str, average: str | None, percent: int | None
    ) -> Count:
        try:
            metrics = await self._metrics.resource(
                resource, namespace=now.namespace, selector=now.selector, container=container
            )
        except MetricsError as error:
            raise MetricsError(f"unable to get metrics for resource {resource}: {error}") from error
        if average is not None:
            return for_average(
                now.spec_replicas,
                quantity.milli(average),
                now.pods,
                metrics,
                resource=resource,
                now=now.now,
                tolerance=now.tolerance,
            )
        return for_utilization(
            now.spec_replicas,
            percent or 100,
            now.pods,
            metrics,
            resource=resource,
            container=container,
            now=now.now,
            tolerance=now.tolerance,
        )

    async def _of_pods(self, kind: str, source: Object, now: Situation) -> Proposal:
        metric = source["metric"]
        try:
            metrics = await self._metrics.pods(
                metric["name"],
                namespace=now.namespace,
                selector=now.selector,
                metric_selector=query_text(metric.get("selector")),
            )
        except MetricsError as error:
            raise MetricsError(f"unable to get metric {metric['name']}: {error}") from error
        target = quantity.milli(source["target"]["averageValue"])
        count = for_average(
            now.spec_replicas, target, now.pods, metrics, resource="", now=now.now, tolerance=now.tolerance
        )
        shown = {"metric": metric, "current": {"averageValue": _quantity(count.usage)}}
        return Proposal(count.replicas, f"pods metric {metric['name']}", _status(kind, shown))

    async def _of_object(self, kind: str, source: Object, now: Situation) -> Proposal:
        metric, about = source["metric"], source["describedObject"]
        try:
            usage = await self._metrics.of_object(
                metric["name"],
                namespace=now.namespace,
                reference=about,
                metric_selector=query_text(metric.get("selector")),
            )
        except MetricsError as error:
            where = f"{about['kind']} on {now.namespace} {about['name']}/{error}"
            raise MetricsError(f"unable to get metric {metric['name']}: {where}") from error
        count, current = _of_one_value(source["target"], usage, now)
        shown = {"metric": metric, "describedObject": about, "current": current}
        return Proposal(count.replicas, f"{about['kind']} metric {metric['name']}", _status(kind, shown))

    async def _external(self, kind: str, source: Object, now: Situation) -> Proposal:
        metric = source["metric"]
        selector = metric.get("selector")
        name = metric["name"]
        try:
            usage = await self._metrics.external(name, namespace=now.namespace, selector=query_text(selector))
        except MetricsError as error:
            which = f"{now.namespace}/{name}/{printed(selector)}"
            text = f"unable to get external metric {which}: {error}"
            raise MetricsError(f"failed to get {name} external metric: {text}") from error
        count, current = _of_one_value(source["target"], usage, now)
        shown = {"metric": metric, "current": current}
        return Proposal(count.replicas, f"external metric {name}({printed(selector)})", _status(kind, shown))


def _of_one_value(target: Object, usage: int, now: Situation) -> tuple[Count, Object]:
    """One value for all replicas: compared as it is, or shared out among them."""
    if (average := target.get("averageValue")) is not None:
        count = for_share(now.status_replicas, quantity.milli(average), usage, tolerance=now.tolerance)
        return count, {"averageValue": _quantity(count.usage)}
    wanted = quantity.milli(target["value"])
    count = for_total(now.spec_replicas, wanted, usage, now.pods, tolerance=now.tolerance)
    return count, {"value": _quantity(count.usage)}


def _status(kind: str, shown: Mapping[str, object]) -> Object:
    return {"type": kind, kind[:1].lower() + kind[1:]: dict(shown)}


def _quantity(thousandths: int) -> str:
    return quantity.format_quantity(Decimal(thousandths) / 1000)


def _summary(kind: str, source: Object) -> str:
    if kind == "Resource":
        return f"failed to get {source['name']} resource metric value"
    if kind == "ContainerResource":
        return f"failed to get {source['container']} container metric value"
    if kind == "External":
        return f"failed to get {source['metric']['name']} external metric value"
    return f"failed to get {kind.lower()} metric value"
