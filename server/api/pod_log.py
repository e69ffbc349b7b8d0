"""pods/log: a container's log, fetched from the node that runs it and passed on as it comes."""

from urllib.parse import quote, urlencode

from aiohttp import ClientError, ClientResponse

from kubeling.objects import meta
from kubeling.objects.errors import BadRequest, Cause, invalid
from kubeling.objects.meta import Object
from server.api.connection import connection_of
from server.api.containers import container_of, find_pod, node_of
from server.api.nodes import Endpoint, Nodes, unreachable
from server.api.pages import method_not_allowed
from server.api.reply import Answer, Reply, Stream
from server.api.request import Request
from server.api.requestinfo import Query, first, flag
from server.api.tunnel import refusal, stream
from server.registry.registry import Registry

_TEXT = "text/plain"
_FLAGS = ("follow", "previous", "timestamps")
_MINIMA = {"tailLines": 0, "sinceSeconds": 1, "limitBytes": 1}
_MAX_ERROR = 64 * 1024


class PodLog:
    def __init__(self, registry: Registry, nodes: Nodes) -> None:
        self._registry = registry
        self._nodes = nodes

    async def __call__(self, request: Request) -> Answer:
        """Answer a GET of pods/log.

        Raises:
            ApiError: there is no such pod or container, an option is wrong, or the node refuses.
        """
        if request.info.verb != "get":
            raise method_not_allowed()
        options = log_options(request.query)
        pod = await find_pod(self._registry, request)
        container = container_of(pod, first(request.query, "container"))
        if not node_of(pod):
            return Reply(content_type=_TEXT)
        return await self._fetch(request, pod, container, options)

    async def _fetch(self, request: Request, pod: Object, container: str, options: dict[str, str]) -> Answer:
        endpoint = await self._nodes.endpoint(node_of(pod))
        path = f"/containerLogs/{meta.namespace(pod)}/{meta.name(pod)}/{quote(container)}"
        target = f"{path}?{urlencode(options)}" if options else path
        if "follow" in options and request.http.version >= (1, 1):
            return await stream(request.http, self._nodes, endpoint, target, headers=request.stream_headers)
        return await self._read(request, endpoint, target)

    async def _read(self, request: Request, endpoint: Endpoint, target: str) -> Answer:
        try:
            async with self._nodes.session.get(endpoint.url + target) as answer:
                if not 200 <= answer.status < 300:
                    raise refusal(answer.status, await answer.content.read(_MAX_ERROR))
                return await _pass_on(request, answer)
        except ClientError as error:
            if request.http.writer.output_size:
                raise ConnectionError("the node broke off") from error
            raise unreachable(endpoint, error) from error


async def _pass_on(request: Request, answer: ClientResponse) -> Stream:
    out = request.stream()
    with connection_of(request.http).ending(answer.close):
        await out.begin(request.http, content_type=_TEXT, headers=request.stream_headers)
        async for piece in answer.content.iter_any():
            await out.send(piece)
        await out.end(request.http)
    return out


def log_options(query: Query) -> dict[str, str]:
    """The query for the node, from PodLogOptions.

    Raises:
        BadRequest, Invalid: an option has a value that cannot be.
    """
    options = {name: "true" for name in _FLAGS if flag(query, name)}
    causes = []
    for name, minimum in _MINIMA.items():
        text = first(query, name)
        if not text:
            continue
        if _number(name, text) < minimum:
            bound = "greater than or equal to 0" if minimum == 0 else "greater than 0"
            causes.append(Cause(name, "FieldValueInvalid", f"Invalid value: {text}: must be {bound}"))
        options[name] = text
    since = first(query, "sinceTime")
    if since:
        options["sinceTime"] = since
        if "sinceSeconds" in options:
            text = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
            causes.append(Cause("", "FieldValueForbidden", text))
    if causes:
        raise invalid("PodLogOptions", "", causes)
    return options | _stream(query)


def _stream(query: Query) -> dict[str, str]:
    """Which of stdout and stderr is wanted; both, unless one is named."""
    wanted = first(query, "stream")
    return {"stream": wanted} if wanted else {}


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BadRequest(f'unable to parse query parameter {name}: invalid number "{text}"') from error
