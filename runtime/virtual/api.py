"""The kubelet API of all virtual nodes, behind one listener: canned logs and answers."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus

from aiohttp import web

from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object, micro_timestamp, timestamp
from runtime.node.api.agent_pods import shown
from runtime.node.api.container_logs import log_options, send_log
from runtime.node.api.containers import find_pod, logged_container
from runtime.node.api.errors import HttpError
from runtime.node.api.gate import MastersOnly
from runtime.node.api.handler import Requests, kubelet_routes
from runtime.node.api.routes import Answer, Route
from runtime.node.logs.output import LogOptions, LogOutput
from runtime.virtual.commands import FOREVER
from runtime.virtual.pods import VirtualPods
from runtime.virtual.records import Container
from runtime.virtual.streams import serve
from runtime.virtual.usage import ContainerUse, VirtualUsage
from runtime.virtual.wishes import Wishes

_TRUE = ("true", "1", "t", "True", "TRUE", "T")


class VirtualApi:
    """Makes the handler of the listener."""

    def __init__(self, pods: VirtualPods, clock: Clock, nodes: Callable[[], Iterable[str]]) -> None:
        """`nodes` gives the names of all."""
        self._pods = pods
        self._clock = clock
        self._nodes = nodes
        self._usage = VirtualUsage(clock)

    def handler(self) -> Requests:
        own = {
            "stats": [Route(("GET",), 1, self._stats)],
            "metrics": [Route(("GET",), 1, self._resource_metrics)],
        }
        return Requests(kubelet_routes(self, self._logs, self) | own, MastersOnly())

    def pod(self, namespace: str, name: str) -> Object | None:
        worker = self._pods.worker(namespace, name)
        return None if worker is None else shown(worker)

    def pods(self) -> Sequence[Object]:
        return [shown(worker) for worker in self._pods.workers() if worker.work.pod]

    async def exec(self, request: web.BaseRequest, namespace: str, name: str, container: str) -> Answer:
        """Raises HttpError, RuntimeServiceError."""
        words = request.query.getall("command", [])
        if not words:
            raise HttpError(HTTPStatus.BAD_REQUEST, "you must specify at least one command for the container")
        record = self._running(namespace, name, container)

        async def run() -> tuple[bytes, bytes, int]:
            result = await self._pods.runtime_of(namespace, name).exec_sync(record.id, words, timeout=0)
            return result.stdout, result.stderr, result.exit_code

        return await serve(request, run)

    async def attach(self, request: web.BaseRequest, namespace: str, name: str, container: str) -> Answer:
        """The log, then nothing until the container ends."""
        record = self._running(namespace, name, container)

        async def run() -> tuple[bytes, bytes, int]:
            await self._end_of(record)
            return b"", b"", 0

        return await serve(request, run, first=self._text(record).encode())

    async def port_forward(self, request: web.BaseRequest, namespace: str, name: str) -> Answer:
        text = f'nobody listens in pod "{name}": it is on a virtual node, which runs no containers'
        raise HttpError(HTTPStatus.BAD_REQUEST, text)

    async def _logs(
        self, request: web.BaseRequest, namespace: str, name: str, container: str
    ) -> web.StreamResponse:
        """Raises HttpError."""
        options = log_options(request.query, self._clock)
        pod = find_pod(self, namespace, name)
        previous = request.query.get("previous", "") in _TRUE
        container_id = logged_container(pod, container, previous=previous)
        record = self._pods.runtime_of(namespace, name).container(container_id.rpartition("://")[2])
        return await send_log(request, self._pieces(record, options))

    async def _pieces(self, record: Container | None, options: LogOptions) -> AsyncGenerator[bytes]:
        if record is None:
            return
        time = micro_timestamp(datetime.fromtimestamp(record.started_at / 1e9, UTC)).encode()
        lines = [b"%s stdout F %s" % (time, each.encode()) for each in self._text(record).splitlines()]
        if options.tail is not None:
            lines = lines[len(lines) - min(options.tail, len(lines)) :]
        yield LogOutput(options).show(lines)
        if options.follow:
            await self._end_of(record)

    def _text(self, record: Container) -> str:
        """What the annotations say, else what the command would print."""
        said = Wishes(self._pods.pod(record.pod_uid), record.name).text("logs")
        if said:
            return said if said.endswith("\n") else said + "\n"
        if record.run.output or record.run.seconds != FOREVER:
            return record.run.output
        return f"{record.image} is not executed: this is a virtual node\n"

    async def _end_of(self, record: Container) -> None:
        if record.running:
            record.ended = record.ended or asyncio.Event()
            await record.ended.wait()

    def _running(self, namespace: str, name: str, container: str) -> Container:
        """Raises HttpError."""
        pod = find_pod(self, namespace, name)
        record = self._pods.runtime_of(namespace, name).running(pod["metadata"]["uid"], container)
        if record is None:
            raise HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, f'container not found ("{container}")')
        return record

    async def _resource_metrics(self, request: web.BaseRequest, which: str) -> Answer:
        """Raises HttpError."""
        if which != "resource":
            raise HttpError(HTTPStatus.NOT_FOUND, "404 page not found")
        text = self._usage.page(self._nodes(), [worker.work for worker in self._pods.workers()])
        return web.Response(text=text, content_type="text/plain")

    async def _stats(self, request: web.BaseRequest, which: str) -> Answer:
        """Raises HttpError."""
        if which != "summary":
            raise HttpError(HTTPStatus.NOT_FOUND, "404 page not found")
        now = timestamp(self._clock.now())
        pods: dict[str, Object] = {}
        for use in self._usage.containers(worker.work for worker in self._pods.workers()):
            identity = use.work.identity
            pod = pods.setdefault(identity.uid, {"podRef": identity._asdict(), "containers": []})
            pod["containers"].append(_container(use, now))
        idle = {"time": now, "usageNanoCores": 0, "usageCoreNanoSeconds": 0}
        node = {"nodeName": "virtual", "startTime": now, "cpu": idle}
        return web.json_response({"node": node, "pods": list(pods.values())})


def _container(use: ContainerUse, now: str) -> Object:
    return {
        "name": use.name,
        "startTime": timestamp(datetime.fromtimestamp(use.started, UTC)),
        "cpu": {
            "time": now,
            "usageNanoCores": round(use.cores * 1e9),
            "usageCoreNanoSeconds": round(use.seconds * 1e9),
        },
        "memory": {"time": now, "usageBytes": use.memory, "workingSetBytes": use.memory},
    }
