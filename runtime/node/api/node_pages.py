"""What a node with containers tells of itself: statistics, metrics, its configuration, its logs."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from kubeling.client.http import HttpClient
from kubeling.objects.clock import Clock
from runtime.cri.operations import Operations
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.node.api.errors import HttpError
from runtime.node.api.log_files import LogFiles
from runtime.node.api.metrics import cadvisor, kubelet, resource
from runtime.node.api.metrics.cgroup import measured
from runtime.node.api.metrics.page import page
from runtime.node.api.routes import ANY, Answer, Route
from runtime.node.api.summary import summary, summary_of_cpu_and_memory
from runtime.node.api.z_pages import ZPages
from runtime.node.machine import Machine
from runtime.pods.agent import PodAgent
from runtime.pods.tally import Tally
from runtime.stats.cgroup_v2 import CgroupsV2
from runtime.stats.statistics import Statistics

if TYPE_CHECKING:
    from prometheus_client import Metric

_READ = ("GET", "HEAD")
_TRUE = ("true", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePages:
    node_name: str
    machine: Machine
    configuration: KubeletConfiguration
    statistics: Statistics
    agent: PodAgent
    tally: Tally
    operations: Operations
    client: HttpClient
    clock: Clock
    flags: Mapping[str, str]
    """The settings that it was started with, as the kubelet's command line would say them."""

    def routes(self) -> dict[str, list[Route]]:
        z_pages = ZPages(self.clock, self.clock.now(), self.flags)
        return {
            "statusz": [Route(_READ, 0, z_pages.status)],
            "flagz": [Route(_READ, 0, z_pages.settings)],
            "stats": [Route((*_READ, "POST"), 1, self._stats)],
            "metrics": [Route(_READ, 0, self._metrics), Route(_READ, 1, self._metrics)],
            "configz": [Route(_READ, 0, self._configz)],
            "runningpods": [Route(_READ, 0, self._running_pods)],
            "logs": [Route(_READ, ANY, self._logs())],
        }

    async def _stats(self, request: web.BaseRequest, which: str) -> Answer:
        if which != "summary":
            raise _not_found()
        await self.statistics.rates_known()
        parts = await self.statistics.parts()
        if request.query.get("only_cpu_and_memory", "") in _TRUE:
            node, pods = await asyncio.gather(self.statistics.node(), self.statistics.pods())
            document = summary_of_cpu_and_memory(self.node_name, node, parts, pods)
        else:
            node, pods = await asyncio.gather(self.statistics.node(), self.statistics.pods_with_disks())
            document = summary(self.node_name, node, parts, pods)
        return web.json_response(document)

    async def _metrics(self, request: web.BaseRequest, which: str = "") -> Answer:
        makers: Mapping[str, Callable[[], Awaitable[Iterable[Metric]]]] = {
            "": self._own,
            "resource": self._resource,
            "cadvisor": self._cadvisor,
            "probes": self._probes,
        }
        if which not in makers:
            raise _not_found()
        return page(await makers[which]())

    async def _own(self) -> "Iterable[Metric]":
        state = kubelet.AgentState(
            node_name=self.node_name,
            works=[worker.work for worker in self.agent.workers],
            tally=self.tally,
            operations=self.operations.by_request,
            answered=self.client.answered,
            server=self.client.server,
            usages=await self.statistics.pods_with_disks(),
            cgroup_version=2 if isinstance(self.statistics.cgroups, CgroupsV2) else 1,
        )
        return kubelet.kubelet_metrics(state)

    async def _resource(self) -> "Iterable[Metric]":
        node, pods = await asyncio.gather(self.statistics.node(), self.statistics.pods())
        return resource.resource_metrics(node, pods)

    async def _cadvisor(self) -> "Iterable[Metric]":
        node, pods = await asyncio.gather(self.statistics.node(), self.statistics.pods_with_disks())
        now = self.clock.now()
        found = await asyncio.to_thread(measured, self.statistics.cgroups, node, pods, now)
        return cadvisor.cadvisor_metrics(found, self.machine, now)

    async def _probes(self) -> "Iterable[Metric]":
        return kubelet.probe_metrics(self.tally)

    async def _configz(self, request: web.BaseRequest) -> Answer:
        return web.json_response({"kubeletconfig": self.configuration.document()})

    async def _running_pods(self, request: web.BaseRequest) -> Answer:
        """The pods that the runtime has running containers of, as little as it knows of them."""
        works = [worker.work for worker in self.agent.workers]
        items = [
            {
                "metadata": dict(zip(("namespace", "name", "uid"), work.identity, strict=True)),
                "spec": {
                    "containers": [
                        {"name": each.name, "image": each.image, "resources": {}}
                        for each in work.view.observed.running()
                    ]
                },
                "status": {},
            }
            for work in works
            if any(True for _ in work.view.observed.running())
        ]
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})

    def _logs(self) -> Callable[..., Awaitable[Any]]:
        return LogFiles() if self.configuration.enable_system_log_handler else _disabled_logs


async def _disabled_logs(request: web.BaseRequest, *parts: str) -> Answer:
    raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "logs endpoint is disabled.")


def _not_found() -> HttpError:
    return HttpError(HTTPStatus.NOT_FOUND, "404 page not found")
