"""Objects and lists as replies, in the representation that the client asked for.

The registry encodes and makes tables; here the pieces become bodies: JSON or YAML, pretty, compressed.
"""

import asyncio
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from kubeling.objects.errors import ApiError, NotAcceptable
from kubeling.objects.meta import Object
from server.api.negotiation import JSON, META_GROUP, YAML, Representation
from server.api.reply import PIECE, Headers, Joined, Reply
from server.api.request import Request
from server.registry.kind import Kind
from server.registry.registry import Registry
from server.registry.results import ListResult
from server.storage.record import Record

COMPRESS_FROM = 128 * 1024
"""Bytes: smaller answers are not worth compressing."""
MOST_WARNINGS, LONGEST_WARNING = 4096, 256
"""Characters of all Warning headers together, and of each when there are more."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


async def object_reply(
    registry: Registry,
    request: Request,
    record: Record,
    *,
    status: int = 200,
    subresource: str = "",
    warnings: Sequence[str] = (),
) -> Reply:
    """One object as an answer; `warnings` become Warning headers."""
    wanted = request.representation
    if not wanted.kind:
        body = registry.encode(record, request.kind, request.version, subresource=subresource)
    else:
        body = orjson.dumps(_transformed(registry, request, record))
    return await body_reply(request, body, status=status, headers=warning_headers(warnings))


def _transformed(registry: Registry, request: Request, record: Record) -> Object:
    wanted = request.representation
    if wanted.kind == "Table":
        return table(registry, request, [record], list_meta={"resourceVersion": str(record.revision)})
    if wanted.kind == "PartialObjectMetadataList":
        raise NotAcceptable(f"you requested {wanted.kind}, but the requested object is not a list")
    return partial_metadata(registry, request.kind, request.version, record, wanted)


def table(
    registry: Registry,
    request: Request,
    records: Sequence[Record],
    *,
    list_meta: Object,
    headers: bool = True,
) -> Object:
    return registry.table(
        request.kind,
        records,
        version=request.version,
        include_object=request.include_object,
        headers=headers,
        list_meta=list_meta,
        table_version=request.representation.version,
    )


def partial_metadata(
    registry: Registry, kind: Kind, version: str, record: Record, wanted: Representation
) -> Object:
    """The object's metadata alone, as meta.k8s.io's PartialObjectMetadata."""
    obj = registry.decoded(record, kind, version)
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"{META_GROUP}/{wanted.version}",
        "metadata": obj["metadata"],
    }


async def list_reply(registry: Registry, request: Request, result: ListResult) -> Reply:
    """A list as an answer."""
    wanted, meta = request.representation, list_metadata(result)
    if not wanted.kind:
        return await _plain_list(registry, request, result, meta)
    if wanted.kind == "Table":
        return await body_reply(
            request, orjson.dumps(table(registry, request, result.records, list_meta=meta))
        )
    if wanted.kind == "PartialObjectMetadata":
        raise NotAcceptable(f"you requested {wanted.kind}, but the requested object is a list")
    items = [
        partial_metadata(registry, request.kind, request.version, record, wanted) for record in result.records
    ]
    document = {
        "kind": wanted.kind,
        "apiVersion": f"{META_GROUP}/{wanted.version}",
        "metadata": meta,
        "items": items,
    }
    return await body_reply(request, orjson.dumps(document))


def list_metadata(result: ListResult) -> Object:
    meta: Object = {"resourceVersion": str(result.revision)}
    if result.continue_token:
        meta["continue"] = result.continue_token
    if result.remaining is not None:
        meta["remainingItemCount"] = result.remaining
    return meta


async def _plain_list(registry: Registry, request: Request, result: ListResult, meta: Object) -> Reply:
    kind, version = request.kind, request.version
    opening = orjson.dumps(
        {"kind": kind.list_kind, "apiVersion": kind.api_version(version), "metadata": meta, "items": []}
    )
    if kind.api_version(version) == kind.storage_api_version:
        items = [record.body for record in result.records]
    else:
        items = [registry.encode(record, kind, version) for record in result.records]
    as_it_is = request.representation.media == JSON and not request.pretty and not _accepts_gzip(request)
    if as_it_is and sum(map(len, items)) > PIECE:
        parts = [part for item in items for part in (b",", item)]
        return Joined([opening[:-2], *parts[1:], b"]}"], content_type=JSON)
    return await body_reply(request, b"%b%b]}" % (opening[:-2], b",".join(items)))


async def body_reply(request: Request, body: bytes, *, status: int = 200, headers: Headers = ()) -> Reply:
    """An encoded JSON document as an answer, turned into YAML, made pretty or compressed as asked."""
    media = request.representation.media
    if media == YAML:
        body = to_yaml(body)
    elif request.pretty:
        body = pretty(body)
    if len(body) >= COMPRESS_FROM and _accepts_gzip(request):
        body = await asyncio.to_thread(_gzip, body)
        headers = (*headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
    return Reply(body, status=status, content_type=media, headers=headers)


def document_reply(document: Any, *, media: str = JSON, status: int = 200, headers: Headers = ()) -> Reply:
    """A document that is not a stored object, such as a Status."""
    body = orjson.dumps(document)
    return Reply(to_yaml(body) if media == YAML else body, status=status, content_type=media, headers=headers)


def error_reply(error: ApiError, *, media: str = JSON) -> Reply:
    """The Status of a failure."""
    retry: Headers = ()
    seconds = (error.details or {}).get("retryAfterSeconds")
    if seconds:
        retry = (("Retry-After", str(seconds)),)
    headers = (*retry, *warning_headers(error.warnings))
    return document_reply(error.status(), media=media, status=error.code, headers=headers)


def pretty(body: bytes) -> bytes:
    return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def to_yaml(body: bytes) -> bytes:
    import yaml  # slow to import, and rarely asked for

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(orjson.loads(body), Dumper=dumper, allow_unicode=True, sort_keys=True)
    return text.encode()


def _accepts_gzip(request: Request) -> bool:
    return "gzip" in request.http.headers.get("Accept-Encoding", "")


def _gzip(body: bytes) -> bytes:
    compressor = zlib.compressobj(level=1, wbits=31)
    return compressor.compress(body) + compressor.flush()


def warning_headers(warnings: Sequence[str]) -> Headers:
    """One `Warning: 299 - "text"` header for each distinct text that can stand in one; when they are too
    long together, each is cut, and the last ones are left out."""
    if not warnings:
        return ()
    texts = [text for text in dict.fromkeys(warnings) if text and not _CONTROL.search(text)]
    if sum(map(len, texts)) > MOST_WARNINGS:
        texts = list(_cut(texts))
    return tuple(("Warning", f"299 - {_quoted(text)}") for text in texts)


def _cut(texts: Sequence[str]) -> Iterator[str]:
    written = 0
    for text in texts:
        if written >= MOST_WARNINGS:
            return
        yield text[:LONGEST_WARNING]
        written += len(text[:LONGEST_WARNING])


def deprecation_headers(kind: Kind, version: str) -> Headers:
    """The warning that goes with every answer in a deprecated version."""
    return warning_headers(deprecation_warnings(kind, version))


def deprecation_warnings(kind: Kind, version: str) -> Sequence[str]:
    text = kind.deprecations.get(version)
    return (text,) if text else ()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
