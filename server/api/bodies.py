"""Request bodies: read with a bound on size, decode JSON or YAML with a bound on depth.

What the decoded object means is for the verbs and the registry.
"""

import asyncio
import json
from typing import Any

import orjson
from aiohttp import StreamReader, web

from kubeling.objects.errors import BadRequest, RequestEntityTooLarge, Timeout
from server.api import protobuf, yaml_duplicates
from server.api.negotiation import PROTOBUF, YAML
from server.registry.strictness import Misread, duplicate_field
from server.schema import duplicates
from server.schema.scalars import json_type

MAX_BYTES = 3 * 1024 * 1024
MAX_DEPTH = 100
BODY_SECONDS = 60.0
SHOWN_BYTES = 30
_TYPE_META = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
)


class Malformed(BadRequest):
    """A body is no JSON."""


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
        raise Malformed(_go_json_error(body, error)) from error


def _go_json_error(body: bytes, error: orjson.JSONDecodeError) -> str:
    """What Go's decoder says, for the mistakes that people make."""
    text = body.decode(errors="replace")
    if error.pos >= len(text.rstrip()):
        return "unexpected end of JSON input"
    before = text[: error.pos].rstrip()[-1:]
    if before in ("", ":", "["):
        return f"invalid character {_go_rune(text[error.pos])} looking for beginning of value"
    if before == "{":
        return f"invalid character {_go_rune(text[error.pos])} looking for beginning of object key string"
    return str(error)


def mismatched(value: Any, go_type: str) -> Malformed:
    """A body, or a part of it, that is JSON of another type than is wanted."""
    return Malformed(f"json: cannot unmarshal {json_type(value)} into Go value of type {go_type}")


def _go_rune(character: str) -> str:
    escaped = {"'": "\\'", '"': '"'}.get(character) or json.dumps(character, ensure_ascii=False)[1:-1]
    return f"'{escaped}'"


def unrecognized(kind: str, error: Malformed, body: bytes) -> BadRequest:
    """What a write says of a body that is no JSON."""
    shown = body[:SHOWN_BYTES]
    summary = shown.decode(errors="replace") if shown.startswith(b"{") else shown.hex()
    rest = " ..." if len(body) > SHOWN_BYTES else ""
    return BadRequest(
        f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
        f"json parse error: {error} ({(summary + rest) or '<empty>'})"
    )


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


def misread_json(body: bytes, value: Any) -> Misread | None:
    """What is to be said of a JSON body that holds fields twice: of those the last wins.

    Parsing drops duplicates, so the parsed value, written again, has fewer colons than the body had; only
    then is the slow parser asked which.
    """
    if body.count(b":") <= orjson.dumps(value).count(b":"):
        return None
    found = duplicates.duplicate_fields(body).paths
    if not found:
        return None
    told = tuple(map(duplicate_field, found))
    return Misread(told, find=lambda wanted: duplicates.duplicate_fields(body, wanted=wanted))


def misread_yaml(body: bytes, value: Any) -> Misread:
    """What is to be said of a YAML body: its keys that come twice, by line."""
    return Misread(tuple(yaml_duplicates.duplicate_keys(body, value)), of_yaml=True)


def decode_object(body: bytes, media: str) -> dict[str, Any]:
    """The API object in a body.

    Raises:
        BadRequest: there is none.
    """
    if media == PROTOBUF:
        return protobuf.decode_object(body)
    value = decode(body, media)
    if not isinstance(value, dict):
        raise mismatched(value, _TYPE_META)
    return value
