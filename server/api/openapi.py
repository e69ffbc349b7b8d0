"""/openapi/v3 (an index, and a document per group and version) and /openapi/v2 (one document).

Documents are built when somebody asks, in a thread since that takes a while, and kept. They are large:
clients ask for those that they need, by the index's hashes, and keep them.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from server.api import openapi_protobuf, openapi_schemas, version
from server.api.negotiation import JSON, not_acceptable, parse_accept
from server.api.openapi_paths import Paths, Writer
from server.api.openapi_schemas import Schema
from server.api.reply import Reply
from server.registry.kind import Kind
from server.schema.definitions import described_definitions

_INFO = {"title": "Kubernetes", "version": f"v{version.MAJOR}.{version.MINOR}.{version.PATCH}"}
_CONTENT_TYPES = {openapi_protobuf.MEDIA: openapi_protobuf.CONTENT_TYPE}
_SECURITY = {
    "BearerToken": {
        "type": "apiKey",
        "in": "header",
        "name": "authorization",
        "description": "Bearer Token authentication",
    }
}


class OpenAPI:
    def __init__(self, kinds: Callable[[], Iterable[Kind]]) -> None:
        self._kinds = kinds
        self._documents: dict[str, bytes] = {}
        self._building = asyncio.Lock()

    async def answer(self, path: str, *, accept: str) -> Reply | None:
        """The document at a path, or None.

        Raises:
            NotAcceptable: there is no form that the client takes.
        """
        if path.rstrip("/") == "/openapi/v2":
            name = "v2"
        elif path.rstrip("/") == "/openapi/v3":
            name = "v3"
        else:
            name = path.removeprefix("/openapi/v3/").strip("/")
            if name not in self._group_versions():
                return None
        media = _media(name, accept)
        key = f"{name} protobuf" if media == openapi_protobuf.MEDIA else name
        body = self._documents.get(key) or await self._build(key)
        etag = hashlib.sha256(body).hexdigest().upper()
        return Reply(
            body,
            content_type=_CONTENT_TYPES.get(media, media),
            headers=(("ETag", f'"{etag}"'), ("Vary", "Accept")),
        )

    async def _build(self, name: str) -> bytes:
        async with self._building:
            if name not in self._documents:
                self._documents[name] = await asyncio.to_thread(self._encoded, name)
        return self._documents[name]

    def _encoded(self, name: str) -> bytes:
        if name == "v2 protobuf":
            return openapi_protobuf.document(document_v2(self._group_versions().values()))
        if name == "v2":
            return orjson.dumps(document_v2(self._group_versions().values()))
        if name == "v3":
            return orjson.dumps(index(self._group_versions()))
        return orjson.dumps(document_v3(self._group_versions()[name]))

    def _group_versions(self) -> Mapping[str, list[tuple[Kind, str]]]:
        """`api/v1`, `apis/apps/v1` → the kinds served there, each with the version."""
        found: dict[str, list[tuple[Kind, str]]] = {}
        for kind in self._kinds():
            for served in kind.versions:
                name = f"apis/{kind.group}/{served}" if kind.group else f"api/{served}"
                found.setdefault(name, []).append((kind, served))
        return found


def _media(name: str, accept: str) -> str:
    for clause in parse_accept(accept or JSON):
        if clause.covers(JSON):
            return JSON
        if name == "v2" and clause.covers(openapi_protobuf.MEDIA):
            return openapi_protobuf.MEDIA
    raise not_acceptable(JSON)


def index(group_versions: Mapping[str, list[tuple[Kind, str]]]) -> dict[str, Any]:
    """Where each document is. Its hash changes, as it does itself, with the version and the set of kinds."""
    paths = {}
    for name, kinds in group_versions.items():
        text = f"{version.information()['gitVersion']} {name} {sorted(kind.plural for kind, _ in kinds)}"
        digest = hashlib.sha512(text.encode()).hexdigest().upper()
        paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
    return {"paths": paths}


def document_v3(kinds: list[tuple[Kind, str]]) -> dict[str, Any]:
    """One group and version, with every schema that it mentions."""
    known = described_definitions()
    find = finder(known)
    writer = Writer(swagger=False, find=find)
    paths = _paths(writer, kinds)
    names = {find(kind.group, served, kind.kind) for kind, served in kinds}
    names |= {find(kind.group, served, kind.list_kind) for kind, served in kinds}
    names |= _mentioned(paths)
    converter = openapi_schemas.version_3()
    needed = sorted(openapi_schemas.reachable(names, known))
    schemas = {name: converter.convert(name, known[name]) for name in needed}
    components = {"schemas": schemas, "securitySchemes": _SECURITY}
    return {"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": components}


def document_v2(group_versions: Iterable[list[tuple[Kind, str]]]) -> dict[str, Any]:
    """Everything in one document."""
    known = described_definitions()
    writer = Writer(swagger=True, find=finder(known))
    paths: Paths = {}
    for kinds in group_versions:
        paths |= _paths(writer, kinds)
    converter = openapi_schemas.version_2()
    return {
        "swagger": "2.0",
        "info": _INFO,
        "paths": paths,
        "definitions": {name: converter.convert(name, schema) for name, schema in known.items()},
        "securityDefinitions": _SECURITY,
        "security": [{"BearerToken": []}],
    }


def _paths(writer: Writer, kinds: Iterable[tuple[Kind, str]]) -> Paths:
    paths: Paths = {}
    for kind, served in kinds:
        paths |= writer.paths(kind, served)
    return paths


def _mentioned(document: Any) -> set[str]:
    return {name.removeprefix("#/components/schemas/") for name in openapi_schemas.references(document)}


def finder(known: Mapping[str, Schema]) -> Callable[[str, str, str], str]:
    """Finds a schema's name by the group, version and kind that it is marked with."""
    names = {
        (mark["group"], mark["version"], mark["kind"]): name
        for name, schema in known.items()
        for mark in schema.get("x-kubernetes-group-version-kind", ())
    }
    return lambda group, served, kind: names.get((group, served, kind), "")
