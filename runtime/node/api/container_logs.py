"""/containerLogs: a container's log, also while it grows."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from pathlib import Path

from aiohttp import web
from cri_api.v1 import api_pb2 as cri
from multidict import MultiMapping

from kubeling.objects.clock import Clock
from kubeling.streams.connection import connection_of
from runtime.container_runtime import ContainerRuntime
from runtime.errors import NotFound, RuntimeServiceError
from runtime.node.api.containers import PodLookup, find_pod, logged_container
from runtime.node.api.errors import HttpError
from runtime.node.logs.output import LogOptions
from runtime.node.logs.reader import follow_log, read_log
from runtime.node.logs.record import nanoseconds
from runtime.node.logs.rotation import rotated_logs
from runtime.node.logs.watcher import DirectoryWatcher

_TRUE = ("true", "1", "t", "True", "TRUE", "T")
_ROTATION_LOOKS, _ROTATION_DELAY = 100, 0.01
"""How often, and after how many seconds, a log is looked for that is being rotated."""
_STREAMS = {"": None, "All": None, "Stdout": b"stdout", "Stderr": b"stderr"}


class ContainerLogs:
    def __init__(
        self, runtime: ContainerRuntime, pods: PodLookup, watcher: DirectoryWatcher, clock: Clock
    ) -> None:
        self._runtime = runtime
        self._pods = pods
        self._watcher = watcher
        self._clock = clock

    async def __call__(
        self, request: web.BaseRequest, namespace: str, name: str, container: str
    ) -> web.StreamResponse:
        """Raises HttpError, RuntimeServiceError."""
        options = log_options(request.query, self._clock)
        pod = find_pod(self._pods, namespace, name)
        previous = request.query.get("previous", "") in _TRUE
        container_id = logged_container(pod, container, previous=previous)
        path = await self._path(container_id)
        if not await self._is_there(path):
            text = f'failed to open log file "{path}": open {path}: no such file or directory'
            raise HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, text)
        return await send_log(request, self._pieces(container_id, path, options))

    async def _path(self, container_id: str) -> Path:
        """Of an evicted pod's containers nothing is left, though its status knows them."""
        try:
            return Path((await self._runtime.container_status(container_id)).log_path)
        except NotFound as error:
            text = f"unable to retrieve container logs for containerd://{container_id}"
            raise HttpError(HTTPStatus.BAD_REQUEST, text) from error

    async def _is_there(self, path: Path) -> bool:
        """In the middle of a rotation it is not, for a moment."""
        for _ in range(_ROTATION_LOOKS):
            if path.exists():
                return True
            if not rotated_logs(path):
                return False
            await self._clock.sleep(_ROTATION_DELAY)
        return path.exists()

    def _pieces(self, container_id: str, path: Path, options: LogOptions) -> AsyncGenerator[bytes]:
        if not options.follow:
            return read_log(path, options)
        return follow_log(path, options, self._watcher, lambda: self._running(container_id))

    async def _running(self, container_id: str) -> bool:
        try:
            status = await self._runtime.container_status(container_id)
        except NotFound:
            return False
        except RuntimeServiceError:
            return True  # the runtime is away, the container may well go on
        return status.state == cri.CONTAINER_RUNNING


async def send_log(request: web.BaseRequest, pieces: AsyncGenerator[bytes]) -> web.StreamResponse:
    """Until the pieces end, or the client has gone."""
    handler = asyncio.current_task()
    assert handler is not None
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    async with aclosing(pieces):
        with connection_of(request).ending(handler.cancel):
            await response.prepare(request)
            async for piece in pieces:
                await response.write(piece)
            await response.write_eof()
    return response


def log_options(query: MultiMapping[str], clock: Clock) -> LogOptions:
    """PodLogOptions as they stand in the query. Raises HttpError 400."""
    stream = query.get("stream", "")
    if stream not in _STREAMS:
        raise HttpError(HTTPStatus.BAD_REQUEST, f'invalid stream "{stream}"')
    return LogOptions(
        follow=query.get("follow", "") in _TRUE,
        timestamps=query.get("timestamps", "") in _TRUE,
        tail=_number(query, "tailLines"),
        limit=_number(query, "limitBytes"),
        since=_since(query, clock),
        stream=_STREAMS[stream],
    )


def _since(query: MultiMapping[str], clock: Clock) -> int | None:
    """Nanoseconds since the epoch."""
    seconds = _number(query, "sinceSeconds")
    if seconds is not None:
        return int((clock.now().timestamp() - seconds) * 1_000_000_000)
    text = query.get("sinceTime", "")
    if not text:
        return None
    try:
        return nanoseconds(text.encode())
    except ValueError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, f'invalid sinceTime "{text}"') from error


def _number(query: MultiMapping[str], name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        return max(int(text), 0)
    except ValueError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, f'invalid {name} "{text}"') from error
