"""/run: a command in a container, from its start to its end. /checkpoint: no runtime that we drive has it."""

from http import HTTPStatus
from typing import NoReturn

from aiohttp import web

from runtime.container_runtime import ContainerRuntime
from runtime.node.api.containers import PodLookup, find_pod, running_container
from runtime.node.api.errors import HttpError


class Commands:
    def __init__(self, runtime: ContainerRuntime, pods: PodLookup) -> None:
        self._runtime = runtime
        self._pods = pods

    async def run(self, request: web.BaseRequest, namespace: str, name: str, container: str) -> web.Response:
        """Answers with what the command printed. Raises HttpError, RuntimeServiceError."""
        pod = find_pod(self._pods, namespace, name)
        container_id = await running_container(self._runtime, pod, container)
        words = request.query.get("cmd", "").split(" ")
        result = await self._runtime.exec_sync(container_id, words, timeout=0)
        output = result.stdout + result.stderr
        if result.exit_code:
            printed = output.decode(errors="replace")
            text = f"command '{' '.join(words)}' exited with {result.exit_code}: {printed}"
            raise HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, text)
        return web.Response(body=output, content_type="text/plain")

    async def checkpoint(
        self, request: web.BaseRequest, namespace: str, name: str, container: str
    ) -> NoReturn:
        """Raises HttpError: 404 as upstream says that the runtime cannot do it."""
        pod = find_pod(self._pods, namespace, name)
        await running_container(self._runtime, pod, container)
        why = "rpc error: code = Unimplemented desc = unknown method CheckpointContainer"
        text = f"checkpointing of {namespace}/{name}/{container} failed ({why})"
        raise HttpError(HTTPStatus.NOT_FOUND, text)
