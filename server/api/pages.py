"""The paths that are no resources: health, version, metrics, discovery, OpenAPI, and a list of them all."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from kubeling.objects.errors import MethodNotAllowed, NotFound
from server.api import version
from server.api.discovery import Discovery
from server.api.health import Health
from server.api.issuer_pages import IssuerPages
from server.api.metrics import RequestMetrics
from server.api.negotiation import accepted
from server.api.openapi import OpenAPI
from server.api.render import document_reply
from server.api.reply import Reply
from server.api.requestinfo import Query


@dataclass(frozen=True)
class Visit:
    """A request for a page."""

    method: str
    path: str
    query: Query
    headers: Mapping[str, str]

    @property
    def accept(self) -> str:
        return accepted(self.headers)


Page = Callable[[Visit], Awaitable[Reply | None]]


class Pages:
    def __init__(
        self,
        *,
        health: Health,
        metrics: RequestMetrics,
        discovery: Discovery,
        openapi: OpenAPI,
        issuer: IssuerPages | None = None,
    ) -> None:
        """`issuer` is the issuer of service account tokens, where there is one."""
        self._health = health
        self._metrics = metrics
        self._discovery = discovery
        self._openapi = openapi
        self._issuer = issuer
        self._pages: dict[str, Page] = {
            "": self._root,
            "version": self._version,
            "healthz": self._checks,
            "livez": self._checks,
            "readyz": self._checks,
            "metrics": self._counters,
            "api": self._discover,
            "apis": self._discover,
            "openapi": self._describe,
            ".well-known": self._introduce_issuer,
            "openid": self._introduce_issuer,
        }

    async def answer(self, visit: Visit) -> Reply:
        """The page at a path, or the text that says there is none.

        Raises:
            MethodNotAllowed: pages can only be read.
        """
        page = self._pages.get(visit.path.strip("/").partition("/")[0])
        reply = await page(visit) if page is not None else None
        if reply is None:
            return not_found_page()
        if visit.method not in ("GET", "HEAD"):
            raise method_not_allowed()
        return _unless_known(reply, visit)

    async def _root(self, visit: Visit) -> Reply | None:
        groups = self._discovery.groups
        paths = ["/api", "/api/v1", "/apis"]
        for group in filter(None, groups):
            paths += [f"/apis/{group}", *(f"/apis/{group}/{name}" for name in groups[group])]
        paths += ["/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
        paths += self._issuer.paths if self._issuer is not None else ()
        return document_reply({"paths": sorted(paths)})

    async def _version(self, visit: Visit) -> Reply | None:
        return document_reply(version.information()) if visit.path.rstrip("/") == "/version" else None

    async def _checks(self, visit: Visit) -> Reply | None:
        return self._health.answer(visit.path, visit.query)

    async def _counters(self, visit: Visit) -> Reply | None:
        content_type = "text/plain; version=0.0.4; charset=utf-8"
        return (
            Reply(await self._metrics.page(), content_type=content_type) if visit.path == "/metrics" else None
        )

    async def _discover(self, visit: Visit) -> Reply | None:
        return self._discovery.answer(visit.path, visit.accept)

    async def _describe(self, visit: Visit) -> Reply | None:
        return await self._openapi.answer(visit.path, accept=visit.accept)

    async def _introduce_issuer(self, visit: Visit) -> Reply | None:
        return self._issuer.answer(visit.path) if self._issuer is not None else None


def _unless_known(reply: Reply, visit: Visit) -> Reply:
    """304 when the client says that it has this very document already."""
    etag = next((value for name, value in reply.headers if name == "ETag"), "")
    if etag and etag in visit.headers.get("If-None-Match", ""):
        return Reply(status=304, content_type="", headers=reply.headers)
    return reply


def not_found_page() -> Reply:
    return Reply(
        b"404 page not found\n",
        status=404,
        content_type="text/plain; charset=utf-8",
        headers=(("X-Content-Type-Options", "nosniff"),),
    )


def unknown_resource() -> NotFound:
    return NotFound("the server could not find the requested resource", details={})


def method_not_allowed() -> MethodNotAllowed:
    return MethodNotAllowed("the server does not allow this method on the requested resource", details={})
