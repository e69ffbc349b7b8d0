"""One API request on its way through the handlers: what it asks, who asks, and how the answer should look."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from server.api import bodies
from server.api.negotiation import PLAIN, Representation, body_media
from server.api.reply import Headers, Stream
from server.api.requestinfo import Query, RequestInfo
from server.registry.context import UserInfo
from server.registry.kind import Kind

_PRETTY_AGENTS = ("curl", "Wget", "Mozilla/5.0")


@dataclass
class Request:
    """A request for a resource; `kind` is what its path names."""

    http: web.BaseRequest
    info: RequestInfo
    query: Query
    user: UserInfo
    kind: Kind
    authorize: Callable[[str], None]
    """Raises Forbidden when the user may not do the same request with another verb."""
    audit_id: str = ""
    representation: Representation = PLAIN
    """How to write an object or a list."""
    warnings: list[str] | None = None
    """What the client is to be told besides the answer, whatever that will be."""

    @property
    def namespace(self) -> str:
        return self.info.namespace if self.kind.namespaced else ""

    @property
    def version(self) -> str:
        return self.info.version

    @property
    def user_agent(self) -> str:
        return self.http.headers.get("User-Agent", "")

    @property
    def pretty(self) -> bool:
        """Whether a person reads: asked for, or sent by a browser or a command-line tool."""
        asked = self.query.get("pretty")
        if asked is not None:
            return asked[0] not in ("false", "0")
        return self.user_agent.startswith(_PRETTY_AGENTS)

    @property
    def include_object(self) -> str:
        """Which form of the object goes into the rows of a Table."""
        return (self.query.get("includeObject") or ["Metadata"])[0]

    async def body(self) -> tuple[bytes, str]:
        """The body with its media type: JSON, YAML or protobuf.

        Raises:
            UnsupportedMediaType, RequestEntityTooLarge: as they say.
        """
        media = body_media(self.http.headers.get("Content-Type", ""))
        return await bodies.read(self.http), media

    def stream(self) -> Stream:
        return Stream(self.http)

    @property
    def stream_headers(self) -> Headers:
        return (("Audit-Id", self.audit_id),)
