"""/openapi/v3 (an index, and a document per group and version) and /openapi/v2 (one document).

Documents are built when somebody asks, in a thread since that takes a while, and kept until the kinds that
they describe change. They are large: clients ask for those that they need, by the index's hashes, and keep
them.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from server.api import openapi_protobuf, openapi_schemas, version
from server.api.negotiation import JSON, not_acceptable, parse_accept
from server.api.openapi_custom import definitions_of
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


GroupVersions = Mapping[str, list[tuple[Kind, str]]]
"""`api/v1`, `apis/apps/v1` → the kinds served there, each with the version."""


class _Document(NamedTuple):
    made_of: object
    """The kinds that it describes."""
    body: bytes
    etag: str


class OpenAPI:
    def __init__(
        self,
        kinds: Callable[[], Iterable[Kind]],
        *,
        generation: Callable[[], int] = lambda: 0,
        remotes: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """`generation` counts the changes of the kinds, and of other servers' documents.

        These are listed in the index, and fetched from their servers.
        """
        self._kinds = kinds
        self._remotes = remotes
        self._generation = generation
        self._grouped_at = -1
        self._grouped: GroupVersions = {}
        self._documents: dict[str, _Document] = {}
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
        document = await self._document(key, name)
        return Reply(
            document.body,
            content_type=_CONTENT_TYPES.get(media, media),
            headers=(("ETag", f'"{document.etag}"'), ("Vary", "Accept")),
        )

    async def _document(self, key: str, name: str) -> _Document:
        groups = self._group_versions()
        made_of: object = groups.get(name) or (groups, dict(self._remotes()))
        known = self._documents.get(key)
        if known is not None and known.made_of == made_of:
            return known
        async with self._building:
            known = self._documents.get(key)
            if known is None or known.made_of != made_of:
                body = await asyncio.to_thread(_encoded, key, groups, self._remotes())
                known = _Document(made_of, body, hashlib.sha256(body).hexdigest().upper())
                self._documents[key] = known
        return known

    def _group_versions(self) -> GroupVersions:
        if self._grouped_at != self._generation():
            self._grouped_at = self._generation()
            self._grouped = self._read()
            kept = {*self._grouped, "v2", "v2 protobuf", "v3"}
            self._documents = {name: each for name, each in self._documents.items() if name in kept}
        return self._grouped

    def _read(self) -> GroupVersions:
        found: dict[str, list[tuple[Kind, str]]] = {}
        for kind in self._kinds():
            for served in kind.versions:
                name = f"apis/{kind.group}/{served}" if kind.group else f"api/{served}"
                found.setdefault(name, []).append((kind, served))
        return found


def _encoded(key: str, groups: GroupVersions, remotes: Mapping[str, Any]) -> bytes:
    if key == "v2 protobuf":
        return openapi_protobuf.document(document_v2(groups.values()))
    if key == "v2":
        return orjson.dumps(document_v2(groups.values()))
    if key == "v3":
        return orjson.dumps({"paths": {**remotes, **index(groups)["paths"]}})
    return orjson.dumps(document_v3(groups[key]))


def _media(name: str, accept: str) -> str:
    for clause in parse_accept(accept or JSON):
        if clause.covers(JSON):
            return JSON
        if name == "v2" and clause.covers(openapi_protobuf.MEDIA):
            return openapi_protobuf.MEDIA
    raise not_acceptable(JSON)


def index(group_versions: GroupVersions) -> dict[str, Any]:
    """Where each document is. Its hash changes, as it does itself, with version, kinds and schemas."""
    paths = {}
    for name, kinds in group_versions.items():
        text = f"{version.information()['gitVersion']} {name} {sorted(kind.plural for kind, _ in kinds)}"
        custom = orjson.dumps([_shape(kind) for kind, _ in kinds if kind.custom_schema is not None])
        digest = hashlib.sha512(text.encode() + custom).hexdigest().upper()
        paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
    return {"paths": paths}


def _shape(kind: Kind) -> list[Any]:
    """What a custom kind's part of the document depends on."""
    return [kind.kind, kind.list_kind, kind.namespaced, list(kind.subresources), kind.custom_schema]


def document_v3(kinds: list[tuple[Kind, str]]) -> dict[str, Any]:
    """One group and version, with every schema that it mentions."""
    known = described_definitions() | definitions_of(kinds, swagger=False)
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
    listed = list(group_versions)
    known = described_definitions()
    for kinds in listed:
        known |= definitions_of(kinds, swagger=True)
    writer = Writer(swagger=True, find=finder(known))
    paths: Paths = {}
    for kinds in listed:
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
