"""Reads metrics: of pods' resources (metrics.k8s.io), of pods and objects (custom), of anything (external).

Other servers answer for these APIs, or nobody does. Values are in thousandths. Messages are upstream's.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from kubeling.client import Client, ConnectionLost
from kubeling.objects import meta, quantity
from kubeling.objects.errors import ApiError, NotFound
from kubeling.objects.meta import Object
from server.controllers.autoscaling.target import Kinds, TargetError

RESOURCES = "/apis/metrics.k8s.io/v1beta1"
CUSTOM = ("/apis/custom.metrics.k8s.io/v1beta2", "/apis/custom.metrics.k8s.io/v1beta1")
EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1"
_WINDOW = 60.0
_ABSENT = "the server could not find the requested resource"


class MetricsError(Exception):
    """There is no metric; the message says why."""


class PodMetric(NamedTuple):
    """A value, when it was taken, and over how many seconds."""

    value: int
    timestamp: datetime
    window: float = _WINDOW


PodMetrics = dict[str, PodMetric]
"""By the name of the pod."""


class MetricsApi:
    def __init__(self, client: Client, kinds: Kinds) -> None:
        self._client = client
        self._kinds = kinds

    async def resource(self, name: str, *, namespace: str, selector: str, container: str = "") -> PodMetrics:
        """Of each pod, or of one container in each. Raises: MetricsError."""
        path = f"{RESOURCES}/namespaces/{namespace}/pods"
        items = await self._items((path,), {"labelSelector": selector}, "resource", "get pods.metrics.k8s.io")
        found: PodMetrics = {}
        for pod in items:
            value = _usage(pod, name, container)
            if value is not None:
                moment = meta.parse_timestamp(pod["timestamp"])
                found[meta.name(pod)] = PodMetric(value, moment, _seconds(pod.get("window")))
        return found

    async def pods(self, metric: str, *, namespace: str, selector: str, metric_selector: str) -> PodMetrics:
        """Raises: MetricsError."""
        query = {"labelSelector": selector, "metricLabelSelector": metric_selector}
        paths = [f"{root}/namespaces/{namespace}/pods/*/{metric}" for root in CUSTOM]
        items = await self._items(paths, query, "custom", "")
        return {each["describedObject"]["name"]: _described(each) for each in items}

    async def of_object(self, metric: str, *, namespace: str, reference: Object, metric_selector: str) -> int:
        """Raises: MetricsError."""
        where = await self._place(namespace, reference)
        paths = [f"{root}/{where}/{metric}" for root in CUSTOM]
        items = await self._items(paths, {"metricLabelSelector": metric_selector}, "custom", "")
        return quantity.milli(items[0]["value"])

    async def external(self, metric: str, *, namespace: str, selector: str) -> int:
        """The sum of all series. Raises: MetricsError."""
        path = f"{EXTERNAL}/namespaces/{namespace}/{metric}"
        items = await self._items((path,), {"labelSelector": selector}, "external", "")
        return sum(quantity.milli(each["value"]) for each in items)

    async def _place(self, namespace: str, reference: Object) -> str:
        name = reference["name"]
        try:
            resource = await self._kinds.find(reference.get("apiVersion") or "", reference["kind"])
        except TargetError as error:
            raise MetricsError(f"unable to fetch metrics from custom metrics API: {error}") from error
        if str(resource) == "namespaces":
            return f"namespaces/{name}/metrics"
        return f"namespaces/{namespace}/{resource}/{name}" if resource.namespaced else f"{resource}/{name}"

    async def _items(
        self, paths: tuple[str, ...] | list[str], query: Mapping[str, str], api: str, asked: str
    ) -> list[Object]:
        """From the first of the paths where somebody answers."""
        parameters = {name: value for name, value in query.items() if value}
        reasons: list[str] = []
        for path in paths:
            try:
                answer = await self._client.fetch(path, parameters)
            except NotFound as error:
                reasons.append(str(error))
                continue
            except (ApiError, ConnectionLost) as error:
                raise MetricsError(f"unable to fetch metrics from {api} metrics API: {error}") from error
            items: list[Object] = answer.get("items") or []
            if not items:
                raise MetricsError(f"no metrics returned from {api} metrics API")
            return items
        reason = next((each for each in reasons if each != _ABSENT), reasons[0])
        suffix = f" ({asked})" if asked and reason == _ABSENT else ""
        raise MetricsError(f"unable to fetch metrics from {api} metrics API: {reason}{suffix}")


def _usage(pod: Object, resource: str, container: str) -> int | None:
    """The usage of all containers, None when one does not say; or of the one that is asked for."""
    containers = pod.get("containers") or []
    if container:
        containers = [each for each in containers if each["name"] == container]
        if not containers:
            where = f"{meta.namespace(pod)}/{meta.name(pod)}"
            why = f"container {container} not present in metrics for pod {where}"
            raise MetricsError(f"failed to get container metrics: {why}")
    if not all(resource in each.get("usage", {}) for each in containers):
        return None
    return sum(quantity.milli(each["usage"][resource]) for each in containers)


def _described(item: Object) -> PodMetric:
    window = item.get("windowSeconds", item.get("window"))
    moment = meta.parse_timestamp(item["timestamp"])
    return PodMetric(quantity.milli(item["value"]), moment, _WINDOW if window is None else float(window))


def _seconds(duration: str | None) -> float:
    """Of a duration such as `1m30s`; metrics servers write nothing finer than seconds and milliseconds."""
    total, number = 0.0, ""
    for part in (duration or "").replace("ms", "i"):
        if part in "hmsi" and number:
            total += float(number) * {"h": 3600.0, "m": 60.0, "s": 1.0, "i": 0.001}[part]
            number = ""
        else:
            number += part
    return total
