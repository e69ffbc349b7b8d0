"""Request bodies: read with a bound on size, decode JSON or YAML with a bound on depth.

What the decoded object means is for the verbs and the registry.
"""

import asyncio
from typing import Any

import orjson
from aiohttp import StreamReader, web

from kubeling.objects.errors import BadRequest, RequestEntityTooLarge, Timeout
from server.api import protobuf
from server.api.negotiation import PROTOBUF, YAML
from server.schema import duplicates

MAX_BYTES = 3 * 1024 * 1024
MAX_DEPTH = 100
BODY_SECONDS = 60.0


async def read(request: web.BaseRequest, *, limit: int = MAX_BYTES) -> bytes:
    """The whole body.

    Raises:
        RequestEntityTooLarge: it is longer than `limit` bytes.
        Timeout: it does not come to its end in time.
    """
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    content = request.content
    body = b"" if not content.is_eof() else await content.readany()
    if content.is_eof() and content.at_eof():
        return body
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _rest(content, body, limit)
    except TimeoutError as error:
        raise Timeout("Timeout: request did not complete within the allotted timeout") from error


async def _rest(content: StreamReader, body: bytes, limit: int) -> bytes:
    pieces = [body]
    size = len(body)
    while True:
        piece = await content.readany()
        if not piece:
            return b"".join(pieces)
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        pieces.append(piece)


def _too_large(limit: int) -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"Request entity too large: limit is {limit}")


def decode(body: bytes, media: str) -> Any:
    """The JSON or YAML value in a body.

    Raises:
        BadRequest: it is not well-formed, or nested too deeply.
    """
    value = _decode_yaml(body) if media == YAML else _decode_json(body)
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH or media == YAML:
        _check_depth(value)
    return value


def _decode_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body of the request is not valid JSON: {error}") from error


def _decode_yaml(body: bytes) -> Any:
    import yaml  # slow to import, and few clients send YAML

    try:
        loader = _yaml_loader()
        if b"&" in body and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(body, loader)):
            raise BadRequest("the body of the request is not valid YAML: aliases are not accepted")
        return orjson.loads(orjson.dumps(yaml.load(body, loader), option=orjson.OPT_NON_STR_KEYS))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise BadRequest(f"the body of the request is not valid YAML: {problem}") from error
    except orjson.JSONEncodeError as error:
        raise BadRequest(f"the body of the request has no form in JSON: {error}") from error


def _yaml_loader() -> Any:
    """A safe loader that reads YAML as Kubernetes does: timestamps stay text."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    resolvers = {
        first: [(tag, expression) for tag, expression in known if not tag.endswith((":timestamp", ":value"))]
        for first, known in base.yaml_implicit_resolvers.items()
    }
    return type("Loader", (base,), {"yaml_implicit_resolvers": resolvers})


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return
    raise BadRequest(f"the body of the request is nested deeper than {MAX_DEPTH} levels")


def duplicate_fields(body: bytes, value: Any) -> list[str]:
    """Paths of fields that a JSON object holds twice: of those the last wins, and clients should be told.

    Parsing drops duplicates, so the parsed value, written again, has fewer colons than the body had; only
    then is the slow parser asked which.
    """
    if body.count(b":") <= orjson.dumps(value).count(b":"):
        return []
    return duplicates.duplicate_fields(body)


def decode_object(body: bytes, media: str) -> dict[str, Any]:
    """The API object in a body.

    Raises:
        BadRequest: there is none.
    """
    if media == PROTOBUF:
        return protobuf.decode_object(body)
    value = decode(body, media)
    if not isinstance(value, dict):
        raise BadRequest("the body of the request must be an object")
    return value
